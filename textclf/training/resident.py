"""A loader whose documents are on the device that trains, where their batches are made. Knows nothing about models."""

from collections.abc import Callable, Iterator
from contextlib import closing
from copy import copy
from time import perf_counter
from typing import Any, Final

import torch

from textclf.dataset.documents import DocumentNames
from textclf.models.model import Resident
from textclf.training import device
from textclf.training.batches import BatchLoader, BatchSeconds, EpochSampler, LengthSortedSampler, TokenDataset

SHARE: Final = 0.4
"""Share of the device's free memory that the documents of a part may take; as they are put there, half as much again
for a moment."""


class ResidentLoader(BatchLoader):
    """A `BatchLoader` that reads its documents once, onto the device, if they fit there; else it is as any other.

    It gives the same batches, to the bit, and its steps do not wait for the host or the device.
    """

    def __init__(
        self,
        dataset: TokenDataset,
        sampler: EpochSampler | LengthSortedSampler,
        *,
        names: DocumentNames | None,
        hold: Callable[..., Resident | None],
        processor: torch.device,
        limit: float | None = None,
        **options: Any,
    ) -> None:
        super().__init__(dataset, sampler, names=names, **options)
        whole, self._share = copy(dataset), dataset.share
        whole.share = slice(None)  # on the device of each rank are all documents: an epoch shares them out anew
        size = {"batch_size": sampler.batch_size} if isinstance(sampler, EpochSampler) else {}
        self._order = LengthSortedSampler(dataset.lengths, **size)  # each document once, and little padding
        self._source = BatchLoader(whole, self._order, names=names, **options)
        self._hold, self._processor, self._limit = hold, processor, limit
        self._documents: Resident | None = None
        self._is_tried = False
        self._seconds = 0.0

    @property
    def is_resident(self) -> bool:
        """Whether the documents are on the device; they are put there when the first batch is asked for."""
        return self._documents is not None

    def __iter__(self) -> Iterator[Any]:  # type: ignore[override]
        started = perf_counter()
        if not self._is_tried:
            self._is_tried = True
            self._documents = self._read()
        if self._documents is None:
            yield from super().__iter__()
            return
        order: Iterator[Any] = iter(self._sampler)
        for batch in self._documents.batches(order, share=self._share):
            self._seconds += perf_counter() - started
            yield batch
            started = perf_counter()

    def _read(self) -> Resident | None:
        """The documents on the device; None if there is no room for them."""
        limit = SHARE * device.free_memory(self._processor) if self._limit is None else self._limit
        try:
            with closing(self._source), closing(iter(self._source)) as batches:  # type: ignore[type-var]
                return self._hold(batches, self._order.order, device=self._processor, limit=limit)
        except torch.OutOfMemoryError:
            return None

    def seconds(self) -> BatchSeconds:
        """Time spent on batches so far, on the host."""
        making, collating = super().seconds()
        return BatchSeconds(making + self._seconds, collating)

    def close(self) -> None:
        """Free the memory of the device, and end the loader processes."""
        self._documents, self._is_tried = None, False
        super().close()
