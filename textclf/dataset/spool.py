"""The numbers of a corpus's pre-tokens on the disk: one file, or one for each shard with numbers of its own."""

from itertools import pairwise
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from textclf.text import arrays

COUNTED_AT_ONCE: Final = 2_000_000  # numbers


class Spool(NamedTuple):
    """The numbers of all documents, int32, end to end in the order of the documents."""

    paths: tuple[Path, ...]
    """Files, one after the other."""
    ends: NDArray[np.int64]
    """Where the numbers of each file end, counted from the first file, shape (F,)."""
    maps: tuple[Path, ...] = ()
    """For each file, one with the corpus's number, int32, of each of its own numbers. None: they are the same."""

    @classmethod
    def of(cls, path: Path, lengths: NDArray[np.integer]) -> "Spool":
        """One file, of documents with so many numbers each."""
        return cls((path,), np.array([lengths.sum(dtype=np.int64)]))

    @property
    def folder(self) -> Path:
        """Where the files are."""
        return self.paths[0].parent

    def numbers(self, starts: NDArray[np.int64], lengths: NDArray[np.integer]) -> NDArray[np.int32]:
        """The corpus's numbers of some documents, end to end, given where each starts and how many it has."""
        if len(self.paths) == 1:
            return self._of_file(0, starts, lengths)
        which = np.minimum(np.searchsorted(self.ends, starts, side="right"), len(self.paths) - 1)
        bounds = [0, *(np.flatnonzero(np.diff(which)) + 1).tolist(), len(which)]
        slices = [slice(first, last) for first, last in pairwise(bounds) if last > first]
        nothing = np.empty(0, dtype=np.int32)
        return np.concatenate(
            [nothing, *(self._of_file(int(which[rows.start]), starts[rows], lengths[rows]) for rows in slices)]
        )

    def _of_file(self, place: int, starts: NDArray[np.int64], lengths: NDArray[np.integer]) -> NDArray[np.int32]:
        first = int(self.ends[place - 1]) if place else 0
        numbers: NDArray[np.int32] = map_array(self.paths[place], np.int32)[arrays.places(starts - first, lengths)]
        return map_array(self.maps[place], np.int32)[numbers] if self.maps else numbers


def count(
    path: Path, offsets: NDArray[np.int64], chosen: NDArray[np.bool_], *, kinds: int, at_once: int = COUNTED_AT_ONCE
) -> NDArray[np.int64]:
    """How often the chosen documents, shape (D,), have each of the numbers below ``kinds``, in one file.

    offsets: where the numbers of each document start, and where the last ones end, shape (D + 1,).
    """
    counts = np.zeros(kinds, dtype=np.int64)
    with path.open("rb") as file:  # not mapped: what was read of it would count as memory of this process
        file.seek(int(offsets[0]) * np.dtype(np.int32).itemsize)
        for rows in arrays.row_slices(offsets, at_most=at_once):
            is_chosen = np.repeat(chosen[rows], np.diff(offsets[rows.start : rows.stop + 1]))
            some = np.frombuffer(file.read(np.dtype(np.int32).itemsize * len(is_chosen)), dtype=np.int32)
            counts += np.bincount(some[is_chosen], minlength=kinds)
    return counts


def map_array(path: Path, dtype: type[np.integer]) -> NDArray[Any]:
    """Map a file of numbers into memory; an empty file cannot be mapped."""
    return np.memmap(path, dtype=dtype, mode="r") if path.stat().st_size else np.empty(0, dtype=dtype)
