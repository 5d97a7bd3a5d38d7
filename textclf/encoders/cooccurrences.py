"""How often words stand near each other in texts, counted in bounded memory.

V words.
"""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

MOST_PAIRS: Final = 8_000_000
"""Pairs of words that are kept; of more, those that were counted least are dropped."""
PENDING: Final = 4_000_000
"""Pairs that are counted together."""

Matrix = Any
"""A ``scipy.sparse.csr_array``: scipy has no types."""


class Cooccurrences:
    """Counts pairs of words that are at most ``window`` words apart in a text."""

    def __init__(self, words: int, *, window: int, most: int = MOST_PAIRS, pending: int = PENDING) -> None:
        self.words, self.window = words, window
        self._most, self._limit = most, pending
        self._codes: NDArray[np.int64] = np.empty(0, dtype=np.int64)
        """Of each pair that has been counted ``first * words + second``, rising; the first is never the larger."""
        self._counts: NDArray[np.int64] = np.empty(0, dtype=np.int64)
        self._pending: list[NDArray[np.int64]] = []
        self._waiting = 0

    def add(self, ids: NDArray[np.int32], lengths: NDArray[np.int64]) -> None:
        """Count the pairs of some texts, given as the places of their words, end to end, and the length of each."""
        text = np.repeat(np.arange(len(lengths)), lengths)
        for apart in range(1, min(self.window, int(lengths.max(initial=0)) - 1) + 1):
            is_inside = text[apart:] == text[:-apart]
            one, other = ids[:-apart][is_inside].astype(np.int64), ids[apart:][is_inside].astype(np.int64)
            codes = np.minimum(one, other) * self.words + np.maximum(one, other)
            self._pending.append(codes)
            self._waiting += len(codes)
            if self._waiting >= self._limit:
                self._count()

    def matrix(self) -> Matrix:
        """How often each pair was counted, shape (V, V), symmetric; a word beside itself counts twice."""
        self._count()
        rows, columns = np.divmod(self._codes, max(self.words, 1))
        half = sparse.csr_array((self._counts.astype(np.float64), (rows, columns)), shape=(self.words, self.words))
        return (half + half.T).tocsr()

    def _count(self) -> None:
        """Add what is pending to the counts, and drop the rarest pairs if there are too many."""
        if not self._pending:
            return
        fresh, times = np.unique(np.concatenate(self._pending), return_counts=True)
        self._pending, self._waiting = [], 0
        codes = np.concatenate([self._codes, fresh])
        counts = np.concatenate([self._counts, times])
        order = np.argsort(codes, kind="stable")
        codes, counts = codes[order], counts[order]
        starts = np.flatnonzero(np.diff(codes, prepend=-1))
        self._codes, self._counts = codes[starts], np.add.reduceat(counts, starts)
        if len(self._codes) > self._most:
            self._drop()

    def _drop(self) -> None:
        """Keep the pairs that were counted most, half of what may be kept, and of ties the first."""
        kept = np.sort(np.argsort(-self._counts, kind="stable")[: self._most // 2])
        self._codes, self._counts = self._codes[kept], self._counts[kept]
