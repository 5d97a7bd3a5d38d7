"""The vectors of documents by a sentence encoder, computed once and kept in the data directory.

There is a folder for each encoder. Its pieces hold some documents each, and have their checksum in their name: a piece
is there as a whole or not at all, one that is damaged is computed again, and what a stopped command has computed stays.
A larger tier needs only the documents that a smaller one has not.
"""

import re
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from textclf.config import MOST_ENCODED
from textclf.dataset.directory import DataDirectory
from textclf.dataset.originals import texts_of
from textclf.errors import TextclfError, UsageError
from textclf.system import files
from textclf.system.wording import counted
from textclf.text.arrays import offsets, row_slices

if TYPE_CHECKING:
    from textclf.dataset.read_corpus import Progress
    from textclf.encoders import Encoder

PIECE_TOKENS: Final = 20_000
"""Tokens of a piece, about five seconds of work: what is lost at most when a command is stopped."""
FIRST_TOKENS: Final = 2_000
"""Tokens of the first piece, by which the time of all is estimated."""

FAR: Final = 2
"""If our own tokens are this many times too many, so are those of an encoder. Unknown words are several of ours."""

Halves = NDArray[np.float16]

_NAME: Final = re.compile(r"\d+-(\d+)-([0-9a-f]{8})\.bin", re.ASCII)
"""The name of a piece: its first row, its number of rows, and the CRC-32 of its content."""


class Vectors(NamedTuple):
    """The vectors of N documents, E numbers each."""

    rows: NDArray[np.int32]
    """Shape (N,), rows of the table of documents, rising."""
    values: Halves
    """Shape (N, E)."""

    def of(self, rows: NDArray[np.integer]) -> Halves:
        """The vectors of some of the documents, shape (len(rows), E)."""
        found: Halves = self.values[np.searchsorted(self.rows, rows)]
        return found


@dataclass(frozen=True, slots=True)
class Watcher:
    """Is told what is computed, and how far it is. This one tells nobody."""

    note: Callable[[str], None] = lambda _line: None
    """Is given a line for the user."""
    progress: "Progress" = lambda items, _title, _total: items
    """Passes the tokens of the pieces through."""


def vectors_of(
    data: DataDirectory,
    encoder: "Encoder",
    rows: NDArray[np.integer],
    *,
    most: int = MOST_ENCODED,
    texts: Mapping[int, str] | None = None,
    watcher: Watcher = Watcher(),
) -> Vectors:
    """The vectors of these documents, and of others that are there; what is missing is computed and kept.

    ``most``: tokens that may be encoded. ``texts``: those of the documents by row, where the source has none. Raises
    UsageError if there is more to encode, what `texts_of` raises if the texts cannot be had any more, ResourceError if
    the disk is full.
    """
    folder = data.layout.vectors / f"{encoder.hash[:16]}-{data.manifest.fingerprint[:16]}"
    found = _read(folder, encoder.dimension)
    missing = np.setdiff1d(rows, found.rows).astype(np.int32)
    if not len(missing):
        return found
    likely = np.minimum(data.documents.tokens[missing].astype(np.int64) + 2, encoder.max_length)
    refuse_too_many(likely, encoder.name, most=FAR * most)  # before the texts of a large corpus are read
    given = texts if texts is not None else original_texts(data, missing)
    tokens = encoder.count([given[row] for row in missing.tolist()])
    refuse_too_many(tokens, encoder.name, most=most)
    files.make_folder(folder)
    for piece in _watched(missing, tokens, encoder, watcher):
        vectors = encoder.encode([given[row] for row in piece.tolist()]).astype(np.float16)
        content = piece.astype("<i4").tobytes() + vectors.astype("<f2").tobytes()
        files.write_bytes(folder / f"{piece[0]}-{len(piece)}-{zlib.crc32(content):08x}.bin", content)
    return _read(folder, encoder.dimension)


def pieces(folder: Path) -> Iterator[tuple[Path, bool]]:
    """The pieces of all encoders, and whether each is damaged; ``folder``: `DataLayout.vectors`."""
    for path in sorted(folder.glob("*/*.bin")):
        if _NAME.fullmatch(path.name) and path.is_file() and not path.is_symlink():
            yield path, _content(path) is None


def refuse_too_many(tokens: NDArray[np.integer], name: str, *, most: int) -> None:
    """Raise UsageError if there are too many tokens to encode by default, or by what the user has said."""
    if (total := int(tokens.sum())) > most:
        raise UsageError(
            f"the encoder {name} would read {counted(len(tokens), 'document')}, about "
            f"{counted(total, 'token')}, more than it may: allow it, --encoder-limit {total}, or take a smaller --tier"
        )


def original_texts(data: DataDirectory, rows: NDArray[np.integer]) -> Mapping[int, str]:
    """The texts of documents from the source; raises what `texts_of` raises, and says that the encoder needs them."""
    try:
        return texts_of(data, rows.tolist())
    except TextclfError as error:
        raise type(error)(
            f"an encoder reads the texts themselves, and {error}; train without --encoder or --unlabelled, or build "
            "the data again from files: textclf preprocess FILE --overwrite"
        ) from error


def _watched(
    rows: NDArray[np.int32], tokens: NDArray[np.int64], encoder: "Encoder", watcher: Watcher
) -> Iterator[NDArray[np.int32]]:
    """The rows of one piece after the other. After the first the user is told how long all will take."""
    bounds = offsets(tokens)
    first = max(int(np.searchsorted(bounds, FIRST_TOKENS)), 1)
    started = perf_counter()
    yield rows[:first]
    seconds = (perf_counter() - started) * bounds[-1] / bounds[min(first, len(rows))]
    watcher.note(
        f"encoder {encoder.name}: {counted(len(rows), 'document')}, {counted(int(bounds[-1]), 'token')}, "
        f"about {max(seconds, 1):,.0f} s; the vectors are kept with the data"
    )
    rest = rows[first:]
    pieces = [rest[some] for some in row_slices(offsets(tokens[first:]), at_most=PIECE_TOKENS, rows=len(rest) or 1)]
    yield from watcher.progress(pieces, "encoding", len(pieces))


def _read(folder: Path, dimension: int) -> Vectors:
    """All vectors that are there; pieces that are damaged are removed."""
    rows, values = [np.empty(0, dtype=np.int32)], [np.empty((0, dimension), dtype=np.float16)]
    for path in sorted(folder.glob("*.bin")):
        name, content = _NAME.fullmatch(path.name), _content(path)
        if name is None or content is None or len(content) != int(name[1]) * (4 + 2 * dimension):
            files.remove(path)
            continue
        count = int(name[1])
        rows.append(np.frombuffer(content, dtype="<i4", count=count).astype(np.int32))
        values.append(np.frombuffer(content, dtype="<f2", offset=4 * count).reshape(count, dimension))
    together, places = np.unique(np.concatenate(rows), return_index=True)
    return Vectors(together, np.concatenate(values)[places])


def _content(path: Path) -> bytes | None:
    """The content of a piece; None if its checksum is not that of its name."""
    name = _NAME.fullmatch(path.name)
    try:
        content = files.read_bytes(path)
    except (FileNotFoundError, ValueError):
        return None
    return content if name is not None and zlib.crc32(content) == int(name[2], 16) else None
