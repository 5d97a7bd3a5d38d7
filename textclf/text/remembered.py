"""Bags that are kept for the next epoch: making them can take longer than learning from them. No torch."""

from collections.abc import Iterable
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from textclf.ragged import offsets, places
from textclf.text.bag import Bag, BagInputs, Counts, Frequencies
from textclf.text.tokenizer import Tokenizer

LIMIT: Final = 20_000_000  # entries of bags that are kept, 8 bytes each

Batch = tuple[NDArray[np.int32], NDArray[np.int64], NDArray[np.int64]]
"""Token ids of some documents end to end, how many each has, and the rows of the documents."""


class Remembered:
    """Makes the bags of a document once and keeps them, under the row of the document."""

    def __init__(self, bag: Bag, *, limit: int = LIMIT) -> None:
        self.bag = bag
        self.is_full = False  # whether there was no room for some bags
        self._kept = 0  # entries
        self._features = np.empty(limit, dtype=np.int32)  # takes no memory before it is written to
        self._weights = np.empty(limit, dtype=np.float32)
        self._starts = np.full((0, bag.views), -1, dtype=np.int64)  # of each row's bags; -1: not kept
        self._sizes = np.zeros((0, bag.views), dtype=np.int64)

    @classmethod
    def fit(cls, batches: Iterable[Batch], *, tokenizer: Tokenizer, limit: int = LIMIT) -> "Remembered":
        """A bag that has learnt from these documents, and remembers those for which there is room.

        What is in a document is found once: its counts are kept, in place of weights, until it is known how rare
        everything is.
        """
        frequencies = Frequencies(tokenizer)
        remembered, seen = cls(frequencies.bag(), limit=limit), []
        for tokens, lengths, rows in batches:
            remembered._keep(rows, *frequencies.count(tokens, lengths))
            seen.append(rows)
        remembered.bag = frequencies.bag()
        remembered._weigh([rows for rows in seen if remembered.has(rows)], frequencies.places(remembered.bag))
        return remembered

    def __getstate__(self) -> dict[str, Any]:
        """What another process is sent: without the room that is left, which would take memory there."""
        kept = {name: getattr(self, name)[: self._kept].copy() for name in ("_features", "_weights")}
        return self.__dict__ | kept

    def has(self, rows: NDArray[np.int64]) -> bool:
        """Whether the bags of these documents are kept."""
        return bool(rows.max(initial=-1) < len(self._starts) and self._starts[rows].min(initial=0) >= 0)

    def __call__(self, tokens: NDArray[np.int32], lengths: NDArray[np.int64], rows: NDArray[np.int64]) -> BagInputs:
        """The same as ``bag(tokens, lengths)``; documents of the same row must have the same tokens."""
        if not self.has(rows):
            made = self.bag(tokens, lengths)
            self._keep(rows, *made)
            return made
        sizes = self._sizes[rows].T.ravel()  # first those of one view
        where = places(self._starts[rows].T.ravel(), sizes)
        return BagInputs(self._features[where], offsets(sizes)[:-1], self._weights[where])

    def _keep(
        self, rows: NDArray[np.int64], features: NDArray[np.int32], starts: NDArray[np.int64], values: NDArray[Any]
    ) -> None:
        start, end = self._kept, self._kept + len(features)
        self.is_full = self.is_full or end > len(self._features)
        if self.is_full:
            return
        if (most := int(rows.max()) + 1) > len(self._starts):
            self._starts, self._sizes = _grown(self._starts, 2 * most, fill=-1), _grown(self._sizes, 2 * most)
        self._features[start:end], self._weights[start:end] = features, values
        self._starts[rows] = (start + starts).reshape(self.bag.views, -1).T
        self._sizes[rows] = np.diff(starts, append=len(features)).reshape(self.bag.views, -1).T
        self._kept = end

    def _weigh(self, batches: list[NDArray[np.int64]], new_places: NDArray[np.int32]) -> None:
        """Put weights in the place of counts: all that is kept moves up, as what is no feature falls out."""
        self._kept, self.is_full = 0, False
        for rows in batches:
            sizes = self._sizes[rows].T.ravel()
            start = self._starts[rows[0], 0]
            here = slice(start, start + sizes.sum())
            counted = Counts(self._features[here], offsets(sizes)[:-1], self._weights[here].astype(np.int64))
            self._keep(rows, *self.bag.weigh(counted.renumbered(new_places)))


def _grown(values: NDArray[Any], room: int, *, fill: int | None = None) -> NDArray[Any]:
    """The values at the start of a larger array, the rest of which takes no memory before it is written."""
    larger = np.empty((room, *values.shape[1:]), dtype=values.dtype)
    larger[: len(values)] = values
    if fill is not None:
        larger[len(values) :] = fill
    return larger
