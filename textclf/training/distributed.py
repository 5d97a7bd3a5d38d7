"""The ranks that torchrun starts, and what they send each other: logits, gradients, and at the start the weights.

gloo connects them on CPUs, NCCL the CUDA devices. Sums are in the same order everywhere and every time, so that all
ranks keep the same bits, and a run can be repeated. Nothing is pickled.

Shapes: V views of the documents, B documents in a batch of all ranks, S in the share of this rank, C classes, N ranks,
P parameters, R rows that the gradient of a table (F, H) has.
"""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from hashlib import blake2b
from io import BytesIO
from pathlib import Path
from typing import Any, Final

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch._C._distributed_c10d import PrefixStore, Store, TCPStore
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from textclf.errors import UsageError
from textclf.system import failures, signals
from textclf.system.torchrun import Process
from textclf.system.wording import counted
from textclf.training import device
from textclf.training.checkpoint import Progress
from textclf.training.learner import Learner
from textclf.training.loop import EarlyStopping, MidEpoch
from textclf.training.ranks import LostRankError

TIMEOUT: Final = timedelta(hours=2)
"""How long a rank waits for the others: the first alone makes the initial weights, and at the end tests the model."""

NO_GRADIENT: Final = -2
DENSE: Final = -1
"""In the place of the number of rows of a sparse gradient."""


class Distributed:
    """This process as one of N ranks. Raises LostRankError wherever it waits for one that has ended."""

    def __init__(self, process: Process, store: Store) -> None:
        self.rank, self.count, self.local_count = process.rank, process.ranks, process.local_ranks
        self.share = slice(self.rank, None, self.count)
        self._process = process
        self._store = store
        self._given = self._agreed = 0

    def pick(self, name: str) -> torch.device:
        """The CUDA device of this process's number on its machine, if CUDA is asked for or there, else the CPU."""
        picked = device.pick(name)
        if picked.type == "cpu":
            return picked
        if picked.type != "cuda" or (picked.index is not None and self.local_count > 1):
            raise UsageError(f"torchrun gives each process a device of its own: --device cuda or cpu, not {name}")
        if (found := torch.cuda.device_count()) < self.local_count:
            processes = counted(self.local_count, "process", "processes")
            raise UsageError(
                f"this machine has {counted(found, 'CUDA device')} for {processes}; "
                f"try torchrun --nproc-per-node {found}, or --device cpu"
            )
        return picked if picked.index is not None else torch.device("cuda", self._process.local_rank)

    def describe(self, processor: torch.device) -> str:
        """A sentence for the user."""
        backend = "NCCL" if processor.type == "cuda" else "gloo"
        return f"{counted(self.count, 'process', 'processes')} over {backend}, each on its share of every batch"

    # Each step --------------------------------------------------------------------------------------------------------

    def gather(self, own: Tensor, documents: int) -> Tensor:
        """Logits (V, B, C) of a batch, whose gradient flows back to this rank's own (V, S, C)."""
        whole: Tensor = _Gathered.apply(own, documents, self)  # type: ignore[no-untyped-call]
        return whole

    def sum_gradients(self, model: nn.Module) -> None:
        """Add up the gradients of all ranks: dense ones in one piece, sparse ones row by row."""
        parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
        given = [self._given, *(_rows(parameter.grad) for parameter in parameters)]
        found = torch.stack(self._gather(torch.tensor(given)))  # (N, 1 + P)
        self._agreed = int(found[:, 0].max())
        rows = found[:, 1:].T.tolist()  # P times N
        self._sum_dense([parameter for parameter, each in zip(parameters, rows, strict=True) if DENSE in each])
        for parameter, each in zip(parameters, rows, strict=True):
            if max(each) >= 0:
                self._sum_rows(parameter, [max(count, 0) for count in each])
        for buffer in model.buffers():  # such as the running means of a BatchNorm, which are of the share alone
            self._broadcast(buffer)

    def _sum_dense(self, parameters: Sequence[nn.Parameter]) -> None:
        if not parameters:
            return
        gradients = [torch.zeros_like(each) if each.grad is None else each.grad for each in parameters]
        flat = torch.cat([gradient.flatten() for gradient in gradients])
        with _losing_ranks(self.count):
            dist.all_reduce(flat)
        for parameter, total in zip(parameters, flat.split([each.numel() for each in parameters]), strict=True):
            parameter.grad = total.view_as(parameter).to(parameter.dtype)

    def _sum_rows(self, parameter: nn.Parameter, counts: Sequence[int]) -> None:
        """NCCL cannot add sparse gradients: each rank gets the rows of all, and adds them in the order of the ranks."""
        own = parameter.grad
        rows = parameter.new_empty(0, dtype=torch.int64) if own is None else own._indices()[0]  # (R,) distinct
        values = parameter.new_empty(0, *parameter.shape[1:]) if own is None else own._values()  # (R, H)
        all_rows, all_values = self._gather(rows.int(), counts), self._gather(values, counts)
        places, where = torch.unique(torch.cat(all_rows), return_inverse=True)  # rising
        total = values.new_zeros(len(places), *values.shape[1:])
        for place, value in zip(where.split(list(counts)), all_values, strict=True):
            total.index_add_(0, place, value)
        parameter.grad = torch.sparse_coo_tensor(
            places.long()[None], total, parameter.shape, is_coalesced=True, check_invariants=False
        )

    @contextmanager
    def own_random_numbers(self, processor: torch.device) -> Iterator[None]:
        """Seed with a digest of the common random state and the rank; afterwards with the digest alone."""
        if self.count == 1:  # as in one process
            yield
            return
        digest = blake2b(device.random_state(processor).numpy().tobytes(), digest_size=7).digest()
        seed = int.from_bytes(digest) << 7  # below 2**63; room for 128 ranks before seeds could meet
        torch.manual_seed(seed + self.rank)
        yield
        torch.manual_seed(seed)

    def agree(self, number: int) -> int:
        """What `sum_gradients` found in the last step; this number travels with the next one's."""
        self._given = number
        return self._agreed

    # Before and after -------------------------------------------------------------------------------------------------

    def remember(self, run: Path) -> None:
        """Keep the run's name where the next attempt finds it."""
        self._store.set("run", str(run))

    def hand_out(self, learner: Learner, stopping: EarlyStopping, progress: Progress, run: Path) -> None:
        """Give the others what the first starts from."""
        state = {
            "run": str(run),
            "best_epoch": stopping.best_epoch,
            "best_loss": stopping.best_loss,
            "epoch": progress.epoch,
            "seconds": progress.seconds,
            "mid_epoch": progress.mid_epoch and progress.mid_epoch._asdict(),
        }
        self._send(state)
        for tensor in _tensors(learner):
            self._broadcast(tensor)

    def tell(self, message: dict[str, Any]) -> None:
        """Say something to the others, who `hear` it; in numbers, text and tensors."""
        self._send(message)

    def hear(self) -> dict[str, Any] | None:
        """What the first rank says, with `tell`; None if it found the run finished."""
        said: dict[str, Any] | None = self._send(None)
        return said

    def take(self, learner: Learner, stopping: EarlyStopping) -> tuple[Path, Progress] | None:
        """What `hand_out` gives: the run, and its progress. None if the first found it finished."""
        state = self._send(None)
        if state is None:
            return None
        for tensor in _tensors(learner):
            self._broadcast(tensor)
        stopping.best_epoch, stopping.best_loss = state["best_epoch"], state["best_loss"]
        mid_epoch = MidEpoch(**state["mid_epoch"]) if state["mid_epoch"] else None
        return Path(state["run"]), Progress(state["epoch"], state["seconds"], mid_epoch)

    def end(self) -> None:
        """Say to the others, in place of `tell` and `hand_out`, that the run is finished."""
        self._send(None)

    def run_before(self) -> Path | None:
        """The run that these processes trained when torchrun started them the last time."""
        return Path(self._store.get("run").decode()) if self._store.check(["run"]) else None

    def wait(self) -> None:
        """Wait until all ranks have come here."""
        self._gather(torch.zeros(1))

    def refuse_differences(self, record: dict[str, Any]) -> None:
        """Raise UsageError if a rank has another record, of JSON values, than the first."""
        content = torch.frombuffer(bytearray(json.dumps(record).encode()), dtype=torch.uint8)
        counts = [int(size) for size in self._gather(torch.tensor([len(content)]))]
        first, *others = (json.loads(each.numpy().tobytes()) for each in self._gather(content, counts))
        for rank, other in enumerate(others, start=1):
            names = [*first, *(name for name in other if name not in first)]
            differing = [
                f"{name} is {other.get(name)!r} and not {first.get(name)!r}"
                for name in names
                if first.get(name) != other.get(name)
            ]
            if differing:
                raise UsageError(f"process {rank} of torchrun has not what process 0 has: {', '.join(differing)}")

    def is_first_to_fail(self) -> bool:
        """Whether no other process of this machine has asked before: one says what is wrong."""
        try:
            return self._store.add(f"failed-{self._process.attempt}-{self._process.machine}", 1) == 1
        except RuntimeError:  # the store has ended with the process that kept it
            return True

    def _gather(self, own: Tensor, counts: Sequence[int] | None = None) -> list[Tensor]:
        """A tensor of each rank; they have ``counts`` rows, if not equally many."""
        counts = counts or [len(own)] * self.count
        most = max(counts)
        if not most:
            return [own] * self.count
        padded = own.new_zeros(most, *own.shape[1:])
        padded[: len(own)] = own
        found = [torch.empty_like(padded) for _ in counts]
        with _losing_ranks(self.count):
            dist.all_gather(found, padded)
        return [part[:count] for part, count in zip(found, counts, strict=True)]

    def _broadcast(self, tensor: Tensor) -> None:
        """Put what the first rank has into the tensor."""
        with _losing_ranks(self.count):
            dist.broadcast(tensor, src=0)

    def _send(self, message: dict[str, Any] | None) -> Any:
        """What the first rank says, in numbers, text and tensors."""
        file = BytesIO()
        if self.rank == 0:
            torch.save(message, file)
        content = torch.frombuffer(bytearray(file.getvalue() or b"\0"), dtype=torch.uint8)
        size = torch.tensor([len(content)])
        self._broadcast(size)
        content = content if self.rank == 0 else torch.empty(int(size), dtype=torch.uint8)
        self._broadcast(content)
        return torch.load(BytesIO(content.numpy().tobytes()), weights_only=True)


class _Gathered(Function):
    """Logits of the whole batch. The gradient of what all ranks compute from them is the same; each takes its part."""

    @staticmethod
    def forward(ctx: Any, own: Tensor, documents: int, ranks: Distributed) -> Tensor:
        """Of (V, S, C), shape (V, B, C). A batch of fewer documents than ranks leaves some with a stand-in of S = 1."""
        ctx.shape, ctx.share = own.shape, ranks.share
        counts = [len(range(rank, documents, ranks.count)) for rank in range(ranks.count)]
        whole = own.new_empty(own.shape[0], documents, own.shape[2])
        by_document = own[:, : counts[ranks.rank]].transpose(0, 1)  # (S, V, C)
        for rank, logits in enumerate(ranks._gather(by_document, counts)):
            whole[:, rank :: ranks.count] = logits.transpose(0, 1)
        return whole

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        """Of (V, B, C), shape (V, S, C); 0 for a stand-in."""
        part = gradient[:, ctx.share]
        if part.shape == ctx.shape:
            return part, None, None  # in the memory order of one process, so that sums of one rank have its bits
        own = part.new_zeros(ctx.shape)
        own[:, : part.shape[1]] = part
        return own, None, None


def _rows(gradient: Tensor | None) -> int:
    if gradient is None:
        return NO_GRADIENT
    return gradient._nnz() if gradient.is_sparse else DENSE


def _tensors(learner: Learner) -> Iterator[Tensor]:
    """All that a learner is made of, in place."""
    yield from learner.model.state_dict().values()
    yield from learner.average.state_dict().values()
    for parameter in learner.optimizer.parameters:
        yield from learner.optimizer.state[parameter].values()


@contextmanager
def _losing_ranks(count: int) -> Iterator[None]:
    """Raise LostRankError for what the library that connects the ranks raises when one is gone."""
    try:
        yield
    except RuntimeError as error:
        signals.block()
        raise LostRankError(f"one of the {counted(count, 'process', 'processes')} of torchrun has ended") from error


@contextmanager
def joined(process: Process) -> Iterator[Distributed]:
    """This process as a rank, connected with the others.

    Of the errors that end the processes of a machine the first is raised, and the others exit silently with its code.
    """
    # Each attempt has names of its own in the store: in the last one's, ranks would find the addresses of dead ones
    # (https://github.com/pytorch/pytorch/issues/167288).
    store = TCPStore(
        process.address,
        process.port,
        process.ranks,
        is_master=not process.has_store and process.rank == 0,
        timeout=TIMEOUT,
        wait_for_workers=False,
    )
    ranks = Distributed(process, PrefixStore("textclf", store))
    backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() and dist.is_nccl_available() else "gloo"
    try:
        with _losing_ranks(process.ranks):
            dist.init_process_group(
                backend,
                store=PrefixStore(f"textclf-{process.attempt}", store),
                rank=process.rank,
                world_size=process.ranks,
                timeout=TIMEOUT,
            )
        yield ranks
    except Exception as error:
        explained = failures.explain(error)
        if not ranks.is_first_to_fail():
            raise SystemExit(explained.exit_code if explained else 1) from error
        raise
    finally:
        if dist.is_initialized():
            dist.destroy_process_group()
