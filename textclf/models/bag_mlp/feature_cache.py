"""Caches the features of the documents that every epoch reads. No torch.

On 20newsgroups that saves a sixth of the CPU time of training, on bbc_news a quarter, for 30 MB.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from textclf.models.bag_mlp.features import Bag, BagInputs, Counts, DocumentFrequencies
from textclf.models.model import Learnt
from textclf.text.arrays import offsets
from textclf.text.tokenizer import Tokenizer

if TYPE_CHECKING:
    from scipy.sparse import csr_array

LIMIT: Final = 40_000_000
"""Maximum number of features of all cached documents, each of which takes 6 bytes."""
PIECE: Final = 1 << 20
"""Features looked at in one step when those that are not selected are removed."""
STEP: Final = 1 << 22
"""Numbers by which an array grows."""

Batch = tuple[NDArray[np.int32], NDArray[np.int64], NDArray[np.integer]]
"""Token ids of B documents, end to end; their lengths, shape (B,); their rows in the table of documents, shape (B,)."""


class FeatureCache:
    """Called like a `Bag`, but counts the features of a cached document only once."""

    def __init__(self, bag: Bag, matrix: "csr_array | None", places: NDArray[np.int64]) -> None:
        self.bag = bag
        self._matrix = matrix
        """Counts: a row for each bag, a column for each feature. None: no document is cached."""
        self._places = places
        """Shape (V, rows), the row of the matrix for each view of a row of the table of documents; -1: not cached."""

    @classmethod
    def fit(
        cls, training: Iterable[Batch], validation: Iterable[Batch], *, tokenizer: Tokenizer, limit: int = LIMIT
    ) -> "FeatureCache":
        """Learn a bag from the training documents; cache them and the validation documents if the limit allows.

        All or none: training shuffles the documents, so that nearly every batch would have one that is not cached.
        """
        frequencies = DocumentFrequencies(tokenizer)
        bags: _Bags | None = _Bags(limit)
        for tokens, lengths, rows in training:
            counts = frequencies.count(tokens, lengths)
            frequencies.add(counts, documents=len(lengths))
            bags = bags and bags.add(rows, counts)
        for tokens, lengths, rows in validation:
            bags = bags and bags.add(rows, frequencies.count(tokens, lengths))
        selected = frequencies.select()
        bag = frequencies.bag(selected)
        if bags is None:
            return cls(bag, None, np.empty((bag.views, 0), dtype=np.int64))
        return cls(bag, bags.matrix(selected, candidates=frequencies.candidates), bags.places())

    def clear(self) -> None:
        """Remove all documents."""
        self._matrix = None

    def has(self, rows: NDArray[np.integer]) -> bool:
        """Whether all these documents are cached."""
        is_known = self._matrix is not None and rows.max(initial=-1) < self._places.shape[1]
        return bool(is_known and self._places[:, rows].min(initial=0) >= 0)

    def __call__(
        self, tokens: NDArray[np.int32], lengths: NDArray[np.int64], rows: NDArray[np.integer] | None = None
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
    """Collects the bags of documents for one sparse matrix."""

    def __init__(self, limit: int) -> None:
        self._room = limit
        self._features, self._counts = _Growing(np.int32), _Growing(np.uint16)
        self._sizes: list[NDArray[np.int64]] = []
        self._keys: list[NDArray[np.integer]] = []
        """Of each batch shape (2, V * B), the view and the row in the table of documents of each bag."""

    def add(self, rows: NDArray[np.integer], found: Counts) -> "_Bags | None":
        """Add B documents; returns None if they exceed the limit, or a count 16 bits."""
        self._room -= len(found.features)
        if self._room < 0 or found.counts.max() > np.iinfo(np.uint16).max:
            return None
        self._features.extend(found.features)
        self._counts.extend(found.counts)
        self._sizes.append(np.diff(found.offsets, append=len(found.features)))
        views = len(found.offsets) // len(rows)
        self._keys.append(np.stack((np.repeat(np.arange(views), len(rows)), np.tile(rows, views))))
        return self

    def matrix(self, selected: NDArray[np.int64], *, candidates: int, piece: int = PIECE) -> "csr_array":
        """Counts: a row for each bag, a column for each of the selected candidates. Call it last.

        Candidates that are not selected are removed in place, a piece at a time: a second matrix would take 70 MB of
        memory on 20newsgroups.
        """
        from scipy.sparse import csr_array  # predictions do without

        column = np.full(candidates, -1, dtype=np.int32)
        column[selected] = np.arange(len(selected), dtype=np.int32)
        counts, features = self._counts.values(), self._features.values()
        bounds, end = offsets(np.concatenate(self._sizes)).astype(np.int32), 0
        for start in range(0, len(features), piece):
            columns = column[features[start : start + piece]]
            keep = columns >= 0
            within = slice(*np.searchsorted(bounds, (start, start + piece), side="right"))
            kept = end + np.cumsum(keep, dtype=np.int32)
            bounds[within] = kept[bounds[within] - start - 1]
            counts[end : kept[-1]], features[end : kept[-1]] = counts[start : start + piece][keep], columns[keep]
            end = int(kept[-1])
        del counts, features
        arrays = (self._counts.cut(end), self._features.cut(end), bounds)
        return csr_array(arrays, shape=(len(bounds) - 1, len(selected)))

    def places(self) -> NDArray[np.int64]:
        """As in `FeatureCache`."""
        views, rows = np.concatenate(self._keys, axis=1)
        places = np.full((views.max() + 1, rows.max() + 1), -1)
        places[views, rows] = np.arange(len(rows))
        return places


class _Growing:
    """An array that grows: thousands of small ones would leave holes in memory, 45 MB on 20newsgroups."""

    def __init__(self, dtype: type[np.integer], step: int = STEP) -> None:
        self._array = np.empty(0, dtype=dtype)
        self._size, self._step = 0, step

    def extend(self, values: NDArray[np.integer]) -> None:
        """Append values."""
        end = self._size + len(values)
        if end > len(self._array):
            self._array.resize(end + self._step, refcheck=False)
        self._array[self._size : end] = values
        self._size = end

    def values(self) -> NDArray[np.integer]:
        """All values, without a copy."""
        return self._array[: self._size]

    def cut(self, size: int) -> NDArray[np.integer]:
        """The first values, whose memory alone is kept."""
        self._array.resize(size, refcheck=False)
        return self._array
