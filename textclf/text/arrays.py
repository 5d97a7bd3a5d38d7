"""Rows of different lengths end to end in one array, and the index of a value in a sorted array. Needs numpy only."""

from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

Places = NDArray[np.int64]

IN_WORD: Final = np.uint64(63)  # the low bits of a value: its place in a word of 64 bits


def places(starts: Places, lengths: NDArray[np.integer]) -> Places:
    """Indices of the values of some rows, row after row, given each row's start and length, shape (R,) both."""
    ends = np.cumsum(lengths, dtype=np.int64)
    total = int(ends[-1]) if len(ends) else 0
    shift: Places = np.repeat(starts - ends + lengths, lengths)
    return np.arange(total) + shift


def offsets(lengths: NDArray[np.integer | np.bool]) -> Places:
    """Where each row starts, and where the last one ends: shape (R + 1,)."""
    return np.concatenate(([0], np.cumsum(lengths, dtype=np.int64)))


def row_slices(offsets: Places, *, at_most: int, rows: int | None = None) -> Iterator[slice]:
    """Slices of rows, given where each row starts and the last one ends: as many rows as have ``at_most`` values.

    At least one, and at most ``rows``.
    """
    count = len(offsets) - 1
    start = 0
    while start < count:
        stop = max(int(np.searchsorted(offsets, offsets[start] + at_most, side="right")) - 1, start + 1)
        stop = min(stop, start + (rows or count))
        yield slice(start, stop)
        start = stop


def fill_empty(values: NDArray[np.int32], offsets: Places, *, fill: int) -> tuple[NDArray[np.int32], Places]:
    """Give each empty row the one value ``fill``; returns the values, and the rows' lengths, shape (R,)."""
    lengths = np.diff(offsets)
    is_empty = lengths == 0
    return np.insert(values, offsets[:-1][is_empty], fill), lengths + is_empty


class Ranks:
    """Finds the index of values in a sorted array of distinct values below ``2 ** bits``."""

    def __init__(self, values: NDArray[np.integer], *, bits: int) -> None:
        is_there = np.zeros(1 << max(bits, 6), dtype=np.bool_)
        is_there[values] = True
        self._words = np.packbits(is_there, bitorder="little").view("<u8")
        self._before = np.zeros(len(self._words), dtype=np.int32)
        np.cumsum(np.bitwise_count(self._words[:-1]), out=self._before[1:])

    def __call__(self, values: NDArray[np.int64]) -> NDArray[np.int32]:
        """The index of each value, which must be below ``2 ** bits``; -1 for one that is not in the array."""
        at = values >> 6
        bit = np.uint64(1) << (values.view(np.uint64) & IN_WORD)
        word = self._words[at]
        places = self._before[at] + np.bitwise_count(word & (bit - np.uint64(1)))
        return np.where(word & bit, places, np.int32(-1))
