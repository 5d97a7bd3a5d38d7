"""Texts to what an ONNX graph reads: two files beside it, and the tokenizer. Needs numpy only."""

from pathlib import Path
from typing import Any, Final

from numpy.typing import NDArray

from textclf.artefacts import artefact, quantised, safetensors
from textclf.artefacts.artefact import Artefact
from textclf.errors import ArtefactError
from textclf.models import MODELS
from textclf.system import files
from textclf.text.tokenizer import Tokenizer

SETTINGS: Final = "inputs.json"
"""The format, which model it is, and the settings of its inputs."""
LEARNT: Final = "inputs.safetensors"
"""What the inputs learnt from documents."""


def contents(trained: Artefact) -> dict[str, bytes]:
    """The files by name."""
    learnt, settings = artefact.split(trained.inputs)
    return {
        SETTINGS: artefact.encode(
            {"format_version": artefact.FORMAT_VERSION, "model": trained.model, "inputs": settings}, indent=2
        ),
        LEARNT: artefact.serialise(artefact.compact(learnt, without=trained.inputs.DERIVED)),
    }


class Feeder:
    """Makes what a model's graph reads; raises ArtefactError if its files cannot be read."""

    def __init__(self, folder: str | Path) -> None:
        root = Path(folder)
        try:
            settings = files.read_object(root / SETTINGS)
            if (version := settings.get("format_version")) != artefact.FORMAT_VERSION:
                raise ValueError(f"it has format {version}, and this textclf reads format {artefact.FORMAT_VERSION}")
            kind = MODELS[settings["model"]].runtime().features
            self._tokenizer = Tokenizer.from_json(files.read_object(artefact.Layout(root).tokenizer))
            learnt = quantised.restore(safetensors.read(root / LEARNT)[0])
            self._inputs = artefact.restore(kind, learnt, settings["inputs"], self._tokenizer)
            if not self._inputs.fits(self._tokenizer):
                raise ValueError("the inputs are not those of the tokenizer")
        except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
            raise ArtefactError(f"{root} cannot be read ({error}); export it again: textclf export") from error

    def __call__(self, texts: list[str]) -> dict[str, NDArray[Any]]:
        """The inputs of some texts, one at least, by name."""
        made: dict[str, NDArray[Any]] = self._inputs(*self._tokenizer.encode_all(texts))._asdict()
        return made
