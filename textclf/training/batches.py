"""Documents to batches: the Dataset, the samplers, and a DataLoader that names failures. Knows nothing about models.

Token ids come from one ``.pt`` file per document or from the packed copy. Both return the token ids of some documents
end to end, so that a batch holds the same tensors either way.
"""

import os
import signal
import sys
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial
from itertools import islice, pairwise
from math import ceil
from time import perf_counter
from typing import Any, Final, NamedTuple, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from textclf.dataset.directory import UNSEEN, Store
from textclf.dataset.documents import DocumentNames
from textclf.errors import TextclfError
from textclf.models.model import Examples
from textclf.models.resident import own
from textclf.system.subprocesses import searching_safely
from textclf.text.arrays import offsets
from textclf.training import loader_processes, shared_memory
from textclf.training.loader_processes import LoaderError
from textclf.training.ranks import ALONE

WORKER_TIMEOUT: Final = 120  # seconds; a worker that returns no batch in that time counts as hanging
WORKER_GRACE: Final = 3  # seconds that a worker lives after SIGTERM
BUCKET_WINDOW: Final = 50  # batches that are sorted by length together
SHOWN: Final = 5  # documents of a batch that a message names

Batch = TypeVar("Batch", bound=tuple[Tensor, ...])


class Example(NamedTuple):
    """One document."""

    tokens: Tensor
    """Shape (T,), int32, T at least 1."""
    label: int
    """Class index; -1 for a label that the training split does not have."""


class SkipCached:
    """A store that reads no tokens of documents whose features are cached."""

    def __init__(self, store: Store, is_cached: Callable[[NDArray[np.integer]], bool]) -> None:
        self.store = store
        self.is_cached = is_cached

    def gather(self, indices: NDArray[np.integer]) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        """Token ids end to end and the length of each document; no ids and lengths of 0 if all are cached."""
        if self.is_cached(indices):
            return np.empty(0, dtype=np.int32), np.zeros(len(indices), dtype=np.int64)
        return self.store.gather(indices)


class TokenDataset(Dataset[Example]):
    """The documents of one split or tier, read when they are asked for."""

    def __init__(
        self,
        store: Store,
        rows: NDArray[np.integer],
        labels: NDArray[np.integer],
        lengths: NDArray[np.integer],
        *,
        share: slice = ALONE.share,
    ) -> None:
        self.store = store
        self.share = share  # of each batch, whose tokens this rank reads
        self.rows = rows  # (D,), rows of the table of documents
        is_known = labels.min(initial=UNSEEN) >= UNSEEN  # as nearly always: without a copy of all
        self.labels = labels if is_known else np.maximum(labels, UNSEEN)  # (D,); the loss ignores this one index
        self.lengths = lengths  # (D,)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> Example:
        only = self.__getitems__([index])
        return Example(torch.from_numpy(only.tokens.copy()), int(only.labels[0]))

    def __getitems__(self, indices: Sequence[int]) -> Examples:
        """A whole batch at once; the DataLoader prefers this to ``__getitem__``.

        Several ranks share out its documents, and all get its labels. One without any reads the first, as a stand-in.
        """
        batch = np.asarray(indices)
        rows = self.rows[own(batch, self.share)]
        return Examples(*self.store.gather(rows), self.labels[batch].astype(np.int64), rows)


class EpochSampler(Sampler[Any]):
    """The batches of an epoch, as arrays of indices, shuffled by seed and epoch alone, so that a run can be repeated.

    With ``lengths`` the documents of a batch are of similar length: the shuffled epoch is cut into windows of
    BUCKET_WINDOW batches, each window is sorted by length and cut into batches, and the batches are shuffled. There is
    then hardly any padding, or time that an LSTM spends on it, while the order stays random.
    """

    def __init__(
        self, documents: int, *, batch_size: int, seed: int, lengths: NDArray[np.integer] | None = None
    ) -> None:
        self.documents = documents
        self.batch_size = batch_size
        self.seed = seed
        self.lengths = lengths  # (D,), or None: no buckets
        self.epoch = 0
        self.first = 0  # batch to start with; a resumed epoch has learnt from those before it

    def __len__(self) -> int:
        return ceil(self.documents / self.batch_size) - self.first

    def __iter__(self) -> Iterator[NDArray[np.int32]]:
        return islice(self.batches(), self.first, None)

    def batches(self) -> Iterator[NDArray[np.int32]]:
        """All batches of the epoch, also those before ``first``."""
        generator = np.random.default_rng((self.seed, self.epoch))
        order = np.arange(self.documents, dtype=np.int32)  # half as large as `permutation` gives
        generator.shuffle(order)
        if self.lengths is None:
            yield from _cut(order, self.batch_size)
            return
        window = BUCKET_WINDOW * self.batch_size
        by_length = [part[np.argsort(self.lengths[part], kind="stable")] for part in _cut(order, window)]
        batches = [batch for part in by_length for batch in _cut(part, self.batch_size)]
        yield from (batches[place] for place in generator.permutation(len(batches)))


class LengthSortedSampler(Sampler[Any]):
    """Every document once, shortest first, for evaluation: batches of similar length need little padding.

    A batch has at most ``batch_size`` documents and ``tokens`` tokens, but at least one document, so that one of the
    longest documents takes no more memory. Batches may be larger than in training, as no gradients are kept.
    """

    def __init__(self, lengths: NDArray[np.integer], *, batch_size: int = 256, tokens: int = 1 << 17) -> None:
        self.order = np.argsort(lengths, kind="stable")
        before = offsets(lengths[self.order])  # tokens of all documents before each
        self._starts = [0]
        while (start := self._starts[-1]) < len(self.order):
            end = int(np.searchsorted(before, before[start] + tokens, side="right")) - 1
            self._starts.append(min(max(end, start + 1), start + batch_size, len(self.order)))

    def __len__(self) -> int:
        return len(self._starts) - 1

    def __iter__(self) -> Iterator[NDArray[np.int64]]:
        return self.batches()

    def batches(self) -> Iterator[NDArray[np.int64]]:
        """All batches."""
        return (self.order[start:end] for start, end in pairwise(self._starts))


def _cut(order: NDArray[np.int32], batch_size: int) -> Iterator[NDArray[np.int32]]:
    return (order[start : start + batch_size] for start in range(0, len(order), batch_size))


class BatchSeconds(NamedTuple):
    """Seconds that this process, without its workers, has spent on batches."""

    making: float = 0.0
    """From their indices to their tensors."""
    collating: float = 0.0
    """The part of it in the model's ``collate``."""


class BatchLoader(DataLoader[Any]):
    """A DataLoader that makes the next batch while the caller uses the last, and names the documents of a failure."""

    def __init__(
        self,
        dataset: TokenDataset,
        sampler: EpochSampler | LengthSortedSampler,
        *,
        names: DocumentNames | None,
        **options: Any,
    ) -> None:
        super().__init__(dataset, batch_sampler=sampler, **options)
        self._rows, self._sampler, self._names = dataset.rows, sampler, names
        self._making = 0.0
        self._watch = loader_processes.Watch()

    def __iter__(self) -> Iterator[Any]:  # type: ignore[override]
        step = getattr(self._sampler, "first", 0)
        try:
            with closing(self._from_processes() if self.num_workers else self._prefetched()) as batches:
                for batch in batches:
                    yield batch
                    step += 1
        except TextclfError as error:  # the message of a worker's error includes its traceback
            raise type(error)(str(error).strip().split(f"{type(error).__name__}: ")[-1]) from error
        except Exception as error:
            if not self.num_workers:
                raise
            raise LoaderError(
                f"a loader process died, hung or failed before it had made {self.names(step)} "
                f"({str(error).strip().splitlines()[-1]}); try --num-workers 0"
            ) from error

    def names(self, step: int) -> str:
        """The first few ids of the documents in a batch of this epoch and the number of others, for messages."""
        places: NDArray[np.integer] = next(islice(self._sampler.batches(), step, None))
        rows = self._rows[places].tolist()
        names = list(map(str, rows)) if self._names is None else self._names.of(rows)
        more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
        return f"{', '.join(names[:SHOWN])}{more}"

    def _from_processes(self) -> Generator[Any, None, None]:
        """The batches, made by loader processes; raises RuntimeError if one has died."""
        self._watch.begin()
        with self._watch.naming_dead(), searching_safely(), loader_processes.beginning():
            batches = super().__iter__()
            self._watch.watch(batches)
        for _ in range(len(self)):  # and no step more: it does not matter who dies after the last batch
            with self._watch.naming_dead():
                batch = next(batches)
            yield batch

    def _prefetched(self) -> Generator[Any, None, None]:
        """The batches, each made by a thread while the caller uses the one before.

        A thread starts at once, and sends nothing between processes.
        """
        batches = super().__iter__()
        with ThreadPoolExecutor(1, thread_name_prefix="batches") as thread:
            coming = thread.submit(self._next, batches)
            while (batch := coming.result()) is not None:
                coming = thread.submit(self._next, batches)
                yield batch

    def _next(self, batches: Iterator[Any]) -> Any:
        started = perf_counter()
        batch = next(batches, None)
        self._making += perf_counter() - started
        return batch

    def seconds(self) -> BatchSeconds:
        """Time spent on batches so far."""
        return BatchSeconds(self._making, getattr(self.collate_fn, "seconds", 0.0))

    def close(self) -> None:
        """End the loader processes now: left to the garbage collector, one that hangs would hold up the program."""
        if self.num_workers and self._iterator is not None:
            loader_processes.end(self._iterator)
            self._iterator = None
        self._watch.end()


class Timed:
    """Calls a function, and adds up the seconds that it takes."""

    def __init__(self, function: Callable[[Any], Any]) -> None:
        self.function = function
        self.seconds = 0.0

    def __call__(self, argument: Any) -> Any:
        """The function's result."""
        started = perf_counter()
        result = self.function(argument)
        self.seconds += perf_counter() - started
        return result


def make_loader(  # noqa: PLR0913 (what a DataLoader needs)
    dataset: TokenDataset,
    sampler: EpochSampler | LengthSortedSampler,
    collate: Callable[[Any], Any],
    *,
    num_workers: int,
    device: torch.device,
    names: DocumentNames | None = None,
    kind: Callable[..., BatchLoader] = BatchLoader,
) -> BatchLoader:
    """A DataLoader that reads the sampler's batches in ``num_workers`` processes (0: in this one).

    ``collate`` turns Examples into a model's batch. It must be a module-level function or a partial of one, because
    workers may be sent it. Batches for a CUDA device are in pinned memory, from which they are copied while the device
    computes. ``names`` are those of the documents by row, for messages. ``kind`` is called for the loader.
    """
    return kind(
        dataset,
        sampler,
        names=names,
        collate_fn=Timed(partial(_collated, collate)),
        num_workers=num_workers,
        pin_memory=device.type == "cuda",
        persistent_workers=num_workers > 0,
        worker_init_fn=_leave_to_the_parent,
        generator=torch.Generator(),  # its own: drawing seeds for workers must not change the numbers of dropout
        timeout=WORKER_TIMEOUT if num_workers else 0,
    )


def _collated(collate: Callable[[Any], Any], examples: Examples) -> Any:
    return shared_memory.hand_over(collate(examples))


def _leave_to_the_parent(_worker: int) -> None:
    """Leave signals and messages to the parent.

    Survive Ctrl-C and SIGTERM, which reach every process of a terminal or container, while the parent saves. Python
    also sends SIGTERM to the workers that a failed run leaves behind: after a grace period it takes effect. A parent
    that stops in the middle of receiving a batch would have a traceback printed here.
    """
    sys.excepthook = lambda *_: None
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(signal, "alarm"):  # not on Windows, where nobody sends SIGTERM
        signal.signal(signal.SIGTERM, lambda _signal, _frame: signal.alarm(WORKER_GRACE))
        signal.signal(signal.SIGALRM, lambda _signal, _frame: os._exit(0))


def to_device(batch: Batch, device: torch.device) -> Batch:
    """The batch with its tensors on the device; from pinned memory the copy overlaps with computation."""
    return type(batch)(*(tensor.to(device, non_blocking=True) for tensor in batch))
