"""Documents that are nearly the same, by their token ids: MinHash and locality-sensitive hashing. Needs numpy only.

A document is the set of its runs of SHINGLE tokens; two are alike if most of their runs are the same (Jaccard). The
smallest of the hashes of a set is the same for two sets as often as they are alike (https://doi.org/10.1109/SEQUEN.1997.666900);
those that agree on all hashes of a band are compared (Leskovec et al., Mining of Massive Datasets, chapter 3).
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

SHINGLE: Final = 3  # tokens
BANDS: Final = 12
ROWS: Final = 4  # hashes of a band
ALIKE: Final = 0.8  # share of the runs of tokens
_SEED: Final = 20_240_601
_MIX: Final = np.uint64(0x9E3779B97F4A7C15)
_OTHER_MIX: Final = np.uint64(0xC2B2AE3D27D4EB4F)


def signatures(tokens: NDArray[np.int32], lengths: NDArray[np.int64]) -> NDArray[np.uint32]:
    """MinHash of documents whose token ids stand end to end, shape (D, BANDS * ROWS)."""
    ids = tokens.astype(np.uint64)
    starts = np.cumsum(lengths) - lengths
    left = np.repeat(starts + lengths, lengths) - np.arange(len(ids))  # tokens to the end of the document
    hashes = np.zeros(len(ids), dtype=np.uint64)
    for shift in range(SHINGLE):
        following = np.zeros_like(ids)
        following[: len(ids) - shift] = ids[shift:] + np.uint64(1)
        hashes = (hashes ^ np.where(left > shift, following, np.uint64(0))) * _MIX
        hashes ^= hashes >> np.uint64(29)
    is_first = left == np.repeat(lengths, lengths)
    hashes = hashes[(left >= SHINGLE) | is_first]  # a document shorter than a run is one
    kept = np.maximum(lengths - SHINGLE + 1, 1)
    starts = np.cumsum(kept) - kept
    factors = np.random.PCG64(_SEED).random_raw(BANDS * ROWS) | np.uint64(1)
    products = np.empty_like(hashes)  # one for all: memory that is new each time takes longer than the product
    found = np.empty((BANDS * ROWS, len(lengths)), dtype=np.uint64)
    for place, factor in enumerate(factors):
        np.minimum.reduceat(np.multiply(hashes, factor, out=products), starts, out=found[place])
    return np.ascontiguousarray((found >> np.uint64(32)).astype(np.uint32).T)


def near_copies(found: NDArray[np.uint32]) -> NDArray[np.int64]:
    """For each document the first one that it is nearly the same as, itself if there is none; shape (D,)."""
    first = np.arange(len(found))
    for band in range(BANDS):
        rows = np.ascontiguousarray(found[:, band * ROWS : (band + 1) * ROWS]).view(np.uint64)  # (D, ROWS / 2)
        # 64 bits that say as much as the four hashes, and sort ten times as fast
        keys = (rows[:, 0] * _MIX) ^ (rows[:, 1] * _OTHER_MIX) ^ (rows[:, 1] >> np.uint64(31))
        _, leader, group = np.unique(keys, return_index=True, return_inverse=True)
        leader = leader[group]  # (D,), the first document of each one's group
        is_copy = leader != np.arange(len(found))
        alike = np.zeros(len(found), dtype=bool)
        alike[is_copy] = (found[leader[is_copy]] == found[is_copy]).mean(axis=1) >= ALIKE
        first = np.where(alike, np.minimum(first, leader), first)
    return first
