"""Documents to batches: the Dataset, the order of an epoch, the multi-worker DataLoader. Knows nothing about models.

Both stores answer the same question, "the token ids of these documents, end to end", so a batch is the same tensors
whether it was read from one ``.pt`` file a document or gathered from the packed copy.
"""

import os
import signal
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from itertools import islice, pairwise
from math import ceil
from time import perf_counter
from typing import Any, Final, NamedTuple, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from textclf.dataset.directory import DataDirectory, Store
from textclf.errors import ResourceError, TextclfError
from textclf.models.model import Examples
from textclf.text.ragged import offsets

WORKER_TIMEOUT: Final = 120  # seconds; a worker that hangs is found, not waited for
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


class Unread:
    """A store without what it need not read: of documents that are known otherwise there are no tokens."""

    def __init__(self, store: Store, known: Callable[[NDArray[np.int64]], bool]) -> None:
        self.store = store
        self.known = known

    def gather(self, indices: NDArray[np.int64]) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        """As the store gives them; none, and lengths of 0, if all of these are known."""
        if self.known(indices):
            return np.empty(0, dtype=np.int32), np.zeros(len(indices), dtype=np.int64)
        return self.store.gather(indices)


class TokenDataset(Dataset[Example]):
    """The documents of one split or tier, read by their ids when asked for."""

    def __init__(
        self, store: Store, rows: NDArray[np.int64], labels: NDArray[np.int64], lengths: NDArray[np.int64]
    ) -> None:
        self.store = store
        self.rows = rows  # (D,), places in documents.parquet
        self.labels = labels  # (D,)
        self.lengths = lengths  # (D,)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> Example:
        only = self.__getitems__([index])
        return Example(torch.from_numpy(only.tokens.copy()), int(only.labels[0]))

    def __getitems__(self, indices: Sequence[int]) -> Examples:
        """A whole batch at once: the DataLoader calls this where it exists."""
        rows = self.rows[np.asarray(indices)]
        return Examples(*self.store.gather(rows), self.labels[np.asarray(indices)], rows)


def datasets(data: DataDirectory, *, tier: str, store: str) -> dict[str, TokenDataset]:
    """The training tier, and validation and test where the data has them, by split name."""
    tokens = data.store(store)
    return {split: TokenDataset(tokens, *part) for split, part in data.parts(tier).items()}


class EpochSampler(Sampler[Any]):
    """The batches of an epoch, as arrays of indices: a function of seed and epoch alone, so that a run can be repeated.

    With ``lengths`` the documents of a batch are of similar length: the shuffled epoch is cut into windows of
    BUCKET_WINDOW batches, each window is sorted by length and cut into batches, and the batches are shuffled. Padding,
    and the time an LSTM spends on it, nearly vanishes, while the order stays random.
    """

    def __init__(self, documents: int, *, batch_size: int, seed: int, lengths: NDArray[np.int64] | None = None) -> None:
        self.documents = documents
        self.batch_size = batch_size
        self.seed = seed
        self.lengths = lengths  # (D,), or None: no buckets
        self.epoch = 0
        self.first = 0  # batch to begin with; those before it were learnt from before a stop

    def __len__(self) -> int:
        return ceil(self.documents / self.batch_size) - self.first

    def __iter__(self) -> Iterator[NDArray[np.int64]]:
        return islice(self.batches(), self.first, None)

    def batches(self) -> Iterator[NDArray[np.int64]]:
        """All batches of the epoch."""
        generator = np.random.default_rng((self.seed, self.epoch))
        order = generator.permutation(self.documents)
        if self.lengths is None:
            yield from _cut(order, self.batch_size)
            return
        window = BUCKET_WINDOW * self.batch_size
        by_length = [part[np.argsort(self.lengths[part], kind="stable")] for part in _cut(order, window)]
        batches = [batch for part in by_length for batch in _cut(part, self.batch_size)]
        yield from (batches[place] for place in generator.permutation(len(batches)))


class InOrder(Sampler[Any]):
    """Every document once, shortest first, for evaluation: batches of similar length pad little.

    A batch of long documents has fewer of them: as many as have so many ``tokens`` together, but at least one.
    """

    def __init__(self, lengths: NDArray[np.integer], *, batch_size: int, tokens: int | None = None) -> None:
        self.order = np.argsort(lengths, kind="stable")
        through = offsets(lengths[self.order])  # tokens of the documents before each
        self._starts = [0]
        while (start := self._starts[-1]) < len(self.order):
            most = start + batch_size
            if tokens is not None:
                most = min(most, int(np.searchsorted(through, through[start] + tokens, side="right")) - 1)
            self._starts.append(min(max(most, start + 1), len(self.order)))

    def __len__(self) -> int:
        return len(self._starts) - 1

    def __iter__(self) -> Iterator[NDArray[np.int64]]:
        return self.batches()

    def batches(self) -> Iterator[NDArray[np.int64]]:
        """All of them."""
        return (self.order[start:end] for start, end in pairwise(self._starts))


def _cut(order: NDArray[np.int64], batch_size: int) -> Iterator[NDArray[np.int64]]:
    return (order[start : start + batch_size] for start in range(0, len(order), batch_size))


class Spent(NamedTuple):
    """Seconds that this process has spent on batches."""

    making: float = 0.0
    """From their indices to their tensors."""
    collating: float = 0.0
    """The part of it that a model's ``collate`` took."""


class BatchLoader(DataLoader[Any]):
    """A DataLoader that is a batch ahead, and that says of a failure, wherever it was, which documents it hit."""

    def __init__(
        self, dataset: TokenDataset, sampler: EpochSampler | InOrder, *, ids: NDArray[Any] | None, **given: Any
    ) -> None:
        super().__init__(dataset, batch_sampler=sampler, **given)
        self._rows, self._sampler, self._ids = dataset.rows, sampler, ids
        self._making = 0.0

    def __iter__(self) -> Iterator[Any]:  # type: ignore[override]
        step = getattr(self._sampler, "first", 0)
        try:
            with closing(self._ahead(super().__iter__())) as ahead:
                for batch in ahead:
                    yield batch
                    step += 1
        except TextclfError as error:  # from a worker its message has the traceback around it
            raise type(error)(str(error).strip().split(f"{type(error).__name__}: ")[-1]) from error
        except Exception as error:
            if not self.num_workers:
                raise
            raise ResourceError(
                f"a loader process died, hung or failed before it had made {self.names(step)} "
                f"({str(error).strip().splitlines()[-1]}); try --num-workers 0"
            ) from error

    def names(self, step: int) -> str:
        """The documents of a batch of this epoch, for people: the first few ids, and how many there are."""
        places = next(islice(self._sampler.batches(), step, None))
        rows = self._rows[places]
        names = [str(name) for name in (rows if self._ids is None else self._ids[rows])]
        more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
        return f"{', '.join(names[:SHOWN])}{more}"

    def _ahead(self, batches: Iterator[Any]) -> Generator[Any, None, None]:
        """The batches, of which a thread makes the next while the caller works on the last.

        It starts at once, and nothing is sent between processes. Where workers make the batches, there is none.
        """
        if self.num_workers:
            yield from batches
            return
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

    def spent(self) -> Spent:
        """What batches have taken so far, without what workers did."""
        return Spent(self._making, getattr(self.collate_fn, "seconds", 0.0))

    def close(self) -> None:
        """End the worker processes now: left alone they can hold the program up, one that hangs for ever."""
        if self.num_workers and self._iterator is not None:
            workers = self._iterator._workers  # type: ignore[attr-defined]
            self._iterator._shutdown_workers()  # type: ignore[attr-defined]
            self._iterator = None
            for worker in workers:
                worker.kill()


class Timed:
    """A function that counts the seconds it takes."""

    def __init__(self, function: Callable[[Any], Any]) -> None:
        self.function = function
        self.seconds = 0.0

    def __call__(self, argument: Any) -> Any:
        """What the function returns."""
        started = perf_counter()
        result = self.function(argument)
        self.seconds += perf_counter() - started
        return result


def batches(
    dataset: TokenDataset,
    sampler: EpochSampler | InOrder,
    collate: Callable[[Any], Any],
    *,
    num_workers: int,
    device: torch.device,
    ids: NDArray[Any] | None = None,
) -> BatchLoader:
    """A DataLoader that reads the sampler's batches in ``num_workers`` processes (0: in this one).

    ``collate`` makes Examples a model's Batch. It must be a module-level function or a partial of one: workers may be
    started afresh and sent it. Batches for a CUDA device come in pinned memory, from which they are copied while the
    device computes. ``ids`` names the documents of all rows, for messages.
    """
    return BatchLoader(
        dataset,
        sampler,
        ids=ids,
        collate_fn=Timed(collate),
        num_workers=num_workers,
        pin_memory=device.type == "cuda",
        persistent_workers=num_workers > 0,
        worker_init_fn=_leave_signals_to_the_parent,
        generator=torch.Generator(),  # its own: workers draw seeds, which must not move the one of dropout
        timeout=WORKER_TIMEOUT if num_workers else 0,
    )


def _leave_signals_to_the_parent(_worker: int) -> None:
    """Outlive Ctrl-C and SIGTERM, which reach every process of a terminal or container, while the parent saves.

    SIGTERM is also how Python ends the workers that a failed run leaves behind, so after a grace it must do its work.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(signal, "alarm"):  # not on Windows, where nobody sends SIGTERM
        signal.signal(signal.SIGTERM, lambda _signal, _frame: signal.alarm(WORKER_GRACE))
        signal.signal(signal.SIGALRM, lambda _signal, _frame: os._exit(0))


def to_device(batch: Batch, device: torch.device) -> Batch:
    """The batch with its tensors on the device; the copy overlaps with computation if they are pinned."""
    return type(batch)(*(tensor.to(device, non_blocking=True) for tensor in batch))
