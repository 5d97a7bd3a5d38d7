"""Where numbers stand in a rising list of them, in little memory: a bit for each number that could be in it.

The place of a number is how many bits before its own are set. That is known for every 64th, and counted from there: a
rank directory (Jacobson, 1989, https://doi.org/10.1109/SFCS.1989.63533). No torch.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

IN_WORD: Final = np.uint64(63)  # the low bits of a number, which say where it stands in a word of 64


class Ranks:
    """Finds the places of numbers; takes a bit and a half for each number that there could be."""

    def __init__(self, values: NDArray[np.integer], *, bits: int) -> None:
        is_there = np.zeros(1 << max(bits, 6), dtype=np.bool_)
        is_there[values] = True
        self._words = np.packbits(is_there, bitorder="little").view("<u8")
        self._before = np.zeros(len(self._words), dtype=np.int32)
        np.cumsum(np.bitwise_count(self._words[:-1]), out=self._before[1:])

    def __call__(self, values: NDArray[np.int64]) -> NDArray[np.int32]:
        """The place of each in the list, or -1; they must be below ``2 ** bits``."""
        at = values >> 6
        bit = np.uint64(1) << (values.view(np.uint64) & IN_WORD)
        word = self._words[at]
        places = self._before[at] + np.bitwise_count(word & (bit - np.uint64(1)))
        return np.where(word & bit, places, np.int32(-1))
