"""Read a model from its files; a damaged one is refused, and so is one whose files do not fit together."""

import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from threading import Thread
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from textclf.artefacts import encoder_view, runs, weight_files
from textclf.artefacts.artefact import Abstention, Artefact
from textclf.artefacts.containers import Archive, Container, Folder, Held
from textclf.artefacts.model_folder import (
    CARD,
    CONFIG,
    FORMAT_VERSION,
    LABELS,
    MOST_JSON,
    TOKENIZER,
    WEIGHTS,
    Layout,
    own_checksum,
    restore,
)
from textclf.errors import ArtefactError, UsageError
from textclf.models import MODELS, find, user
from textclf.models.model import EMBEDDING, TABLES, Features
from textclf.sources.document import Columns
from textclf.system import failures, files, tensor_files
from textclf.system.tensor_files import Arrays
from textclf.system.wording import counted
from textclf.text.tokenizer import UNK_ID, Tokenizer

LARGEST_WEIGHT: Final = 1e9
"""Larger weights are refused: products of them could be infinite, and probabilities no numbers."""

LARGEST_SHIFT: Final = 100.0
"""Maximum shift of a logit: no class weighs so much."""


def load(root: Path, *, code: Sequence[Path] = ()) -> Artefact:
    """Read an artefact; a user's class comes from one of the files ``code``, or from an installed package.

    ``root`` is its folder, or a file of `textclf export --format pyz`, whose code is not run. Raises UsageError if
    there is none, or not the code that it was trained with, ArtefactError if it is damaged or of another format.
    """
    return restored(_existing(root), root, code=code)


def hold(root: Path) -> Held:
    """Read the files of an artefact that decide its answers, to be sent to another process; raises what `load` does."""
    container = _existing(root)
    with _naming_damage(root):
        mapped = {name: container.mapped(name) for name in (CONFIG, WEIGHTS, TOKENIZER, LABELS)}
        mapped |= encoder_view.held_files(container, files.parse_object(bytes(mapped[CONFIG])))
    return Held(root, {name: np.frombuffer(content, dtype=np.uint8) for name, content in mapped.items()})


def restored(container: Container, root: Path, *, code: Sequence[Path] = ()) -> Artefact:
    """The artefact whose files are these, from the folder or file ``root``; raises what `load` raises."""
    with _naming_damage(root):
        artefact, network = _read(container)
        if network is not None:
            artefact = replace(artefact, user_model=user.of_record(network, code=code, root=root))
        _try(artefact)
    return artefact


def check(root: Path) -> None:
    """Raise what `load` raises; a user's class is not looked for, and its model not tried."""
    container = _existing(root)
    with _naming_damage(root):
        artefact, network = _read(container)
        if network is None:
            _try(artefact)


def _existing(root: Path) -> Container:
    layout = Layout(root)
    if root.is_file():
        return Archive.open(root)
    if root.exists() and not root.is_dir():
        raise ArtefactError(f"{root} is not a folder; train a new model: textclf train")
    if layout.graph.exists():
        raise UsageError(f"{root} is for ONNX Runtime; make one for textclf: textclf export --format safetensors")
    if not layout.config.exists():
        run = runs.RunLayout(root.parent)
        what = runs.next_step(run.root) if run.config.exists() else "train one: textclf train"
        raise UsageError(f"no model in {root} (it has no config.json); {what}")
    return Folder(root)


@contextmanager
def _naming_damage(root: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError, ArithmeticError, LookupError, TypeError, AttributeError) as error:
        damage = ArtefactError(f"the model in {root} is damaged ({error}); train it again: textclf train")
        raise failures.refused(error, getattr(error, "filename", None) or root) or damage from error


def _read(container: Container) -> tuple[Artefact, dict[str, Any] | None]:
    """The artefact without a user's class, and config.json's record of the class, if the model is one."""
    if container.size(CONFIG) > MOST_JSON:
        raise ValueError(f"{CONFIG} is too large")
    config = files.parse_object(container.read(CONFIG))
    if config["format_version"] != FORMAT_VERSION:
        raise ArtefactError(
            f"{container.where(CONFIG)} has format {config['format_version']}, and this textclf reads format "
            f"{FORMAT_VERSION}; train the model again (textclf train), or upgrade textclf if the format is newer"
        )
    network = user.checked(config["network"]) if "network" in config else None
    if network is None and config["model"] not in MODELS:
        raise ArtefactError(
            f"{container.where(CONFIG)} names the model {config['model']!r}, which this textclf does not know"
        )
    if config["precision"] not in weight_files.PRECISIONS:
        raise ValueError(f"{CONFIG} names no known precision")
    if set(config["crc32"]) - {CARD, *encoder_view.files_in(config)} != {CONFIG, WEIGHTS, TOKENIZER, LABELS}:
        raise ValueError(f"{CONFIG} has checksums of other files")
    if config["crc32"][CONFIG] != own_checksum(config):
        raise ValueError(f"{CONFIG} is not what was written")
    for name in (LABELS, TOKENIZER):
        if container.size(name) > max(MOST_JSON, container.size(WEIGHTS)):
            raise ValueError(f"{name} is larger than the weights")
    content = container.mapped(WEIGHTS)
    arrays = tensor_files.parse(content, WEIGHTS)
    with _verified_meanwhile(arrays, content, crc32=config["crc32"][WEIGHTS]):
        build = _build if network is None else _build_of_user
        own, of_view = encoder_view.divide(arrays) if "encoder" in config else (arrays, {})
        artefact = build(container, config, own)
        if of_view:
            view = encoder_view.restore(container, config, weight_files.widened(of_view))
            artefact = replace(artefact, view=view)
        _check(artefact, network)
    return artefact, network


def _build_of_user(container: Container, config: Mapping[str, Any], arrays: Arrays) -> Artefact:
    """As `_build`, except that a weight may have any name, and the features have no arrays."""
    weights = arrays if config["precision"] == "float32" else weight_files.widened(arrays)
    tokenizer = Tokenizer.from_json(_read_json(container, TOKENIZER, config["crc32"]))
    return _assemble(container, config, weights, tokenizer, user.features()(**config["inputs"]))


def _build(container: Container, config: Mapping[str, Any], arrays: Arrays) -> Artefact:
    if config["precision"] != "float32":
        arrays = weight_files.restore(arrays)
    learnt = {name.removeprefix("inputs."): array for name, array in arrays.items() if name.startswith("inputs.")}
    tokenizer = Tokenizer.from_json(_read_json(container, TOKENIZER, config["crc32"]))
    features = find(config["model"]).runtime().features
    inputs = restore(features, learnt, config["inputs"], tokenizer)
    weights = {name: array for name, array in arrays.items() if not name.startswith("inputs.")}
    return _assemble(container, config, weights, tokenizer, inputs)


def _assemble(
    container: Container, config: Mapping[str, Any], weights: Arrays, tokenizer: Tokenizer, inputs: Features
) -> Artefact:
    return Artefact(
        model=config["model"],
        weights=weights,
        tokenizer=tokenizer,
        inputs=inputs,
        labels=_read_json(container, LABELS, config["crc32"]),
        temperature=float(config["temperature"]),
        trained=config["trained"],
        abstention=Abstention(**config["abstention"]),
        columns=Columns.from_json(config["columns"]),
        shift=tuple(map(float, config["shift"])),
        thresholds=tuple(map(float, config["thresholds"])),
    )


def _read_json(container: Container, name: str, crc32: Mapping[str, int]) -> Any:
    if container.crc32(name) != crc32[name]:  # before there is memory for all of it
        raise ValueError(f"{name} is not what was written")
    return files.parse_json(container.read(name))


@contextmanager
def _verified_meanwhile(arrays: Arrays, content: memoryview, *, crc32: int) -> Iterator[None]:
    """Check every weight in a thread; raises ValueError at the end if one is damaged, not finite or too large.

    Neither the checksum nor numpy holds Python's lock, so with a second processor this takes no time.
    """
    found: list[bool] = []

    def verify() -> None:
        found.append(zlib.crc32(content) == crc32)
        found.append(all(_is_usable(array.reshape(-1)) for array in arrays.values()))

    thread = Thread(target=verify)
    thread.start()
    try:
        yield
    finally:
        thread.join()
    if found != [True, True]:
        raise ValueError(
            f"the weights are not those that were written, or one is not a number of at most {LARGEST_WEIGHT:g}"
        )


def _is_usable(numbers: NDArray[Any]) -> bool:
    """Whether all numbers are between -LARGEST_WEIGHT and LARGEST_WEIGHT, which NaN and infinity are not."""
    if numbers.dtype.kind != "f" or not len(numbers):
        return True
    return float(numbers.min()) >= -LARGEST_WEIGHT and float(numbers.max()) <= LARGEST_WEIGHT


def _check(artefact: Artefact, network: Mapping[str, Any] | None) -> None:
    """Raise ValueError if the files do not fit together; network: config.json's record of a user's class."""
    if network is None and any(array.dtype != np.float32 for array in artefact.weights.values()):
        raise ValueError("a weight has another type than float32")
    labels = artefact.labels
    if (
        not isinstance(labels, list)
        or not all(isinstance(label, str) for label in labels)
        or len(set(labels)) != len(labels)
    ):
        raise ValueError("the labels are not a list of distinct strings")
    if not 0.01 <= artefact.temperature <= 100:
        raise ValueError("the temperature is not a number between 0.01 and 100")
    _check_abstention(artefact.abstention)
    if not {len(artefact.shift), len(artefact.thresholds)} <= {0, len(labels)}:
        raise ValueError("there is not one threshold per label")
    if not all(0 <= threshold <= 1 for threshold in artefact.thresholds):
        raise ValueError("a threshold is not a number between 0 and 1")
    if not all(abs(shift) <= LARGEST_SHIFT for shift in artefact.shift):
        raise ValueError(f"a logit is shifted by more than {LARGEST_SHIFT:g}")
    if not artefact.inputs.fits(artefact.tokenizer):
        raise ValueError("the inputs are not those of the tokenizer")
    if network is not None:
        sizes = {**artefact.inputs.sizes, "classes": len(labels)}
        if network["class"] != artefact.model or not sizes.items() <= network["arguments"].items():
            raise ValueError("the network is of another class, vocabulary or set of labels")
        return
    expected = next(iter(artefact.inputs.sizes.values()))
    for rows in (len(artefact.weights[table]) for table in TABLES if table in artefact.weights or table == EMBEDDING):
        if rows != expected:
            raise ValueError(f"{counted(rows, 'row')} of weights for {counted(expected, 'feature')}")


def _check_abstention(learned: Abstention) -> None:
    """Raise ValueError unless all is a share."""
    by_precision = (learned.thresholds, learned.coverage, learned.precision)
    shares = [share for each in by_precision for share in (*each.values(), *map(float, each))]
    if not all(0 <= share <= 1 for share in (learned.unlike, *shares)):
        raise ValueError("a threshold is not a number between 0 and 1")
    if not {*learned.coverage} | {*learned.precision} <= {*learned.thresholds}:
        raise ValueError("coverage or precision is of no threshold")


def _try(artefact: Artefact) -> None:
    """Predict once: raises what that raises, or ValueError if there is not one logit per label."""
    last_word, last_id = artefact.tokenizer.size - 1, artefact.tokenizer.size + len(artefact.tokenizer.parts) - 1
    tokens = np.array([UNK_ID, last_word, last_id], dtype=np.int32)
    vectors = None if artefact.view is None else np.zeros((1, artefact.view.encoder.dimension), dtype=np.float16)
    shape = artefact.raw_logits(tokens, np.array([3]), vectors).shape
    if shape != (1, len(artefact.labels)):
        raise ValueError(f"logits of shape {shape} for one text and {counted(len(artefact.labels), 'label')}")
