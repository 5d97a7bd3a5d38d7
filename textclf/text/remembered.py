"""Bags that are kept for the next epoch: making them can take longer than learning from them. No torch."""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from textclf.ragged import offsets, places
from textclf.text.bag import Bag, BagInputs

LIMIT: Final = 20_000_000  # entries of bags that are kept, 8 bytes each


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

    def __call__(self, tokens: NDArray[np.int32], lengths: NDArray[np.int64], rows: NDArray[np.int64]) -> BagInputs:
        """The same as ``bag(tokens, lengths)``; documents of the same row must have the same tokens."""
        if rows.max(initial=-1) >= len(self._starts) or self._starts[rows].min(initial=0) < 0:
            made = self.bag(tokens, lengths)
            self._keep(rows, made)
            return made
        sizes = self._sizes[rows].T.ravel()  # first those of one view
        where = places(self._starts[rows].T.ravel(), sizes)
        return BagInputs(self._features[where], offsets(sizes)[:-1], self._weights[where])

    def _keep(self, rows: NDArray[np.int64], made: BagInputs) -> None:
        start, end = self._kept, self._kept + len(made.features)
        self.is_full = self.is_full or end > len(self._features)
        if self.is_full:
            return
        if (most := int(rows.max()) + 1) > len(self._starts):
            self._starts, self._sizes = _grown(self._starts, 2 * most, fill=-1), _grown(self._sizes, 2 * most)
        self._features[start:end], self._weights[start:end] = made.features, made.weights
        self._starts[rows] = (start + made.offsets).reshape(self.bag.views, -1).T
        self._sizes[rows] = np.diff(made.offsets, append=end - start).reshape(self.bag.views, -1).T
        self._kept = end


def _grown(values: NDArray[Any], room: int, *, fill: int | None = None) -> NDArray[Any]:
    """The values at the start of a larger array, the rest of which takes no memory before it is written."""
    larger = np.empty((room, *values.shape[1:]), dtype=values.dtype)
    larger[: len(values)] = values
    if fill is not None:
        larger[len(values) :] = fill
    return larger
