"""Adam, and what it leaves alone: the embeddings that a batch has nothing of, in a large vocabulary most of them."""

from collections import deque
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from threading import local
from typing import Any, Final

import torch
from torch import Tensor, nn
from torch.optim.adam import adam

FEW_ROWS: Final = 1 / 6
"""Share of a table's rows up to which moving them alone takes less time than moving all: reading rows here and there
and writing them back takes several times as long as passing through memory in order."""

PIECE: Final = 1 << 20
"""Numbers of a table that a CPU moves at once, 4 MB: their gradient is written, read and forgotten in its cache, and
calling torch a dozen times a piece takes little beside."""


class Adam:
    """Adam (https://arxiv.org/abs/1412.6980), by torch's own kernel.

    Of a parameter with a sparse gradient it moves only the rows that have one, if they are few. The means of the other
    rows' gradients wait, as in torch's SparseAdam, which takes three times as long. A sparse gradient must have each
    row once.

    It has the methods of `torch.optim.Adam`, but none of its bases: the first of those to be made loads torch's
    compiler, for a second or two, which is longer than a small model takes to train.
    """

    def __init__(
        self,
        parameters: Iterable[nn.Parameter],
        *,
        lr: float,
        betas: tuple[float, float] = (0.9, 0.999),
        fused: bool = False,
    ) -> None:
        self.parameters = list(parameters)
        self.lr = lr
        self.betas = betas
        self.fused = fused  # one kernel for all that a step does to a parameter: five times as fast on a CPU, too
        self.state: dict[Tensor, dict[str, Tensor]] = {parameter: _begin(parameter) for parameter in self.parameters}

    def zero_grad(self) -> None:
        """Forget the gradients."""
        for parameter in self.parameters:
            parameter.grad = None

    @torch.no_grad()
    def step(self, *, unless: Tensor | None = None) -> None:
        """Move the parameters that have a gradient, unless this number () is 1: a GPU sees to that without a wait."""
        if unless is not None and not self.fused and unless:
            return
        whole: dict[Tensor, Tensor] = {}
        for parameter in self.parameters:
            gradient = parameter.grad
            if gradient is None:
                continue
            if gradient.is_sparse:
                rows, values = gradient._indices()[0], gradient._values()  # (R,), (R, H)
                is_few = len(rows) <= FEW_ROWS * len(parameter)
                (self._move_rows if is_few else self._move_table)(parameter, rows, values, unless)
            else:
                whole[parameter] = gradient
        self._move(list(whole), list(whole.values()), [self.state[parameter] for parameter in whole], unless)

    def _move_rows(self, parameter: Tensor, rows: Tensor, gradient: Tensor, unless: Tensor | None) -> None:
        state = self.state[parameter]
        tables = (parameter, state["exp_avg"], state["exp_avg_sq"])
        moved, mean, square = (table.index_select(0, rows) for table in tables)  # each (R, H)
        self._move([moved], [gradient], [{**state, "exp_avg": mean, "exp_avg_sq": square}], unless)
        for table, changed in zip(tables, (moved, mean, square), strict=True):
            table.index_copy_(0, rows, changed)

    def _move_table(self, parameter: Tensor, rows: Tensor, gradient: Tensor, unless: Tensor | None) -> None:
        """Move all rows, piece by piece: a gradient of the whole table would take as much memory as that."""
        state = self.state[parameter]
        size = len(parameter) if parameter.device.type != "cpu" else max(1, PIECE // parameter[0].numel())
        tables = [table.split(size) for table in (parameter, state["exp_avg"], state["exp_avg_sq"])]
        count = len(tables[0])
        counts = torch.bincount(rows // size, minlength=count).tolist() if count > 1 else [len(rows)]
        gradients = zip((rows % size).split(counts), gradient.split(counts), strict=True)
        steps = [*(state["step"].clone() for _ in range(count - 1)), state["step"]]  # which counts one step for all
        each, zeros_like = (map, torch.zeros_like) if count == 1 else (self._threads.map, self._zeros_like)

        @torch.no_grad()  # which each thread must say for itself
        def move(piece: Tensor, mean: Tensor, square: Tensor, step: Tensor, found: tuple[Tensor, Tensor]) -> None:
            whole = zeros_like(piece).index_copy_(0, *found)
            self._move([piece], [whole], [{"step": step, "exp_avg": mean, "exp_avg_sq": square}], unless)

        deque(each(move, *tables, steps, gradients), maxlen=0)

    @cached_property
    def _threads(self) -> ThreadPoolExecutor:
        """Threads that take a piece each.

        Those of torch share out each of its short operations, and wake and wait for each other a dozen times a piece,
        which takes as long as the work.
        """
        return ThreadPoolExecutor(torch.get_num_threads(), "pieces", initializer=torch.set_num_threads, initargs=(1,))

    @cached_property
    def _of_thread(self) -> local:
        """What each thread keeps."""
        return local()

    def _zeros_like(self, piece: Tensor) -> Tensor:
        """Zeros where this thread had some before: room that is new each time leaves holes in memory, 15 MB of them."""
        room: Tensor = getattr(self._of_thread, "room", piece[:0])
        if room.numel() < piece.numel() or room.dtype != piece.dtype:
            room = self._of_thread.room = torch.empty_like(piece)
        return room.flatten()[: piece.numel()].view_as(piece).zero_()

    def _move(
        self,
        parameters: list[Tensor],
        gradients: list[Tensor],
        states: list[dict[str, Tensor]],
        unless: Tensor | None,
    ) -> None:
        adam(
            parameters,
            gradients,
            [state["exp_avg"] for state in states],
            [state["exp_avg_sq"] for state in states],
            [],
            [state["step"] for state in states],
            amsgrad=False,
            beta1=self.betas[0],
            beta2=self.betas[1],
            lr=self.lr,
            weight_decay=0.0,
            eps=1e-8,
            maximize=False,
            fused=self.fused,
            found_inf=unless if self.fused else None,
        )

    def forget(self) -> None:
        """Let go of parameters, gradients and means, several times the size of the model: it takes no more steps."""
        self.zero_grad()
        self._threads.shutdown()
        self.state.clear()
        self.parameters.clear()

    def state_dict(self) -> dict[str, Any]:
        """All that `load_state_dict` needs to go on."""
        return {"lr": self.lr, "betas": self.betas, "state": [self.state[parameter] for parameter in self.parameters]}

    def load_state_dict(self, saved: Mapping[str, Any]) -> None:
        """Go on from there; raises ValueError if it is of other parameters."""
        for parameter, state in zip(self.parameters, saved["state"], strict=True):
            if state["exp_avg"].shape != parameter.shape:
                raise ValueError(f"a state of shape {state['exp_avg'].shape} for {parameter.shape}")
            for name, value in self.state[parameter].items():
                value.copy_(state[name])
        self.lr, self.betas = saved["lr"], tuple(saved["betas"])


def _begin(parameter: Tensor) -> dict[str, Tensor]:
    return {
        "step": torch.zeros((), device=parameter.device),
        "exp_avg": torch.zeros_like(parameter, requires_grad=False),
        "exp_avg_sq": torch.zeros_like(parameter, requires_grad=False),
    }
