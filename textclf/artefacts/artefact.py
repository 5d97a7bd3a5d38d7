"""The model artefact: a self-contained folder that predicts anywhere. Owns its files; knows nothing about training.

No file in it can hold code: weights are safetensors, everything else is JSON. config.json is written last and has a
checksum of each file, so that all damage is found.
"""

import json
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import MISSING, Field, asdict, dataclass, field, fields, replace
from pathlib import Path
from threading import Thread
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from textclf.artefacts import encoder_view, runs, weight_files
from textclf.artefacts.containers import Archive, Container, Folder, Held
from textclf.artefacts.encoder_view import EncoderView, Halves
from textclf.errors import ArtefactError, UsageError
from textclf.models import MODELS, find, user
from textclf.models.arithmetic import Floats, sigmoid, softmax
from textclf.models.model import EMBEDDING, TABLES, Features, Model
from textclf.models.user import UserModel
from textclf.sources.document import Columns
from textclf.system import checksums, failures, files, tensor_files
from textclf.system.tensor_files import Arrays
from textclf.system.wording import counted
from textclf.text.tokenizer import UNK_ID, Tokenizer

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

LARGEST_WEIGHT: Final = 1e9
"""Larger weights are refused: products of them could be infinite, and probabilities no numbers."""
LARGEST_SHIFT: Final = 100.0
"""Maximum shift of a logit: no class weighs so much."""
LARGEST_LOGIT: Final = 1e30
"""Stands for an infinite logit, so that differences of logits are numbers."""


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


@dataclass(frozen=True, slots=True)
class Abstention:
    """When to give no label, learned from validation documents."""

    thresholds: Mapping[str, float] = field(default_factory=dict)
    """Precision, as ``0.95``, to the probability from which answers have it, if there is one."""
    unlike: float = 0.5
    """Share of unknown words above which a text counts as unlike the corpus: at 1, none does."""
    coverage: Mapping[str, float] = field(default_factory=dict)
    """For each threshold the share of the validation documents, or of their pairs with a label, that it answers."""
    precision: Mapping[str, float] = field(default_factory=dict)
    """For each threshold the share of these answers that is right."""

    def is_unlike(self, unknown: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Whether texts with these shares of unknown words are unlike the corpus; any shape."""
        return unknown > self.unlike

    def threshold(self, precision: float) -> float:
        """The probability from which answers have at least this precision; raises UsageError if there is none."""
        known = {float(name): threshold for name, threshold in self.thresholds.items()}
        if enough := [each for each in known if each >= precision]:
            return known[min(enough)]
        highest = f"{max(known):g} is the highest that is" if known else "none is"
        raise UsageError(
            f"a precision of {precision:g} was not shown on the validation documents ({highest}); ask for less, or "
            "preprocess with a larger --validation-size and train again"
        )


class TextsRead(NamedTuple):
    """B texts as a model takes them."""

    tokens: NDArray[np.int32]
    """Token ids, end to end."""
    lengths: NDArray[np.int64]
    """Shape (B,)."""
    vectors: Halves | None = None
    """By the model's encoder, if it has one, shape (B, E)."""


@dataclass(frozen=True, slots=True)
class Artefact:
    """A trained model, without torch."""

    model: str
    """Name in `textclf.models.MODELS`, or of the user's class."""
    weights: Arrays
    """Parameter name to array."""
    tokenizer: Tokenizer
    inputs: Features
    labels: list[str]
    temperature: float
    """Logits are divided by it, so that probabilities say how often the model is right."""
    trained: Mapping[str, Any]
    """Corpus, tier and figures, for people."""
    abstention: Abstention = field(default_factory=Abstention)
    user_model: UserModel | None = None
    """The user's class, if the model is not built in."""
    columns: Columns = field(default_factory=Columns)
    """Those of the training documents; files to predict that have them are read alike."""
    shift: tuple[float, ...] = ()
    """What class weights have added to each logit: answers keep it, probabilities do not. Empty: nothing."""
    thresholds: tuple[float, ...] = ()
    """The probability from which on a text gets each label. Empty: a text has one label."""
    view: EncoderView | None = None
    """What a sentence encoder adds, if the model has one."""

    @property
    def kind(self) -> Model:
        """The parts of the model."""
        return self.user_model or find(self.model)

    def read(self, texts: Sequence[str]) -> "TextsRead":
        """Texts as `raw_logits` and `logits` take them."""
        tokens, lengths = self.tokenizer.encode_all(list(texts))
        return TextsRead(tokens, lengths, None if self.view is None else self.view.read(texts))

    def raw_logits(
        self, tokens: NDArray[np.int32], lengths: NDArray[np.int64], vectors: Halves | None = None
    ) -> Floats:
        """Logits of documents whose token ids stand end to end, before calibration; shape (B, C), all finite.

        ``vectors``: those of the documents, shape (B, E), if the model has an encoder; ValueError if they are missing.
        """
        own = self.own_logits(tokens, lengths)
        if self.view is None:
            return own
        if vectors is None:
            raise ValueError("a model with an encoder needs the vectors of the documents")
        return self.view.join(own, vectors)

    def own_logits(self, tokens: NDArray[np.int32], lengths: NDArray[np.int64]) -> Floats:
        """The same without what an encoder adds.

        A model of the user, or an extreme one, may compute infinity or NaN, which counts as 0.
        """
        with np.errstate(over="ignore", invalid="ignore"):
            logits = self.kind.runtime().logits(self.weights, self.inputs(tokens, lengths))
        return np.nan_to_num(logits, copy=False, posinf=LARGEST_LOGIT, neginf=-LARGEST_LOGIT)

    @property
    def is_multi(self) -> bool:
        """Whether a text may have several labels, or none."""
        return bool(self.thresholds)

    def logits(self, tokens: NDArray[np.int32], lengths: NDArray[np.int64], vectors: Halves | None = None) -> Floats:
        """Calibrated logits: their probabilities say how often the model is right; shape (B, C)."""
        return self.calibrated(self.raw_logits(tokens, lengths, vectors))

    def calibrated(self, raw: Floats) -> Floats:
        """Logits after calibration; shape (B, C)."""
        unshifted = raw - np.array(self.shift, dtype=np.float32) if self.shift else raw
        logits: Floats = unshifted / np.float32(self.temperature)
        return logits

    def order(self, logits: Floats) -> Floats | None:
        """What calibrated logits (B, C) rank labels by, as the model was trained to; None: by their probabilities."""
        return logits + np.array(self.shift, dtype=np.float32) / np.float32(self.temperature) if self.shift else None

    def with_threshold(self, threshold: float) -> "Artefact":
        """The same, but each of several labels is given from this probability on."""
        return replace(self, thresholds=(threshold,) * len(self.labels))

    def given(self, probabilities: Floats) -> NDArray[np.bool_]:
        """Which texts get which of several labels; shape (B, C), as the probabilities."""
        return probabilities >= np.array(self.thresholds, dtype=np.float32)

    def probabilities(self, logits: Floats) -> Floats:
        """Of calibrated logits (B, C): of each label among all or, where there may be several, by itself."""
        return sigmoid(logits) if self.is_multi else softmax(logits)


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


def restore(kind: type[Features], learnt: Arrays, settings: Mapping[str, Any], tokenizer: Tokenizer) -> Features:
    """Features from the arrays and fields that `split` returned."""
    return kind(**learnt, **settings, **kind.derive(tokenizer, known=learnt))


def own_checksum(config: Mapping[str, Any]) -> int:
    """CRC-32 of a config.json without this checksum."""
    others = {name: crc32 for name, crc32 in config["crc32"].items() if name != CONFIG}
    return zlib.crc32(json.dumps({**config, "crc32": others}, sort_keys=True).encode())


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


def encode(value: Any, *, indent: int | None = None) -> bytes:
    """JSON for programs, in UTF-8."""
    return (json.dumps(value, ensure_ascii=False, indent=indent) + "\n").encode()


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
