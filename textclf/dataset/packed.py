"""The packed copy: all token ids end to end in one memory-mapped array, for training.

It is derived from the tensor files, if there are any.

Reading a batch from here takes one or two microseconds per document; opening a file for each takes at least ten times
as long (`scripts/bench store`).
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from io import BytesIO
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from textclf.dataset.tensors import Ids, checksum
from textclf.system.checksums import crc32
from textclf.system.files import make_folder, remove, replacing, to_json, write_bytes
from textclf.text import arrays

LONG: Final = 10_000
"""Tokens of a document, at the mean, from which on documents are copied one by one."""


@dataclass(frozen=True, slots=True)
class PackedLayout:
    """The files of ``packed/``."""

    root: Path

    @property
    def tokens(self) -> Path:
        """Token ids of all documents end to end, little-endian int32."""
        return self.root / "tokens.bin"

    @property
    def offsets(self) -> Path:
        """Where each document starts, and where the last one ends: int64, documents + 1 entries."""
        return self.root / "offsets.npy"

    @property
    def stamp(self) -> Path:
        """The documents' fingerprint, and the tokens' checksum; written last."""
        return self.root / "packed.json"


@dataclass(frozen=True, slots=True)
class PackedTokens:
    """Token ids of documents 0 to N - 1."""

    layout: PackedLayout
    tokens: Ids
    """Shape (all tokens,), read-only, loaded from the disk page by page when used."""
    offsets: NDArray[np.int64]
    """Shape (N + 1,): document i is ``tokens[offsets[i] : offsets[i + 1]]``."""

    def __reduce__(self) -> tuple[Any, ...]:
        return open_packed, (self.layout,)  # a worker process maps the files itself and is not sent the tokens

    def gather(self, indices: NDArray[np.int64]) -> tuple[Ids, NDArray[np.int64]]:
        """Ids of the documents, end to end, and the length of each."""
        starts = self.offsets[indices]
        lengths = self.offsets[indices + 1] - starts
        if lengths.sum() > LONG * len(indices):  # an index for each token would take six times its room
            runs = [self.tokens[start:end] for start, end in zip(starts, starts + lengths, strict=True)]
            return np.concatenate(runs), lengths
        return self.tokens[arrays.places(starts, lengths)], lengths


def write_tokens(layout: PackedLayout, runs: Iterable[Ids]) -> None:
    """Write runs of token ids end to end; they need not fit in memory together. `finish` makes the copy valid."""
    if layout.root.is_symlink() or not layout.root.is_dir():
        remove(layout.root)  # never write to where a link points
    make_folder(layout.root)
    remove(layout.stamp)
    for path in (layout.tokens, layout.offsets):
        if path.is_dir():
            remove(path)
    with replacing(layout.tokens) as file:
        for run in runs:
            file.write(run.astype("<i4", copy=False).data)


def finish(layout: PackedLayout, lengths: NDArray[np.int32], *, fingerprint: str) -> None:
    """Write where each document is, and which documents these are."""
    write_bytes(layout.offsets, _offsets(lengths))
    write_bytes(layout.stamp, _stamp(fingerprint, crc32(layout.tokens)))


def save_array(path: Path, array: NDArray[Any]) -> None:
    """Like np.save, but with an error that names a full disk."""
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, np.lib.format.header_data_from_array_1_0(array))
        file.write(np.ascontiguousarray(array).data)


def is_current(layout: PackedLayout, lengths: NDArray[np.int32], *, fingerprint: str) -> bool:
    """Whether the packed copy exists, is undamaged, and is made from these documents, of these lengths.

    This is the only check of what training reads. It takes as long as reading the tokens once.
    """
    if not (_holds(layout.offsets, _offsets(lengths)) and _has_tokens(layout, lengths)):
        return False
    return _holds(layout.stamp, _stamp(fingerprint, crc32(layout.tokens)))


def damaged_files(
    layout: PackedLayout, lengths: NDArray[np.int32], *, fingerprint: str, checksum: int | None
) -> Iterator[Path]:
    """The files that are not as they were written; ``checksum``: of all tokens, end to end, if known."""
    if not _holds(layout.offsets, _offsets(lengths)):
        yield layout.offsets
    found = crc32(layout.tokens) if _has_tokens(layout, lengths) else None
    is_as_stamped = found is not None and _holds(layout.stamp, _stamp(fingerprint, found))
    if found is None or (found != checksum if checksum is not None else not is_as_stamped):
        yield layout.tokens
    if checksum is not None and not _holds(layout.stamp, _stamp(fingerprint, checksum)):
        yield layout.stamp


def checksums_of(layout: PackedLayout, lengths: NDArray[np.int32]) -> NDArray[np.uint32] | None:
    """The CRC-32 of each document's ids, shape (N,); None if the file has not the size that the lengths add up to."""
    if not _has_tokens(layout, lengths):
        return None
    ids = open_packed(layout, lengths=lengths)
    return np.array([checksum(ids.tokens[a:b]) for a, b in pairwise(ids.offsets.tolist())], dtype=np.uint32)


def _has_tokens(layout: PackedLayout, lengths: NDArray[np.int32]) -> bool:
    """Whether the file of tokens has the expected size."""
    size = int(lengths.sum(dtype=np.int64)) * np.dtype(np.int32).itemsize
    return layout.tokens.is_file() and layout.tokens.stat().st_size == size


def _holds(path: Path, content: bytes) -> bool:
    """Whether a file has these bytes; a file of another size is not read."""
    return path.is_file() and path.stat().st_size == len(content) and path.read_bytes() == content


def _offsets(lengths: NDArray[np.int32]) -> bytes:
    buffer = BytesIO()
    np.save(buffer, arrays.offsets(lengths), allow_pickle=False)
    return buffer.getvalue()


def _stamp(fingerprint: str, checksum: int) -> bytes:
    return to_json({"fingerprint": fingerprint, "crc32": checksum})


def open_packed(layout: PackedLayout, *, lengths: NDArray[np.int32] | None = None) -> PackedTokens:
    """Map the packed copy into memory; before it is finished, the lengths must be given."""
    offsets = np.load(layout.offsets, allow_pickle=False) if lengths is None else arrays.offsets(lengths)
    return PackedTokens(layout, np.memmap(layout.tokens, dtype="<i4", mode="r"), offsets)
