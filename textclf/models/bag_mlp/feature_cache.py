"""What is in documents, kept for the next epoch: counting it can take longer than learning from it. No torch."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from textclf.models.bag_mlp.features import Bag, BagInputs, Counts, Frequencies
from textclf.models.model import Learnt
from textclf.system.startup import processors
from textclf.text.ragged import offsets, places
from textclf.text.tokenizer import Tokenizer

LIMIT: Final = 40_000_000
"""Features of documents that are kept, 4 bytes each; 8 until it is known how rare they are."""

ROOM: Final = 1 << 22
"""Numbers that are put together: small arrays in their thousands would leave holes in memory where they were."""

MOST_THREADS: Final = 4
"""That look for features: they take turns for what Python itself does."""

Item = TypeVar("Item")

Batch = tuple[NDArray[np.int32], NDArray[np.int64], NDArray[np.int64]]
"""Token ids of some documents end to end, how many each has, and the rows of the documents."""


class Remembered:
    """Counts the features of a document once, keeps that under the row of the document, and weighs it each time.

    A feature and its count are one number, with the count in the high bits.
    """

    def __init__(self, bag: Bag, *, limit: int = LIMIT) -> None:
        self.bag = bag
        self._limit = limit
        self._bits = np.uint32(len(bag.rarity).bit_length())  # of a feature
        self.forget()

    @classmethod
    def fit(cls, batches: Iterable[Batch], *, tokenizer: Tokenizer, limit: int = LIMIT) -> "Remembered":
        """A bag that has learnt from these documents, and remembers them if there is room for all.

        They are shuffled in training: if some were not kept, nearly every batch would have one of those.
        """
        frequencies, kept = Frequencies(tokenizer), 0
        seen, shelf = deque[tuple[NDArray[np.int64], Counts]](), _Shelf()
        for (_, lengths, rows), found in _with_threads(frequencies.find, batches):
            frequencies.add(found, len(lengths))
            kept += len(found.features)
            if kept <= limit:
                seen.append((rows, Counts(shelf.put(found.features), found.offsets, shelf.put(found.counts))))
            else:
                seen.clear()
        remembered = cls(frequencies.bag(), limit=limit)
        new_places = frequencies.places(remembered.bag)
        remembered._keep((rows, found.renumbered(new_places)) for rows, found in _emptying(seen))
        return remembered

    def forget(self) -> None:
        """Keep no documents any more."""
        self._entries = np.empty(0, dtype=np.uint32)
        self._starts = np.full((0, self.bag.views), -1, dtype=np.int64)  # of each row's bags; -1: not kept
        self._sizes = np.zeros((0, self.bag.views), dtype=np.int64)

    def has(self, rows: NDArray[np.int64]) -> bool:
        """Whether these documents are kept."""
        return bool(rows.max(initial=-1) < len(self._starts) and self._starts[rows].min(initial=0) >= 0)

    def remember(self, batches: Iterable[Batch]) -> None:
        """Keep these documents, too, if there is room for all of them."""
        self._keep((rows, self.bag.count(tokens, lengths)) for tokens, lengths, rows in batches)

    def __call__(self, tokens: NDArray[np.int32], lengths: NDArray[np.int64], rows: NDArray[np.int64]) -> BagInputs:
        """The same as ``bag(tokens, lengths)``; documents of the same row must have the same tokens.

        Of documents that are kept, tokens and lengths are not looked at.
        """
        if not self.has(rows):
            return self.bag(tokens, lengths)
        sizes = self._sizes[rows].T.ravel()  # first those of one view
        entries = self._entries[places(self._starts[rows].T.ravel(), sizes)]
        features = (entries & ((1 << self._bits) - 1)).view(np.int32)
        return self.bag.weigh(Counts(features, offsets(sizes)[:-1], entries >> self._bits))

    def _keep(self, counted: Iterable[tuple[NDArray[np.int64], Counts]]) -> None:
        """Keep these documents if there is room for all, in memory and for their largest count in its bits."""
        kept, places_of, end, shelf = [self._entries], [], len(self._entries), _Shelf()
        for rows, found in counted:
            places_of.append((rows, end + found.offsets, np.diff(found.offsets, append=len(found.features))))
            end += len(found.features)
            if end > self._limit or int(found.counts.max(initial=0)).bit_length() + self._bits > 32:
                return
            entries = found.counts.astype(np.uint32) << self._bits | found.features.view(np.uint32)
            kept.append(shelf.put(entries.view(np.int32)).view(np.uint32))
        self._entries = np.concatenate(kept)
        for rows, starts, sizes in places_of:
            if (most := int(rows.max()) + 1) > len(self._starts):
                self._starts, self._sizes = _grown(self._starts, 2 * most, fill=-1), _grown(self._sizes, 2 * most)
            self._starts[rows] = starts.reshape(self.bag.views, -1).T
            self._sizes[rows] = sizes.reshape(self.bag.views, -1).T


def learn(batches: Iterable[Batch], *, tokenizer: Tokenizer, max_length: int | None) -> Learnt:
    """A bag that has learnt from the training documents, and a cache of their features."""
    remembered = Remembered.fit(batches, tokenizer=tokenizer)
    return Learnt(remembered.bag, training=remembered)


class _Shelf:
    """Holds small arrays as int32, side by side in large ones, each of which goes when nothing on it is used."""

    def __init__(self) -> None:
        self._free = np.empty(0, dtype=np.int32)

    def put(self, values: NDArray[np.integer]) -> NDArray[np.int32]:
        """The same values, on the shelf."""
        if len(values) > len(self._free):
            self._free = np.empty(max(ROOM, len(values)), dtype=np.int32)
        here, self._free = self._free[: len(values)], self._free[len(values) :]
        here[:] = values
        return here


def _with_threads(find: Callable[..., Counts], batches: Iterable[Batch]) -> Iterator[tuple[Batch, Counts]]:
    """Each batch and what is found in it, in order; numpy sorts in several threads at once."""
    threads = min(processors(), MOST_THREADS)
    under_way = deque[tuple[Batch, Future[Counts]]]()
    with ThreadPoolExecutor(threads) as pool:
        for batch in batches:
            under_way.append((batch, pool.submit(find, *batch[:2])))
            if len(under_way) > threads:
                first, found = under_way.popleft()
                yield first, found.result()
        for first, found in _emptying(under_way):
            yield first, found.result()


def _emptying(items: deque[Item]) -> Iterator[Item]:
    """The items, each of which is let go when the next is asked for."""
    while items:
        yield items.popleft()


def _grown(values: NDArray[Any], room: int, *, fill: int | None = None) -> NDArray[Any]:
    """The values at the start of a larger array, the rest of which takes no memory before it is written."""
    larger = np.empty((room, *values.shape[1:]), dtype=values.dtype)
    larger[: len(values)] = values
    if fill is not None:
        larger[len(values) :] = fill
    return larger
