"""Hashes of word pairs, computed from the spelling of the words: the same for any vocabulary. No torch.

Part of the format of a model, so it must never change: the CRC-32 of each word in UTF-8, the two side by side as one
64-bit number, multiplicative hashing (Knuth, volume 3, section 6.4), and the highest PAIR_BITS bits of the product.
"""

from collections.abc import Sequence
from typing import Final
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

PAIR_BITS: Final = 22  # 4 million hashes, most of which no corpus uses
_MULTIPLIER: Final = np.uint64(0x9E3779B97F4A7C15)  # 2 ** 64 divided by the golden ratio


class PairHashes:
    """Hashes neighbouring words. The hash of a word is computed when it is first needed: one text has few words."""

    def __init__(self, vocabulary: Sequence[str]) -> None:
        self._vocabulary = vocabulary
        self._word_hashes = np.zeros(len(vocabulary), dtype=np.uint64)  # 0: not computed yet

    def __call__(self, words: NDArray[np.int32]) -> NDArray[np.int64]:
        """Hash each word id with the next: from shape (W,) to shape (W - 1,), numbers below ``2 ** PAIR_BITS``."""
        hashes = self._word_hashes[words]
        if not hashes.all():
            for word in set(words[hashes == 0].tolist()):  # np.unique loads numpy.ma, which takes 10 ms
                self._word_hashes[word] = crc32(self._vocabulary[word].encode("utf-8", "surrogatepass"))
            hashes = self._word_hashes[words]
        pairs = (hashes[:-1] << np.uint64(32)) + hashes[1:]
        return (pairs * _MULTIPLIER >> np.uint64(64 - PAIR_BITS)).view(np.int64)
