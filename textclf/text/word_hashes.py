"""Hashes of neighbouring words, the same for any vocabulary: any number of pairs or runs takes the same memory."""

from collections.abc import Sequence
from typing import Any, Final
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

HASH_BITS: Final = 22
"""4 million hashes of pairs and as many of runs, most of which no corpus uses."""

_MULTIPLIER: Final = np.uint64(0x9E3779B97F4A7C15)  # 2 ** 64 divided by the golden ratio


def are_hashes(values: NDArray[Any]) -> bool:
    """Whether these are distinct hashes, ascending: a file may be damaged."""
    is_rising = values.ndim == 1 and (np.diff(values, prepend=-1, append=2**HASH_BITS) > 0).all()
    return bool(values.dtype == np.int32 and is_rising)


def most_frequent(counts: NDArray[np.int32], *, most: int, fewest: int) -> NDArray[np.int64]:
    """The hashes, ascending, with the highest counts, shape (H,): at most ``most`` of those with ``fewest`` or more."""
    common = np.flatnonzero(counts >= fewest)
    by_count = common[np.argsort(-counts[common], kind="stable")]
    return np.sort(by_count[:most])


class WordHashes:
    """Hashes neighbouring words by their spelling, the same for any vocabulary.

    Part of the format of a model, so it must never change: the CRC-32 of each word in UTF-8, those of a pair side by
    side as one 64-bit number, multiplicative hashing (Knuth, volume 3, section 6.4), and the highest HASH_BITS bits of
    the product. Runs are hashed by Horner's rule: to their length each CRC-32 is added and the sum multiplied, in turn.
    The hash of a word is computed when it is first needed: one text has few words.
    """

    def __init__(self, vocabulary: Sequence[str]) -> None:
        self._vocabulary = vocabulary
        self._word_hashes = np.zeros(len(vocabulary), dtype=np.uint64)  # 0: not computed yet

    def pairs(self, words: NDArray[np.int32]) -> NDArray[np.int64]:
        """Hash each word id with the next: from shape (W,) to shape (W - 1,), numbers below ``2 ** HASH_BITS``."""
        hashes = self._of(words)
        return _highest_bits(((hashes[:-1] << np.uint64(32)) + hashes[1:]) * _MULTIPLIER)

    def runs(self, words: NDArray[np.int32], length: int) -> NDArray[np.int64]:
        """Hash each word id with those after it: from shape (W,) to shape (W - length + 1,), numbers as of pairs."""
        hashes = self._of(words)
        count = max(len(words) - length + 1, 0)
        sums = np.full(count, length, dtype=np.uint64)
        for place in range(length):
            sums = (sums + hashes[place : place + count]) * _MULTIPLIER
        return _highest_bits(sums)

    def _of(self, words: NDArray[np.int32]) -> NDArray[np.uint64]:
        hashes = self._word_hashes[words]
        if not hashes.all():
            for word in set(words[hashes == 0].tolist()):  # np.unique loads numpy.ma, which takes 10 ms
                self._word_hashes[word] = crc32(self._vocabulary[word].encode("utf-8", "surrogatepass"))
            hashes = self._word_hashes[words]
        return hashes


def _highest_bits(products: NDArray[np.uint64]) -> NDArray[np.int64]:
    return (products >> np.uint64(64 - HASH_BITS)).view(np.int64)
