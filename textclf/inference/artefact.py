"""The model artefact: a folder, whole in itself, that predicts anywhere. Owns its files; knows nothing about training.

No file in it can hold code: weights are safetensors, everything else is JSON. Written whole: config.json comes last.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from textclf import atomic
from textclf.errors import ArtefactError, UsageError
from textclf.inference.runtime import FORWARD
from textclf.text import INPUTS, Inputs
from textclf.text.tokenizer import UNK_ID, Tokenizer

FORMAT_VERSION: Final = 2

Arrays = dict[str, NDArray[Any]]


@dataclass(frozen=True, slots=True)
class Layout:
    """The files of ``model/``."""

    root: Path

    @property
    def config(self) -> Path:
        """Format version, model, sizes and where it comes from; written last."""
        return self.root / "config.json"

    @property
    def weights(self) -> Path:
        """Parameters, and what the inputs learnt under the prefix ``inputs.``."""
        return self.root / "model.safetensors"

    @property
    def tokenizer(self) -> Path:
        """The vocabulary."""
        return self.root / "tokenizer.json"

    @property
    def labels(self) -> Path:
        """Label names by class index."""
        return self.root / "labels.json"

    @property
    def card(self) -> Path:
        """The model card."""
        return self.root / "README.md"


@dataclass(frozen=True, slots=True)
class Artefact:
    """A trained model, without torch."""

    model: str
    """Name in `INPUTS`."""
    weights: Arrays
    """Parameter name to array."""
    tokenizer: Tokenizer
    inputs: Inputs
    labels: list[str]
    temperature: float
    """What logits are divided by, for probabilities that say how often the model is right."""
    trained: Mapping[str, Any]
    """Corpus, tier and figures, for people."""


def save(root: Path, artefact: Artefact, *, card: str) -> None:
    """Write the artefact; the folder is no artefact before its config.json is there."""
    from safetensors.numpy import save as serialise

    atomic.make_folder(root)
    layout = Layout(root)
    learnt, settings = _split(artefact.inputs)
    arrays = artefact.weights | {f"inputs.{name}": array for name, array in learnt.items()}
    atomic.write_bytes(layout.weights, serialise({name: np.ascontiguousarray(array) for name, array in arrays.items()}))
    atomic.write_json(layout.labels, artefact.labels)
    atomic.write_text(layout.tokenizer, json.dumps(artefact.tokenizer.to_json(), ensure_ascii=False) + "\n")
    atomic.write_text(layout.card, card)
    config = {
        "format_version": FORMAT_VERSION,
        "model": artefact.model,
        "inputs": settings,
        "temperature": artefact.temperature,
        "trained": dict(artefact.trained),
    }
    atomic.write_json(layout.config, config)


def load(root: Path) -> Artefact:
    """Read an artefact; raises UsageError if there is none, ArtefactError if it is damaged or of another format."""
    layout = Layout(root)
    if not layout.config.exists():
        raise UsageError(f"no model in {root} (it has no config.json); train one: textclf train")
    try:
        return _read(layout)
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise ArtefactError(f"the model in {root} is damaged ({error}); train it again: textclf train") from error


def _read(layout: Layout) -> Artefact:
    from safetensors import SafetensorError
    from safetensors.numpy import load as deserialise

    config = atomic.read_object(layout.config)
    if config["format_version"] != FORMAT_VERSION:
        raise ArtefactError(
            f"{layout.config} has format {config['format_version']}, and this textclf reads format {FORMAT_VERSION}; "
            "upgrade textclf, or train the model again: textclf train"
        )
    if config["model"] not in INPUTS:
        raise ArtefactError(f"{layout.config} names the model {config['model']!r}, which this textclf does not know")
    try:
        arrays = deserialise(layout.weights.read_bytes())
    except SafetensorError as error:
        raise ValueError(f"{layout.weights.name}: {error}") from error
    learnt = {name.removeprefix("inputs."): array for name, array in arrays.items() if name.startswith("inputs.")}
    artefact = Artefact(
        model=config["model"],
        weights={name: array for name, array in arrays.items() if not name.startswith("inputs.")},
        tokenizer=Tokenizer.from_json(atomic.read_json(layout.tokenizer)),
        inputs=_build(INPUTS[config["model"]], {**learnt, **config["inputs"]}),
        labels=atomic.read_json(layout.labels),
        temperature=float(config["temperature"]),
        trained=config["trained"],
    )
    _check(artefact, arrays)
    return artefact


def _check(artefact: Artefact, arrays: Arrays) -> None:
    """Raise ValueError, or what a trial run raises, if the files do not belong together."""
    if not all(np.isfinite(array).all() for array in arrays.values()):
        raise ValueError("a weight is not a finite number")
    labels = artefact.labels
    if (
        not isinstance(labels, list)
        or not all(isinstance(label, str) for label in labels)
        or len(set(labels)) != len(labels)
    ):
        raise ValueError("the labels are not a list of distinct strings")
    if not 0.01 <= artefact.temperature <= 100:
        raise ValueError("the temperature is not a number between 0.01 and 100")
    if not artefact.inputs.fits(artefact.tokenizer):
        raise ValueError("the inputs are not those of the tokenizer")
    rows, expected = len(artefact.weights["embedding.weight"]), next(iter(artefact.inputs.sizes.values()))
    if rows != expected:
        raise ValueError(f"{rows} embeddings for {expected} features")
    last_word, last_id = artefact.tokenizer.size - 1, artefact.tokenizer.size + len(artefact.tokenizer.parts) - 1
    inputs = artefact.inputs(np.array([UNK_ID, last_word, last_id], dtype=np.int32), np.array([3]))
    shape = FORWARD[artefact.model](artefact.weights, inputs).shape
    if shape != (1, len(labels)):
        raise ValueError(f"logits of shape {shape} for one text and {len(labels)} labels")


def _build(kind: type[Inputs], values: dict[str, Any]) -> Inputs:
    return kind(**values)


def _split(inputs: Inputs) -> tuple[Arrays, dict[str, Any]]:
    """What the inputs learnt from documents, and their settings."""
    values = {field.name: getattr(inputs, field.name) for field in fields(inputs)}
    learnt = {name: value for name, value in values.items() if isinstance(value, np.ndarray)}
    return learnt, {name: value for name, value in values.items() if name not in learnt}
