"""Documents that are nearly the same, by their token ids: MinHash and locality-sensitive hashing. Needs numpy only.

A document is the set of its runs of SHINGLE tokens; two documents are alike if they share most of their runs (Jaccard
similarity). The probability that two sets have the same smallest hash is their similarity
(https://doi.org/10.1109/SEQUEN.1997.666900). Documents that agree on all hashes of a band are compared (Leskovec et
al., Mining of Massive Datasets, chapter 3).
"""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from textclf.dataset.documents import Documents

SHINGLE: Final = 3  # tokens
BANDS: Final = 12
ROWS: Final = 4  # hashes of a band
ALIKE: Final = 0.8  # similarity from which documents are near-copies
COMPARED: Final = 200_000
"""Documents up to which near-copies are searched for: that takes 200 bytes per document."""
_SEED: Final = 20_240_601
_MIX: Final = np.uint64(0x9E3779B97F4A7C15)
_OTHER_MIX: Final = np.uint64(0xC2B2AE3D27D4EB4F)
_SHORT_MIX: Final = np.uint32(0x9E3779B1)


def signatures(tokens: NDArray[np.int32], lengths: NDArray[np.int64]) -> NDArray[np.uint32]:
    """MinHash signatures of D documents, shape (D, BANDS * ROWS), given their token ids, end to end.

    The hashes have 32 bits, because a processor multiplies several of those at once: 64 bits take three times as long.
    """
    hashes, starts = _runs(tokens, lengths)
    factors = np.random.PCG64(_SEED).random_raw(BANDS * ROWS).astype(np.uint32) | np.uint32(1)
    products = np.empty_like(hashes)  # reused, because new memory takes longer than the product
    found = np.empty((BANDS * ROWS, len(lengths)), dtype=np.uint32)
    for place, factor in enumerate(factors):
        np.minimum.reduceat(np.multiply(hashes, factor, out=products), starts, out=found[place])
    return np.ascontiguousarray(found.T)


def _runs(tokens: NDArray[np.int32], lengths: NDArray[np.int64]) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
    """Hashes of each document's runs of tokens, end to end, and where those of each document start.

    A document that is shorter than a run counts as one run.
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
            following[last] = 0  # the following token is the next document's
        hashes = (hashes ^ following) * _SHORT_MIX
        hashes ^= hashes >> np.uint32(15)
    is_run[starts] = True
    kept = np.maximum(lengths - SHINGLE + 1, 1)
    return hashes[is_run], np.cumsum(kept) - kept


def near_copies(found: NDArray[np.uint32]) -> NDArray[np.int64]:
    """For each document, the first document that is nearly the same, itself if there is none; shape (D,)."""
    first = np.arange(len(found))
    for band in range(BANDS):
        rows = np.ascontiguousarray(found[:, band * ROWS : (band + 1) * ROWS]).view(np.uint64)  # (D, ROWS / 2)
        # 64 bits in place of the four hashes: ten times as fast to sort
        keys = (rows[:, 0] * _MIX) ^ (rows[:, 1] * _OTHER_MIX) ^ (rows[:, 1] >> np.uint64(31))
        ordered = np.sort(keys)
        shared = np.flatnonzero(np.isin(keys, ordered[1:][ordered[1:] == ordered[:-1]]))  # by two documents or more
        _, leader, group = np.unique(keys[shared], return_index=True, return_inverse=True)
        leader = shared[leader[group]]  # the first document of each one's group
        is_alike = (found[leader] == found[shared]).mean(axis=1) >= ALIKE
        first[shared] = np.minimum(first[shared], np.where(is_alike, leader, shared))
    return first


class NearCopies(NamedTuple):
    """Documents that are nearly the same as an earlier one; exact copies are left out."""

    near: int
    crossing: NDArray[np.int64]
    """Shape (N, 2): the row of the earlier document, and of one in another split that is nearly the same."""


def find_near_copies(table: Documents, found: NDArray[np.uint32]) -> NearCopies:
    """Find near-copies by the signatures of all documents; none are found without signatures."""
    if not found.size:
        return NearCopies(0, np.empty((0, 2), dtype=np.int64))
    first = near_copies(found)
    is_exact = (table.crc32 == table.crc32[first]) & (table.tokens == table.tokens[first])
    is_near = (first != np.arange(len(first))) & ~is_exact
    split = np.searchsorted(np.cumsum(table.names.counts), np.arange(len(first)), side="right")
    is_crossing = is_near & (split != split[first])
    return NearCopies(int(is_near.sum()), np.stack([first, np.arange(len(first))], axis=1)[is_crossing])
