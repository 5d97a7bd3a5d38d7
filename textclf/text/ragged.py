"""Rows of different lengths, end to end in one array. Needs numpy only."""

import numpy as np
from numpy.typing import NDArray

Places = NDArray[np.int64]


def places(starts: Places, lengths: NDArray[np.integer]) -> Places:
    """Where the values of some rows stand, row after row: rows that start there and are so long, shape (R,) each."""
    ends = np.cumsum(lengths, dtype=np.int64)
    total = int(ends[-1]) if len(ends) else 0
    shift: Places = np.repeat(starts - ends + lengths, lengths)
    return np.arange(total) + shift


def offsets(lengths: NDArray[np.integer]) -> Places:
    """Where each row starts, and where the last one ends: shape (R + 1,)."""
    return np.concatenate(([0], np.cumsum(lengths, dtype=np.int64)))
