"""Batches of bags, made on a device that has those of all documents.

A batch is a sparse matrix, row by row and again column by column. Its rows are gathered; its columns come from a stable
sort, the same order as `collate` finds by counting. How many distinct features a batch has, only the device finds out,
and the host must know it before it can go on. So the matrices of several batches, a window, are made at once, one
window ahead of the steps: when the host reads the numbers of a window, the device computed them long ago.

B documents in a batch, V views, D documents in all; N features in the bags of a window, M bags, G batches.
"""

from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Final, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from textclf.models.bag_mlp.network import Batch
from textclf.models.resident import Awaited, Pieces, Rows, bounds, own, send
from textclf.text.arrays import offsets as offsets_of

WINDOW: Final = 1 << 23
"""Features in the batches that are made at once, some 100 bytes each for a moment; but at least one batch."""

_INT32: Final = np.iinfo(np.int32).max


class _Window(NamedTuple):
    """The matrices of some batches, end to end, and what is still to be found out about them."""

    batches: list[int]
    """Shape (G + 1,), where the features of each batch begin."""
    bags: list[int]
    """Shape (G + 1,), where its bags begin."""
    documents: list[int]
    """Shape (G + 1,), where its labels begin."""
    features: Tensor
    offsets: Tensor
    weights: Tensor
    column_keys: Tensor
    """Shape (N,), rising: the number of the batch times the number of features, plus the feature."""
    is_first: Tensor
    """Shape (N,), whether a key is not that before it."""
    column_bags: Tensor
    column_weights: Tensor
    labels: Tensor
    columns: Awaited
    """Shape (G,), the distinct features of each batch and those before it."""


class ResidentBags:
    """The weighted bags of all documents, 8 bytes a feature."""

    def __init__(
        self, features: Tensor, weights: Tensor, rows: Rows, labels: NDArray[np.int64], *, window: int = WINDOW
    ) -> None:
        self._features, self._weights = features, weights  # int32 and float32, on the device
        self._rows = rows  # of V * D bags: first those of one view, of all documents
        self._labels = labels  # (D,)
        self._size = int(features.max()) + 1
        self._window = window

    @classmethod
    def of(
        cls, batches: Iterable[Batch], order: NDArray[np.int64], *, device: torch.device, limit: float
    ) -> "ResidentBags | None":
        """The documents of these batches, whose places are ``order``, (D,); None if they exceed a limit of bytes."""
        pieces = Pieces(device, limit)
        labels = np.empty(len(order), dtype=np.int64)
        starts: list[NDArray[np.int64]] = []
        lengths: list[NDArray[np.int64]] = []
        seen = filled = 0
        for batch in batches:
            if not pieces.add(batch.features, batch.weights):
                return None
            offsets = batch.offsets.numpy().astype(np.int64).reshape(-1, len(batch.labels))  # (V, B)
            sizes = np.diff(batch.offsets.numpy(), append=len(batch.features)).astype(np.int64)
            starts.append(filled + offsets)
            lengths.append(sizes.reshape(offsets.shape))
            labels[order[seen : seen + len(batch.labels)]] = batch.labels.numpy()
            seen, filled = seen + len(batch.labels), filled + len(batch.features)
        back = np.argsort(order)
        rows = Rows(*(np.concatenate(each, axis=1)[:, back].ravel() for each in (starts, lengths)))
        joined, weights = pieces.join()
        return cls(joined, weights, rows, labels)

    def batches(self, order: Iterable[NDArray[np.integer]], *, share: slice = slice(None)) -> Iterator[Batch]:
        """As `bag_mlp.network.collate` makes them: a batch of the documents at each of these places."""
        ahead: _Window | None = None
        for places in self._windows(order, share):
            begun = self._begin(places, share)
            if ahead is not None:
                yield from self._finish(ahead)
            ahead = begun
        if ahead is not None:
            yield from self._finish(ahead)

    def _bags_of(self, places: NDArray[np.integer]) -> NDArray[np.int64]:
        """The rows of the bags of some documents: first those of one view."""
        views = np.arange(0, len(self._rows.lengths), len(self._labels))
        return (views[:, None] + places).ravel()

    def _windows(self, order: Iterable[NDArray[np.integer]], share: slice) -> Iterator[list[NDArray[np.integer]]]:
        """The places of the documents of some batches at a time."""
        window: list[NDArray[np.integer]] = []
        size = 0
        for places in order:
            more = int(self._rows.lengths[self._bags_of(own(places, share))].sum())
            if window and size + more > self._window:
                yield window
                window, size = [], 0
            window.append(places)
            size += more
        if window:
            yield window

    def _begin(self, places: list[NDArray[np.integer]], share: slice) -> _Window:
        """Give the device all that it can do for a window before the host knows its numbers of distinct features."""
        device = self._features.device
        rows = [self._bags_of(own(each, share)) for each in places]
        bags, read = bounds(rows), np.concatenate(rows)
        lengths = self._rows.lengths[read]  # (M,)
        before = offsets_of(lengths)  # (M + 1,)
        batch = np.repeat(np.arange(len(rows)), np.diff(bags))  # (M,)
        entries = before[bags]  # (G + 1,)
        sent = np.stack(
            (
                self._rows.starts[read] - before[:-1],
                lengths,
                batch * self._size,
                np.arange(len(read)) - bags[batch],
                before[:-1] - entries[batch],
            )
        )
        shifts, sizes, firsts, numbers, offsets = send(sent, device)  # each (M,)
        count = int(before[-1])
        bag = torch.repeat_interleave(torch.arange(len(read), device=device), sizes, output_size=count)  # (N,)
        index = torch.arange(count, device=device) + shifts.index_select(0, bag)
        features, weights = self._features.index_select(0, index), self._weights.index_select(0, index)
        keys = features + firsts.index_select(0, bag)  # (N,), int64
        if len(rows) * self._size <= _INT32:
            keys = keys.int()  # which takes half the time to sort
        column_keys, by_column = keys.sort(stable=True)
        is_first = torch.ones(count, dtype=torch.bool, device=device)
        torch.ne(column_keys[1:], column_keys[:-1], out=is_first[1:])
        columns = is_first.cumsum(0).index_select(0, send(entries[1:] - 1, device))  # (G,)
        return _Window(
            entries.tolist(),
            bags.tolist(),
            bounds(places).tolist(),
            features,
            offsets.int(),
            weights,
            column_keys,
            is_first,
            numbers.int().index_select(0, bag).index_select(0, by_column),
            weights.index_select(0, by_column),
            send(self._labels[np.concatenate(places)], device),
            Awaited(columns),
        )

    def _finish(self, window: _Window) -> Iterator[Batch]:
        """The batches of a window."""
        columns = [0, *window.columns.read()]
        first = torch.nonzero_static(window.is_first, size=columns[-1])[:, 0]  # of each column, its first feature
        features = window.column_keys.index_select(0, first).long() % self._size
        parts = zip(*map(pairwise, (window.batches, window.bags, window.documents, columns)), strict=True)
        for entries, bags, documents, columns_of in ((slice(*each) for each in part) for part in parts):
            yield Batch(
                window.features[entries],
                window.offsets[bags],
                window.weights[entries],
                features[columns_of],
                window.column_bags[entries],
                (first[columns_of] - entries.start).int(),
                window.column_weights[entries],
                window.labels[documents],
            )
