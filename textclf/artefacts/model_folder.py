"""The files of a model, the artefact: a self-contained folder that predicts anywhere. Knows nothing about training.

No file in it can hold code: weights are safetensors, everything else is JSON. config.json is written last and has a
checksum of each file, so that all damage is found.
"""

import json
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import MISSING, Field, asdict, dataclass, fields
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from textclf.artefacts import encoder_view, weight_files
from textclf.artefacts.artefact import Artefact
from textclf.artefacts.containers import Archive
from textclf.errors import ArtefactError
from textclf.models.model import Features
from textclf.system import checksums, failures, files, tensor_files
from textclf.system.tensor_files import Arrays
from textclf.text.tokenizer import Tokenizer

FORMAT_VERSION: Final = 12
"""Formats before 12 had no marks in scripts without spaces, before 11 no sentence encoder, before 10 no linear
classifier, and no subwords in an `lstm`."""

CONFIG: Final = "config.json"

WEIGHTS: Final = "model.safetensors"

TOKENIZER: Final = "tokenizer.json"

LABELS: Final = "labels.json"

CARD: Final = "README.md"

MOST_JSON: Final = 16_000_000
"""Maximum bytes of the vocabulary or the labels, if the weights are smaller: each word and label has weights."""


@dataclass(frozen=True, slots=True)
class Layout:
    """The files of ``model/``."""

    root: Path

    @property
    def config(self) -> Path:
        """Format version, model, sizes, where it comes from, and checksums of all files; written last."""
        return self.root / CONFIG

    @property
    def weights(self) -> Path:
        """Parameters, and the arrays of the features under the prefix ``inputs.``."""
        return self.root / WEIGHTS

    @property
    def tokenizer(self) -> Path:
        """The vocabulary."""
        return self.root / TOKENIZER

    @property
    def labels(self) -> Path:
        """Label names by class index."""
        return self.root / LABELS

    @property
    def graph(self) -> Path:
        """A model for ONNX Runtime, which replaces config.json and the weights."""
        return self.root / "model.onnx"

    @property
    def card(self) -> Path:
        """The model card."""
        return self.root / CARD


def save(root: Path, artefact: Artefact, *, card: str, precision: str = "float32") -> None:
    """Write the artefact, with its weights in a precision of `weight_files.PRECISIONS`.

    config.json comes last: without it the folder is no artefact. Raises what `weight_files.quantise` raises.
    """
    if root.is_symlink():
        root.unlink()  # never write to where a link leads
    write(root, contents(artefact, card=card, precision=precision))


def write(root: Path, written: Mapping[str, bytes], *, durable: bool = True) -> None:
    """Write files by their names, which may have a folder before them, in this order; ``durable``: as in `files`."""
    files.make_folder(root)
    for name, content in written.items():
        path = root / name
        if path.parent != root:
            files.make_folder(path.parent)
        files.write_bytes(path, content, durable=durable)


def contents(artefact: Artefact, *, card: str, precision: str = "float32") -> dict[str, bytes]:
    """The files of an artefact by name, in the order in which they must be written."""
    layout = Layout(Path())
    learnt, settings = split(artefact.inputs)
    arrays = weight_files.quantise(artefact.weights, precision)
    if precision != "float32":
        learnt = compact(learnt, without=artefact.inputs.DERIVED if precision == "int4" else ())
    arrays |= {f"inputs.{name}": array for name, array in learnt.items()}
    view = artefact.view
    if view is not None:
        arrays |= weight_files.quantise(view.arrays(), precision)
    checked = {
        **(view.files() if view else {}),
        layout.weights.name: tensor_files.serialise(arrays),
        layout.labels.name: encode(artefact.labels, indent=2),
        layout.tokenizer.name: encode(artefact.tokenizer.to_json()),
    }
    config: dict[str, Any] = {
        "format_version": FORMAT_VERSION,
        "precision": precision,
        "model": artefact.model,
        "inputs": settings,
        "temperature": artefact.temperature,
        **({"network": artefact.user_model.record()} if artefact.user_model else {}),
        "trained": dict(artefact.trained),
        "abstention": asdict(artefact.abstention),
        "columns": artefact.columns.to_json(),
        "shift": list(artefact.shift),
        "thresholds": list(artefact.thresholds),
        **({"encoder": view.record()} if view else {}),
    }
    written = {**checked, layout.card.name: card.encode()}
    config["crc32"] = {name: zlib.crc32(content) for name, content in written.items()}
    config["crc32"][CONFIG] = own_checksum(config)
    return {**written, CONFIG: files.to_json(config)}


def size(artefact: Artefact) -> int:
    """Bytes of weights, features, vocabulary and encoder in float32, without the headers of the files."""
    learnt, _ = split(artefact.inputs)
    view = artefact.view
    of_view = tuple(view.weights.values()) if view else ()
    arrays = sum(array.nbytes for array in (*artefact.weights.values(), *learnt.values(), *of_view))
    encoder = sum(map(len, view.files().values())) if view else 0
    return arrays + encoder + len(encode(artefact.tokenizer.to_json()))


def compact(learnt: Arrays, *, without: Sequence[str] = ()) -> Arrays:
    """The arrays of features in few bytes: float16, and integers in the smallest type that holds them."""
    return {name: array.astype(_small_type(array)) for name, array in learnt.items() if name not in without}


def _small_type(array: NDArray[Any]) -> np.dtype[Any]:
    if array.dtype == np.float32:
        return np.dtype(np.float16)
    smallest = np.min_scalar_type(int(array.max(initial=0)))
    return smallest if smallest in (np.uint8, np.uint16) else array.dtype


def split(inputs: Features) -> tuple[Arrays, dict[str, Any]]:
    """The arrays of features, and their other fields; those that have their default are left out."""
    named = {field.name: (field, getattr(inputs, field.name)) for field in fields(inputs)}  # type: ignore[arg-type]
    values = {name: value for name, (field, value) in named.items() if not _is_default(field, value)}
    learnt = {name: value for name, value in values.items() if isinstance(value, np.ndarray)}
    return learnt, {name: value for name, value in values.items() if name not in (*learnt, *inputs.DERIVED)}


def _is_default(field: Field[Any], value: Any) -> bool:
    """Whether this is the default of a field: that of an array is empty."""
    if isinstance(value, np.ndarray):
        return field.default_factory is not MISSING and not value.size
    return field.default is not MISSING and bool(value == field.default)


def restore(kind: type[Features], learnt: Arrays, settings: Mapping[str, Any], tokenizer: Tokenizer) -> Features:
    """Features from the arrays and fields that `split` returned."""
    return kind(**learnt, **settings, **kind.derive(tokenizer, known=learnt))


def own_checksum(config: Mapping[str, Any]) -> int:
    """CRC-32 of a config.json without this checksum."""
    others = {name: crc32 for name, crc32 in config["crc32"].items() if name != CONFIG}
    return zlib.crc32(json.dumps({**config, "crc32": others}, sort_keys=True).encode())


def encode(value: Any, *, indent: int | None = None) -> bytes:
    """JSON for programs, in UTF-8."""
    return (json.dumps(value, ensure_ascii=False, indent=indent) + "\n").encode()


def read_card(root: Path) -> str:
    """The model card; empty if there is none. Raises ArtefactError if something else is in its place."""
    path = Layout(root).card
    try:
        if root.is_file():
            return Archive.open(root).read(path.name).decode(errors="replace")
        return files.read_bytes(path, most=MOST_JSON).decode(errors="replace")
    except FileNotFoundError:
        return ""
    except ValueError as error:
        raise ArtefactError(f"{path} is damaged ({error}); train the model again: textclf train") from error


def damaged(root: Path) -> Iterator[Path]:
    """The files that are missing, or differ from those that `save` wrote.

    Raises ArtefactError if config.json, which has the checksums, is damaged itself.
    """
    layout = Layout(root)
    try:
        content = files.read_bytes(layout.config, most=MOST_JSON)
        config = files.parse_object(content)
        crc32 = dict(config["crc32"])
        if content != files.to_json(config) or config["crc32"][CONFIG] != own_checksum(config):
            raise ValueError("it is not what was written")
    except (OSError, ValueError, LookupError, TypeError) as error:
        damage = ArtefactError(f"{layout.config} is damaged ({error}); train the model again: textclf train")
        raise failures.refused(error, layout.config) or damage from error
    own = [path.name for path in (layout.weights, layout.labels, layout.tokenizer, layout.card)]
    for name in (*own, *encoder_view.files_in(config)):
        path = root / name
        if not _is_as_written(path, crc32.get(name)):
            yield path


def files_of_encoder(root: Path) -> list[Path]:
    """The files of the sentence encoder in the folder of an artefact, whose config.json is not damaged."""
    return [root / name for name in encoder_view.files_in(files.read_object(Layout(root).config))]


def _is_as_written(path: Path, crc32: int | None) -> bool:
    """Whether a file is there and has the checksum, if there is one."""
    try:
        return checksums.crc32(path) == crc32 or crc32 is None
    except (FileNotFoundError, ValueError):
        return False
