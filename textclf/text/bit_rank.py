"""Index of a value in a sorted array, using a bit set: 1.5 bits for each value that could be in it. No torch.

The index of a value is the number of bits set before its own: a table has that number for every 64th bit, and the rest
is counted. This is a rank directory (Jacobson, 1989, https://doi.org/10.1109/SFCS.1989.63533).
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

IN_WORD: Final = np.uint64(63)  # the low bits of a value: its place in a word of 64 bits


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
