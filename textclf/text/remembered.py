"""What is in documents, kept for the next epoch: counting it can take longer than learning from it. No torch."""

from collections.abc import Iterable
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from textclf.ragged import offsets, places
from textclf.text.bag import Bag, BagInputs, Counts, Frequencies
from textclf.text.tokenizer import Tokenizer

LIMIT: Final = 40_000_000
"""Features of documents that are kept, 4 bytes each; 8 until it is known how rare they are."""

Batch = tuple[NDArray[np.int32], NDArray[np.int64], NDArray[np.int64]]
"""Token ids of some documents end to end, how many each has, and the rows of the documents."""


class Remembered:
    """Counts the features of a document once, keeps that under the row of the document, and weighs it each time.

    A feature and its count are one number, with the count in the high bits.
    """

    def __init__(self, bag: Bag, *, limit: int = LIMIT) -> None:
        self.bag = bag
        self._kept = 0  # entries
        self._bits = np.uint32(len(bag.rarity).bit_length())  # of a feature
        self._entries = np.empty(limit, dtype=np.uint32)  # takes no memory before it is written to
        self._starts = np.full((0, bag.views), -1, dtype=np.int64)  # of each row's bags; -1: not kept
        self._sizes = np.zeros((0, bag.views), dtype=np.int64)

    @classmethod
    def fit(cls, batches: Iterable[Batch], *, tokenizer: Tokenizer, limit: int = LIMIT) -> "Remembered":
        """A bag that has learnt from these documents, and remembers them if there is room for all.

        They are shuffled in training: if some were not kept, nearly every batch would have one of those.
        """
        frequencies, kept = Frequencies(tokenizer), 0
        features, counts = np.empty(limit, dtype=np.int32), np.empty(limit, dtype=np.int32)
        seen: list[tuple[NDArray[np.int64], slice, NDArray[np.int64]]] = []
        for tokens, lengths, rows in batches:
            found = frequencies.count(tokens, lengths)
            here = slice(kept, kept := kept + len(found.features))
            if kept <= limit:
                features[here], counts[here] = found.features, found.counts
                seen.append((rows, here, found.offsets))
        remembered = cls(frequencies.bag(), limit=limit)
        if kept <= limit:
            new_places = frequencies.places(remembered.bag)
            remembered._keep_all(
                (rows, Counts(features[here], starts, counts[here]).renumbered(new_places))
                for rows, here, starts in seen
            )
        return remembered

    def __getstate__(self) -> dict[str, Any]:
        """What another process is sent: without the room that is left, which would take memory there."""
        return self.__dict__ | {"_entries": self._entries[: self._kept].copy()}

    def has(self, rows: NDArray[np.int64]) -> bool:
        """Whether these documents are kept."""
        return bool(rows.max(initial=-1) < len(self._starts) and self._starts[rows].min(initial=0) >= 0)

    def remember(self, batches: Iterable[Batch]) -> None:
        """Keep these documents, too, if there is room for all of them."""
        self._keep_all((rows, self.bag.count(tokens, lengths)) for tokens, lengths, rows in batches)

    def __call__(self, tokens: NDArray[np.int32], lengths: NDArray[np.int64], rows: NDArray[np.int64]) -> BagInputs:
        """The same as ``bag(tokens, lengths)``; documents of the same row must have the same tokens."""
        if not self.has(rows):
            return self.bag(tokens, lengths)
        sizes = self._sizes[rows].T.ravel()  # first those of one view
        entries = self._entries[places(self._starts[rows].T.ravel(), sizes)]
        features = (entries & ((1 << self._bits) - 1)).view(np.int32)
        return self.bag.weigh(Counts(features, offsets(sizes)[:-1], entries >> self._bits))

    def _keep_all(self, counted: Iterable[tuple[NDArray[np.int64], Counts]]) -> None:
        before = self._kept
        for rows, found in counted:
            if not self._keep(rows, found):
                self._starts[self._starts >= before] = -1
                self._kept = before
                return

    def _keep(self, rows: NDArray[np.int64], found: Counts) -> bool:
        """Keep some documents; returns whether there is room, in memory and for their largest count in its bits."""
        start, end = self._kept, self._kept + len(found.features)
        if end > len(self._entries) or int(found.counts.max(initial=0)).bit_length() + self._bits > 32:
            return False
        if (most := int(rows.max()) + 1) > len(self._starts):
            self._starts, self._sizes = _grown(self._starts, 2 * most, fill=-1), _grown(self._sizes, 2 * most)
        self._entries[start:end] = found.counts.astype(np.uint32) << self._bits | found.features.view(np.uint32)
        self._starts[rows] = (start + found.offsets).reshape(self.bag.views, -1).T
        self._sizes[rows] = np.diff(found.offsets, append=len(found.features)).reshape(self.bag.views, -1).T
        self._kept = end
        return True


def _grown(values: NDArray[Any], room: int, *, fill: int | None = None) -> NDArray[Any]:
    """The values at the start of a larger array, the rest of which takes no memory before it is written."""
    larger = np.empty((room, *values.shape[1:]), dtype=values.dtype)
    larger[: len(values)] = values
    if fill is not None:
        larger[len(values) :] = fill
    return larger
