"""A hash table in arrays, which finds many keys at once. Needs numpy only."""

import os
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Keys(NamedTuple):
    """Keys of two integers each, of which ``high`` is not 0."""

    low: NDArray[np.uint64]
    high: NDArray[np.uint64]

    def at(self, indices: NDArray[np.int64]) -> "Keys":
        """The keys at these indices."""
        return Keys(self.low[indices], self.high[indices])


class HashTable:
    """Keys to numbers, many at a time: open addressing with linear probing, in arrays.

    The hash is the high bits of a sum of products (https://doi.org/10.1006/jagm.1997.0873).
    """

    def __init__(self, *, bits: int = 12) -> None:
        self._shift, self._last = np.uint64(64 - bits), (1 << bits) - 1
        # random, so that nobody can write texts whose words all collide
        self._factors = np.frombuffer(os.urandom(16), dtype=np.uint64) | np.uint64(1)
        self._keys = Keys(*np.zeros((2, 1 << bits), dtype=np.uint64))
        self._numbers = np.full(1 << bits, -1, dtype=np.int32)
        self._used = 0

    def find(self, keys: Keys) -> NDArray[np.int32]:
        """The number of each key, -1 if it has none."""
        return self._numbers[self._slots(keys)]

    def add(self, keys: Keys, numbers: NDArray[np.int32]) -> "HashTable":
        """Add distinct keys that have no number yet; returns the table, or a larger one if it is half full."""
        self._used += len(numbers)
        if 2 * self._used > len(self._numbers):
            taken = np.flatnonzero(self._numbers >= 0)
            larger = HashTable(bits=(2 * self._used).bit_length())
            return larger.add(self._keys.at(taken), self._numbers[taken]).add(keys, numbers)
        left = np.arange(len(numbers))
        while len(left):
            slots = self._slots(keys.at(left))
            self._numbers[slots] = left  # of several keys that want one slot the last gets it, the others try again
            has_slot = self._numbers[slots] == left
            slots, added = slots[has_slot], left[has_slot]
            self._keys.low[slots], self._keys.high[slots] = keys.at(added)
            self._numbers[slots] = numbers[added]
            left = left[~has_slot]
        return self

    def _slots(self, keys: Keys) -> NDArray[np.int64]:
        """The slot of each key, or the free slot where it would go."""
        first, second = self._factors
        slots: NDArray[np.int64] = (keys.low * first + keys.high * second >> self._shift).view(np.int64)
        left = np.flatnonzero(self._has_another(slots, keys))
        while len(left):
            slots[left] = (slots[left] + 1) & self._last
            left = left[self._has_another(slots[left], keys.at(left))]
        return slots

    def _has_another(self, slots: NDArray[np.int64], keys: Keys) -> NDArray[np.bool_]:
        high = self._keys.high[slots]  # 0 in a free slot
        has_another: NDArray[np.bool_] = (high != 0) & ((high != keys.high) | (self._keys.low[slots] != keys.low))
        return has_another
