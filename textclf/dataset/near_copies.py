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
_SHORT_MIX: Final = np.uint32(0x9E3779B1)


def signatures(tokens: NDArray[np.int32], lengths: NDArray[np.int64]) -> NDArray[np.uint32]:
    """MinHash of documents whose token ids stand end to end, shape (D, BANDS * ROWS).

    In 32 bits, of which a processor multiplies several at once: in 64 it takes three times as long.
    """
    hashes, starts = _runs(tokens, lengths)
    factors = np.random.PCG64(_SEED).random_raw(BANDS * ROWS).astype(np.uint32) | np.uint32(1)
    products = np.empty_like(hashes)  # one for all: memory that is new each time takes longer than the product
    found = np.empty((BANDS * ROWS, len(lengths)), dtype=np.uint32)
    for place, factor in enumerate(factors):
        np.minimum.reduceat(np.multiply(hashes, factor, out=products), starts, out=found[place])
    return np.ascontiguousarray(found.T)


def _runs(tokens: NDArray[np.int32], lengths: NDArray[np.int64]) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
    """A hash of each document's runs of tokens, end to end, and where those of each start.

    A document that is shorter than a run is one.
    """
    ids = np.append(tokens, np.zeros(SHINGLE, dtype=np.int32)).view(np.uint32) + np.uint32(1)
    ends = np.cumsum(lengths)
    starts = ends - lengths
    hashes, is_run = np.zeros(len(tokens), dtype=np.uint32), np.ones(len(tokens), dtype=bool)
    for shift in range(SHINGLE):
        following = ids[shift : shift + len(tokens)].copy()
        for back in range(1, shift + 1):
            last = np.maximum(ends - back, starts)
            is_run[last] = False
            following[last] = 0  # what follows there is of the next document
        hashes = (hashes ^ following) * _SHORT_MIX
        hashes ^= hashes >> np.uint32(15)
    is_run[starts] = True
    kept = np.maximum(lengths - SHINGLE + 1, 1)
    return hashes[is_run], np.cumsum(kept) - kept


def near_copies(found: NDArray[np.uint32]) -> NDArray[np.int64]:
    """For each document the first one that it is nearly the same as, itself if there is none; shape (D,)."""
    first = np.arange(len(found))
    for band in range(BANDS):
        rows = np.ascontiguousarray(found[:, band * ROWS : (band + 1) * ROWS]).view(np.uint64)  # (D, ROWS / 2)
        # 64 bits that say as much as the four hashes, and sort ten times as fast
        keys = (rows[:, 0] * _MIX) ^ (rows[:, 1] * _OTHER_MIX) ^ (rows[:, 1] >> np.uint64(31))
        ordered = np.sort(keys)
        shared = np.flatnonzero(np.isin(keys, ordered[1:][ordered[1:] == ordered[:-1]]))  # by two documents or more
        _, leader, group = np.unique(keys[shared], return_index=True, return_inverse=True)
        leader = shared[leader[group]]  # the first document of each one's group
        is_alike = (found[leader] == found[shared]).mean(axis=1) >= ALIKE
        first[shared] = np.minimum(first[shared], np.where(is_alike, leader, shared))
    return first
