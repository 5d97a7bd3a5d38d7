"""Caches the features of documents: counting them can take longer than learning from them. No torch."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from textclf.models.bag_mlp.features import Bag, BagInputs, Counts, DocumentFrequencies
from textclf.models.model import Learnt
from textclf.text.ragged import offsets
from textclf.text.tokenizer import Tokenizer

if TYPE_CHECKING:
    from scipy.sparse import csr_array

LIMIT: Final = 40_000_000
"""Maximum number of features of all cached documents, each of which takes 5 or 6 bytes."""

Batch = tuple[NDArray[np.int32], NDArray[np.int64], NDArray[np.int64]]
"""Token ids of B documents, end to end; their lengths, shape (B,); their rows in documents.parquet, shape (B,)."""


class FeatureCache:
    """Called like a `Bag`, but counts the features of a cached document only once."""

    def __init__(self, bag: Bag) -> None:
        """A cache without documents."""
        self.bag = bag
        self.clear()

    @classmethod
    def fit(
        cls, training: Iterable[Batch], validation: Iterable[Batch], *, tokenizer: Tokenizer, limit: int = LIMIT
    ) -> "FeatureCache":
        """Learn a bag from the training documents; cache them and the validation documents if the limit allows.

        All or none: training shuffles the documents, so that nearly every batch would have one that is not cached.
        """
        frequencies, bags = DocumentFrequencies(tokenizer), _Bags(limit)
        for tokens, lengths, rows in training:
            counts = frequencies.count(tokens, lengths)
            frequencies.add(counts, documents=len(lengths))
            bags.add(rows, counts)
        for tokens, lengths, rows in validation if bags.has_room else ():
            bags.add(rows, frequencies.count(tokens, lengths))
        selected = frequencies.select()
        cache = cls(frequencies.bag(selected))
        if bags.has_room and bags.counts:
            cache._places = bags.places()
            cache._matrix = bags.matrix(columns=frequencies.candidates)[:, selected]
        return cache

    def clear(self) -> None:
        """Remove all documents."""
        self._matrix: csr_array | None = None
        """Counts, a row for each bag and a column for each feature."""
        self._places = np.empty((self.bag.views, 0), dtype=np.int64)
        """Shape (V, rows), the row of the matrix for each view of a row in documents.parquet; -1: not cached."""

    def has(self, rows: NDArray[np.int64]) -> bool:
        """Whether all these documents are cached."""
        return bool(rows.max(initial=-1) < self._places.shape[1] and self._places[:, rows].min(initial=0) >= 0)

    def __call__(
        self, tokens: NDArray[np.int32], lengths: NDArray[np.int64], rows: NDArray[np.int64] | None = None
    ) -> BagInputs:
        """The same as ``bag(tokens, lengths)``; of cached documents, tokens and lengths are not read."""
        if self._matrix is None or rows is None or not self.has(rows):
            return self.bag(tokens, lengths)
        bags = self._matrix[self._places[:, rows].ravel()]
        return self.bag.weigh(Counts(bags.indices, bags.indptr[:-1].astype(np.int64), bags.data))


def learn(
    training: Iterable[Batch], *, validation: Iterable[Batch], tokenizer: Tokenizer, max_length: int | None
) -> Learnt:
    """A bag that was learnt from the training documents, and a cache of both splits."""
    cache = FeatureCache.fit(training, validation, tokenizer=tokenizer)
    return Learnt(cache.bag, cache)


class _Bags:
    """Collects the bags of documents, up to a limit, for one sparse matrix."""

    def __init__(self, limit: int) -> None:
        self.counts: list[Counts] = []
        self._rows: list[NDArray[np.int64]] = []
        self._room = limit

    @property
    def has_room(self) -> bool:
        """Whether all documents so far fit; if not, none are kept."""
        return self._room >= 0

    def add(self, rows: NDArray[np.int64], found: Counts) -> None:
        """Add documents, whose rows in documents.parquet have shape (B,)."""
        self._room -= len(found.features)
        if not self.has_room:
            self.counts.clear()
            return
        smallest = np.min_scalar_type(int(found.counts.max()))
        self.counts.append(found._replace(counts=found.counts.astype(smallest)))
        self._rows.append(rows)

    def places(self) -> NDArray[np.int64]:
        """As in `FeatureCache`."""
        views = len(self.counts[0].offsets) // len(self._rows[0])
        places = np.full((views, int(max(rows.max() for rows in self._rows)) + 1), -1)
        start = 0
        for rows in self._rows:
            bags = np.arange(start, start := start + views * len(rows))
            places[:, rows] = bags.reshape(views, -1)
        return places

    def matrix(self, *, columns: int) -> "csr_array":
        """Counts, a row for each bag and a column for each candidate; lets go of the bags."""
        from scipy.sparse import csr_array  # predictions do without

        sizes = np.concatenate([np.diff(found.offsets, append=len(found.features)) for found in self.counts])
        features = np.concatenate([found.features for found in self.counts])
        counts = np.concatenate([found.counts for found in self.counts])
        self.counts.clear()
        return csr_array((counts, features, offsets(sizes).astype(np.int32)), shape=(len(sizes), columns))
