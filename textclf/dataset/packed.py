"""The packed copy: all token ids end to end in memory-mapped files, one for each part, for training.

It is derived from the tensor files, if there are any. Where each document starts follows from the lengths in the table.

Reading a batch from here takes one or two microseconds per document; opening a file for each takes at least ten times
as long (`scripts/bench store`).
"""

import mmap
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from textclf.dataset.parts import Parts, name_of
from textclf.dataset.tensors import Ids, checksum
from textclf.system.checksums import crc32
from textclf.system.files import make_folder, open_to_read, remove, replacing
from textclf.text import arrays

LONG: Final = 10_000
"""Tokens of a document, at the mean, from which on those of one part are copied one by one, too.

Below it, an index of each token takes half the time, and six times the room of the tokens.
"""

LARGE: Final = 1 << 28
"""Bytes of all tokens above which pages are given back: below it they may all stay in memory."""
RELEASED_AFTER: Final = 1 << 11
"""Documents after which that is done: the kernel maps 64 KB around each, so 128 MB at most if all are short."""


@dataclass(frozen=True, slots=True)
class PackedLayout:
    """The files of ``packed/``."""

    root: Path

    def part(self, number: int) -> Path:
        """Token ids of a part's documents end to end, little-endian int32."""
        return self.root / f"{name_of(number)}.bin"


class PackedTokens:
    """Token ids of documents 0 to N - 1, loaded from the disk page by page when they are used."""

    def __init__(self, layout: PackedLayout, lengths: NDArray[np.int32], parts: Parts, *, large: int = LARGE) -> None:
        self._layout, self._lengths, self._parts = layout, lengths, parts
        self._offsets = arrays.offsets(lengths)  # (N + 1,), in tokens of all parts
        self._maps = [_map(layout.part(number)) for number in range(parts.count)]
        self._runs = [np.frombuffer(mapped, dtype="<i4") for mapped in self._maps]  # of each part, read-only
        self._is_large = self._offsets[-1] * np.dtype(np.int32).itemsize > large
        self._read = 0  # documents, since pages were given back

    def __reduce__(self) -> tuple[Any, ...]:
        return PackedTokens, (self._layout, self._lengths, self._parts)  # another process maps the files itself

    def gather(self, indices: NDArray[np.integer]) -> tuple[Ids, NDArray[np.int64]]:
        """Ids of the documents, end to end, and the length of each."""
        if self._is_large:
            self._give_back_pages(len(indices))
        starts = self._offsets[indices]
        ends = self._offsets[indices + 1]
        lengths = ends - starts
        if len(self._runs) == 1 and lengths.sum() <= LONG * len(lengths):
            return self._runs[0][arrays.places(starts, lengths)], lengths
        part = indices // self._parts.size
        first = self._offsets[part * self._parts.size]
        places = zip(part.tolist(), (starts - first).tolist(), (ends - first).tolist(), strict=True)
        runs = [self._runs[number][start:end] for number, start, end in places]
        return np.concatenate([np.empty(0, dtype="<i4"), *runs]), lengths

    def _give_back_pages(self, documents: int) -> None:
        """Now and then, before more documents are read; otherwise all pages would stay in memory at last.

        The kernel keeps them as long as it has room for them, so that reading them again costs little.
        """
        if self._read >= RELEASED_AFTER and hasattr(mmap, "MADV_DONTNEED"):
            for mapped in self._maps:
                mapped.madvise(mmap.MADV_DONTNEED)
            self._read = 0
        self._read += documents


def _map(path: Path) -> mmap.mmap:
    with open_to_read(path) as file:
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


def prepare(layout: PackedLayout) -> None:
    """Make the folder; one that is a link is replaced, because its target is elsewhere."""
    if layout.root.is_symlink() or not layout.root.is_dir():
        remove(layout.root)
    make_folder(layout.root)


def write_part(layout: PackedLayout, number: int, runs: Iterable[Ids]) -> int:
    """Write runs of token ids end to end, which need not fit in memory together; returns the CRC-32 of their bytes."""
    path, found = layout.part(number), 0
    if path.is_dir():
        remove(path)
    with replacing(path) as file:
        for run in runs:
            content = run.astype("<i4", copy=False).data
            found = zlib.crc32(content, found)
            file.write(content)
    return found


def damaged_parts(
    layout: PackedLayout, lengths: NDArray[np.int32], parts: Parts, checksums: list[int]
) -> Iterator[int]:
    """The numbers of the parts that are missing, or not as they were written, by the CRC-32 of each.

    This is the only check of what training reads. It takes as long as reading the tokens once.
    """
    for number, rows in enumerate(parts):
        path = layout.part(number)
        if not _has_size(path, lengths[rows]) or crc32(path) != checksums[number]:
            yield number


def checksums_of(path: Path, lengths: NDArray[np.int32]) -> NDArray[np.uint32] | None:
    """The CRC-32 of each of a part's N documents, shape (N,); None if its file has not the size of these lengths."""
    if not _has_size(path, lengths):
        return None
    tokens, bounds = np.frombuffer(_map(path), dtype="<i4"), arrays.offsets(lengths).tolist()
    return np.array([checksum(tokens[start:end]) for start, end in pairwise(bounds)], dtype=np.uint32)


def _has_size(path: Path, lengths: NDArray[np.int32]) -> bool:
    size = int(lengths.sum(dtype=np.int64)) * np.dtype(np.int32).itemsize
    return path.is_file() and path.stat().st_size == size
