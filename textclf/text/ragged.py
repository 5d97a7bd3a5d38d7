"""Rows of different lengths, end to end in one array. Needs numpy only."""

import numpy as np
from numpy.typing import NDArray

Places = NDArray[np.int64]


def places(starts: Places, lengths: NDArray[np.integer]) -> Places:
    """Indices of the values of some rows, row after row, given each row's start and length, shape (R,) both."""
    ends = np.cumsum(lengths, dtype=np.int64)
    total = int(ends[-1]) if len(ends) else 0
    shift: Places = np.repeat(starts - ends + lengths, lengths)
    return np.arange(total) + shift


def offsets(lengths: NDArray[np.integer]) -> Places:
    """Where each row starts, and where the last one ends: shape (R + 1,)."""
    return np.concatenate(([0], np.cumsum(lengths, dtype=np.int64)))


def fill_empty(values: NDArray[np.int32], offsets: Places, *, fill: int) -> tuple[NDArray[np.int32], Places]:
    """Give each empty row the one value ``fill``; returns the values, and the rows' lengths, shape (R,)."""
    lengths = np.diff(offsets)
    is_empty = lengths == 0
    return np.insert(values, offsets[:-1][is_empty], fill), lengths + is_empty
