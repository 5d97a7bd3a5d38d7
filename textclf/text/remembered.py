"""Bags that are kept for the next epoch: making them can take longer than learning from them. No torch."""

from hashlib import blake2b
from typing import Final

import numpy as np
from numpy.typing import NDArray

from textclf.ragged import offsets, places
from textclf.text.bag import Bag, BagInputs

LIMIT: Final = 20_000_000  # entries of bags that are kept, 8 bytes each
_ROOM: Final = 1 << 16  # entries that there is room for at first


class Remembered:
    """Makes the bags of a document once and keeps them; a document is known again by its token ids."""

    def __init__(self, bag: Bag, *, limit: int = LIMIT) -> None:
        self.bag = bag
        self.limit = limit
        self._slots: dict[bytes, int] = {}
        self._ends = [0]  # of the bags that are kept, one after the other: those of a document, then of the next
        self._features = np.empty(_ROOM, dtype=np.int32)
        self._weights = np.empty(_ROOM, dtype=np.float32)

    def __call__(self, tokens: NDArray[np.int32], lengths: NDArray[np.int64]) -> BagInputs:
        """The same as ``bag(tokens, lengths)``."""
        keys = _keys(tokens, lengths)
        slots = [self._slots.get(key, -1) for key in keys]
        if min(slots) < 0:
            made = self.bag(tokens, lengths)
            self._keep(keys, made)
            return made
        ends = np.array(self._ends)
        bags = (np.array(slots) + np.arange(self.bag.views)[:, None]).ravel()  # first those of one view
        sizes = ends[bags + 1] - ends[bags]
        where = places(ends[bags], sizes)
        return BagInputs(self._features[where].astype(np.int64), offsets(sizes)[:-1], self._weights[where])

    def _keep(self, keys: list[bytes], made: BagInputs) -> None:
        if self._ends[-1] > self.limit:
            return
        by_document = np.arange(len(made.offsets)).reshape(self.bag.views, -1).T.ravel()
        sizes = np.diff(made.offsets, append=len(made.features))[by_document]
        where = places(made.offsets[by_document], sizes)
        start, end = self._ends[-1], self._ends[-1] + len(where)
        self._make_room(end)
        self._features[start:end], self._weights[start:end] = made.features[where], made.weights[where]
        self._slots |= zip(
            keys, range(len(self._ends) - 1, len(self._ends) - 1 + len(sizes), self.bag.views), strict=True
        )
        self._ends += (start + np.cumsum(sizes)).tolist()

    def _make_room(self, entries: int) -> None:
        if entries > len(self._features):
            room = max(entries, 2 * len(self._features))
            self._features = np.resize(self._features, room)
            self._weights = np.resize(self._weights, room)


def _keys(tokens: NDArray[np.int32], lengths: NDArray[np.int64]) -> list[bytes]:
    """A digest for each document; no two documents have the same."""
    content, ends = tokens.tobytes(), (np.cumsum(lengths) * tokens.itemsize).tolist()
    starts = [0, *ends[:-1]]
    return [blake2b(content[start:end], digest_size=16).digest() for start, end in zip(starts, ends, strict=True)]
