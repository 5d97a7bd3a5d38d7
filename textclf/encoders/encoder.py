"""An encoder of ours: its files, and the way from texts to vectors. Works on numpy alone.

encoder.json          what the encoder is called and made of, with the checksums of all files
vocab.txt             the pieces of its tokenizer, or its words, one a line
weights.safetensors   the `bert.shapes`, matrices packed or in float32; of word means ``vectors`` and ``weights``
LICENSE, NOTICE       as they came with it

There are two kinds: a BERT, and the weighted means of word vectors, whose encoder.json says ``"kind": "words"``.
"""

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from textclf.encoders import bert, packing
from textclf.encoders.bert import Bert, Settings, Sizes
from textclf.encoders.packing import Floats, Weights
from textclf.encoders.word_means import KnownWords, WordMeans
from textclf.encoders.wordpiece import Rules, WordPiece
from textclf.errors import ArtefactError
from textclf.system import checksums, failures, files, tensor_files

FORMAT_VERSION: Final = 2
BERT: Final = "bert"
WORDS: Final = "words"

CONFIG: Final = "encoder.json"
VOCABULARY: Final = "vocab.txt"
WEIGHTS: Final = "weights.safetensors"

PRECISIONS: Final = ("int10", "float32")

Content = bytes | memoryview

MOST_WORDS_READ: Final = 1_000_000
"""Of a text, by an encoder of word means."""


class Reader(Protocol):
    """Splits a text into the numbers that a `Network` takes."""

    def encode(self, text: str, most: int, /) -> Any:
        """At most so many of them."""


class Network(Protocol):
    """Turns texts that a `Reader` has split into vectors."""

    def __call__(self, texts: Any, /) -> Floats:
        """Shape (B, dimension)."""


@dataclass(frozen=True, slots=True, eq=False)
class Encoder:
    """Turns texts into vectors that say what they are about. Threads may share it."""

    name: str
    source: str
    """Where it comes from."""
    licence: str
    """As an SPDX identifier if it has one; "unknown" if its files do not say."""
    hash: str
    """SHA-256 of all that decides its vectors, in hex digits; not of its name and licence."""
    dimension: int
    """Length of a vector."""
    max_length: int
    """Tokens that are read of a text; of a BERT, [CLS] and [SEP] among them."""
    files: Mapping[str, Content]
    """What `parse` makes it from again."""
    tokenizer: Reader
    network: Network
    kind: str = BERT
    """BERT or WORDS."""

    def encode(self, texts: Sequence[str]) -> Floats:
        """A vector for each text, shape (B, dimension); what it is does not depend on the other texts: see `bert`.

        Raises ArtefactError if the weights are such that a vector is not finite.
        """
        with np.errstate(all="ignore"):
            vectors = self.network([self.tokenizer.encode(text, self.max_length) for text in texts])
        if not np.isfinite(vectors).all():
            raise ArtefactError(f"the encoder {self.name} gives vectors that are not finite numbers; use another one")
        return vectors

    def count(self, texts: Sequence[str]) -> NDArray[np.int64]:
        """Tokens that `encode` would read of each text, to tell beforehand how long it will take."""
        return np.array([len(self.tokenizer.encode(text, self.max_length)) for text in texts], dtype=np.int64)

    def save(self, folder: Path) -> None:
        """Write its files into a folder that exists; encoder.json comes last, without which it is no encoder."""
        for name in sorted(self.files, key=lambda name: name == CONFIG):
            files.write_bytes(folder / name, bytes(self.files[name]))


def build(
    weights: Weights,
    pieces: Sequence[str],
    *,
    about: Mapping[str, str],
    settings: Mapping[str, Any],
    texts: Mapping[str, bytes],
) -> dict[str, Content]:
    """The files of an encoder.

    about: its name, source and licence. settings: the fields of `Settings` and `Rules`, and ``special`` and
    ``max_length``. texts: its licence and notice, by the names of their files.
    """
    content = {
        VOCABULARY: "".join([f"{piece}\n" for piece in pieces]).encode("utf-8", "surrogatepass"),
        WEIGHTS: tensor_files.serialise(dict(weights)),
        **texts,
    }
    words, positions, inner = (weights[name] for name in ("words", "positions", "layers.0.inner.weight"))
    sizes = Sizes(len(words), len(positions), words.shape[1], inner.shape[1], bert.layers_of(weights))
    config = {
        "format_version": FORMAT_VERSION,
        **about,
        "hash": _hash(content, settings),
        "precision": "int10" if words.dtype == np.int8 else "float32",
        "sizes": sizes._asdict(),
        "settings": dict(settings),
        "crc32": {name: zlib.crc32(each) for name, each in content.items()},
    }
    return {CONFIG: checksums.seal(config), **content}


def build_word_means(
    words: Sequence[str], vectors: NDArray[np.float16], weights: Floats, *, about: Mapping[str, str]
) -> dict[str, Content]:
    """The files of an encoder of word means: V words, their vectors (V, D), and what each counts, (V,)."""
    content: dict[str, Content] = {
        VOCABULARY: "".join([f"{word}\n" for word in words]).encode("utf-8", "surrogatepass"),
        WEIGHTS: tensor_files.serialise({"vectors": vectors, "weights": weights}),
    }
    config = {
        "format_version": FORMAT_VERSION,
        "kind": WORDS,
        **about,
        "hash": _hash(content, {}),
        "precision": "float16",
        "sizes": {"vocabulary": len(words), "hidden": vectors.shape[1]},
        "crc32": {name: zlib.crc32(each) for name, each in content.items()},
    }
    return {CONFIG: checksums.seal(config), **content}


def _hash(content: Mapping[str, Content], settings: Mapping[str, Any]) -> str:
    import hashlib

    parts = {name: hashlib.sha256(content[name]).hexdigest() for name in (VOCABULARY, WEIGHTS)}
    return checksums.digest({"settings": dict(settings), **parts})


def renamed(content: Mapping[str, Content], name: str) -> dict[str, Content]:
    """The files of the same encoder with another name."""
    config = files.parse_object(bytes(content[CONFIG])) | {"name": name}
    del config[checksums.OWN]
    return {**content, CONFIG: checksums.seal(config)}


def read_config(folder: Path) -> dict[str, Any]:
    """What encoder.json says; raises ArtefactError if it is damaged, missing, or from a newer version."""
    path = folder / CONFIG
    try:
        config = _config(files.read_bytes(path, most=files.MAX_JSON_BYTES))
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise failures.refused(error, path) or _damaged(folder, error) from error
    return config


def load(folder: Path) -> Encoder:
    """The encoder in a folder; raises ArtefactError if a file is damaged, missing, or from a newer version."""
    config = read_config(folder)
    try:
        content: dict[str, Content] = {CONFIG: files.read_bytes(folder / CONFIG)}
        content |= {name: files.map_file(folder / name) for name in config["crc32"]}
    except (OSError, ValueError) as error:
        raise failures.refused(error, folder) or _damaged(folder, error) from error
    return parse(content, folder)


def parse(content: Mapping[str, Content], where: Path | str) -> Encoder:
    """The encoder that these files are, by their names; raises ArtefactError if one is damaged or missing.

    where: their folder, as messages call it.
    """
    try:
        return restore(content)
    except (ValueError, LookupError, TypeError) as error:
        raise failures.refused(error, where) or _damaged(where, error) from error


def restore(content: Mapping[str, Content]) -> Encoder:
    """The encoder that these files are; raises ValueError, LookupError or TypeError if one is damaged or missing."""
    config = _config(bytes(content[CONFIG]))
    for name, crc32 in config["crc32"].items():
        if zlib.crc32(content[name]) != crc32:
            raise ValueError(f"{name} is not what was written")
    return _encoder(config, content)


def files_of(config: bytes) -> list[str]:
    """The names of the files of an encoder with this encoder.json; raises ValueError if that is damaged."""
    return [CONFIG, *_config(config)["crc32"]]


def _config(content: bytes) -> dict[str, Any]:
    """What an encoder.json says; raises ValueError if its checksum is wrong, ArtefactError for another format."""
    config = files.parse_object(content)
    version = config.get("format_version")
    if isinstance(version, int) and version > FORMAT_VERSION:
        raise ArtefactError(f"an encoder has format {version}, and this textclf reads {FORMAT_VERSION}: update textclf")
    if isinstance(version, int) and version < FORMAT_VERSION:
        name = config.get("name")
        raise ArtefactError(
            f"the encoder {name} has format {version}, and this textclf reads {FORMAT_VERSION}: add it again, textclf "
            "encoder add, and train models that have it again"
        )
    if version != FORMAT_VERSION or not checksums.is_sealed(content):
        raise ValueError(f"{CONFIG} is not what was written")
    if any(name != Path(name).name for name in config["crc32"]):
        raise ValueError("the name of a file is a path")
    return config


def _encoder(config: Mapping[str, Any], content: Mapping[str, Content]) -> Encoder:
    return (_word_means if config.get("kind", BERT) == WORDS else _bert)(config, content)


def _word_means(config: Mapping[str, Any], content: Mapping[str, Content]) -> Encoder:
    arrays = tensor_files.parse(memoryview(content[WEIGHTS]), WEIGHTS)
    vectors, weights = arrays["vectors"], arrays["weights"]
    words = _lines(content)
    sizes = config["sizes"]
    if vectors.shape != (len(words), sizes["hidden"]) or weights.shape != (len(words),) or not sizes["hidden"]:
        raise ValueError("the words do not fit their vectors")
    if vectors.dtype != np.float16 or weights.dtype != np.float32:
        raise ValueError("the vectors have not the type that they should have")
    return Encoder(
        name=config["name"],
        source=config["source"],
        licence=config["licence"],
        hash=config["hash"],
        dimension=sizes["hidden"],
        max_length=MOST_WORDS_READ,
        files=content,
        tokenizer=KnownWords(words),
        network=WordMeans(vectors, weights),
        kind=WORDS,
    )


def _bert(config: Mapping[str, Any], content: Mapping[str, Content]) -> Encoder:
    settings, sizes = dict(config["settings"]), Sizes(**config["sizes"])
    weights = tensor_files.parse(memoryview(content[WEIGHTS]), WEIGHTS)
    for name, shape in bert.shapes(sizes).items():
        if not packing.fits(weights, name, shape, axis=bert.axis_of(name)):
            raise ValueError(f"{name} has not the shape or type that it should have")
    pieces = _lines(content)
    if len(pieces) > sizes.vocabulary or not 2 <= settings["max_length"] <= sizes.positions:
        raise ValueError("the vocabulary or the length of a text does not fit the weights")
    rules = Rules(**{name: settings[name] for name in Rules._fields})
    return Encoder(
        name=config["name"],
        source=config["source"],
        licence=config["licence"],
        hash=config["hash"],
        dimension=sizes.hidden,
        max_length=settings["max_length"],
        files=content,
        tokenizer=WordPiece(pieces, rules, settings["special"]),
        network=Bert(weights, Settings(**{name: settings[name] for name in Settings._fields})),
    )


def _lines(content: Mapping[str, Content]) -> list[str]:
    """The pieces or words of the vocabulary."""
    return bytes(content[VOCABULARY]).decode("utf-8", "surrogatepass").split("\n")[:-1]


def _damaged(where: Path | str, error: Exception) -> ArtefactError:
    missing = isinstance(error, LookupError)
    why = f"it has no {error}" if missing else error
    return ArtefactError(f"the encoder in {where} is damaged ({why}); add it again: textclf encoder add")
