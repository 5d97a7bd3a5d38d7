"""What training changes: the weights of a model, their running mean, and the optimizer's state."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.utils import get_total_norm
from torch.optim.adam import adam
from torch.optim.swa_utils import AveragedModel

AVERAGE_EVERY: Final = 4
"""Average the weights every this many steps: averaging costs as much as a step of Adam."""

AVERAGE_DECAY: Final = 0.96
"""Weight of the mean so far, from the 25th averaging (100 steps) on."""

FEW_ROWS: Final = 1 / 6
"""Largest share of a table's rows that are updated alone. Gathering scattered rows and writing them back is several
times slower per row than passing through the whole table in memory order."""

PIECE: Final = 1 << 20
"""Numbers of a table that a CPU updates at once: 4 MB, which stay in its cache. All at once, training on 20newsgroups
takes a tenth more time and 48 MB more of 480, for the dense gradient of the whole table."""


@torch.no_grad()
def start_at_log_odds(model: nn.Module, counts: NDArray[np.int64], *, documents: int) -> None:
    """Set the biases of the output layers to the log odds of each of C classes, shape (C,), of so many documents each.

    Otherwise a document would be thought to have each of many rare labels by half (https://arxiv.org/abs/1708.02002).
    """
    share = (counts + 1) / (documents + 2)
    log_odds = torch.from_numpy(np.log(share / (1 - share)))
    for layer in model.modules():
        if isinstance(layer, nn.Linear) and layer.out_features == len(counts) and layer.bias is not None:
            layer.bias.copy_(log_odds)


class Adam:
    """Adam (https://arxiv.org/abs/1412.6980) on torch's own kernel, for dense and for row-sparse gradients.

    A sparse gradient must be coalesced. If it covers few rows, only these rows and their moments are updated, as in
    `torch.optim.SparseAdam`, at a third of its time; otherwise all rows are updated, as with a dense gradient.

    Not a `torch.optim.Optimizer`: creating the first one imports torch's compiler, for one to two seconds, which is
    longer than a small model trains.
    """

    def __init__(
        self,
        parameters: Iterable[nn.Parameter],
        *,
        lr: float,
        betas: tuple[float, float] = (0.9, 0.999),
        fused: bool = False,
        few_rows: float = FEW_ROWS,
        piece: int = PIECE,
    ) -> None:
        self.parameters = list(parameters)
        self.lr = lr
        self.betas = betas
        self.epsilon = 1e-8  # added to the root of the mean squared gradient
        self.fused = fused  # one kernel per parameter and step: five times as fast, on a CPU too
        self.few_rows = few_rows
        self.piece = piece
        self.state: dict[Tensor, dict[str, Tensor]] = {parameter: _initial(parameter) for parameter in self.parameters}
        self._zeros: dict[Tensor, Tensor] = {}

    def zero_grad(self) -> None:
        """Forget the gradients."""
        for parameter in self.parameters:
            parameter.grad = None

    @torch.no_grad()
    def step(self, *, unless: Tensor | None = None) -> None:
        """Update the parameters that have a gradient, unless the scalar ``unless`` is 1; needs no GPU sync."""
        if unless is not None and not self.fused and unless:
            return
        dense: dict[Tensor, Tensor] = {}
        for parameter in self.parameters:
            gradient = parameter.grad
            if gradient is None:
                continue
            if not gradient.is_sparse:
                dense[parameter] = gradient
            elif gradient._nnz() <= self.few_rows * len(parameter):
                self._update_rows(parameter, gradient, unless)
            else:
                self._update_table(parameter, gradient, unless)
        self._update(list(dense), list(dense.values()), [self.state[parameter] for parameter in dense], unless)

    def _update_rows(self, parameter: Tensor, gradient: Tensor, unless: Tensor | None) -> None:
        rows, values = gradient._indices()[0], gradient._values()  # (R,), (R, H)
        state = self.state[parameter]
        tables = (parameter, state["exp_avg"], state["exp_avg_sq"])
        weights, mean, square = (table.index_select(0, rows) for table in tables)  # each (R, H)
        self._update([weights], [values], [{**state, "exp_avg": mean, "exp_avg_sq": square}], unless)
        for table, updated in zip(tables, (weights, mean, square), strict=True):
            table.index_copy_(0, rows, updated)

    def _update_table(self, parameter: Tensor, gradient: Tensor, unless: Tensor | None) -> None:
        """Update all rows, on a CPU piece by piece; a piece of the dense gradient takes the memory of the last one."""
        rows, values = gradient._indices()[0], gradient._values()  # (R,) ascending, (R, H)
        state, length = self.state[parameter], len(parameter)
        size = max(1, self.piece // parameter[0].numel()) if parameter.device.type == "cpu" else length
        starts = range(0, length, size)
        ends = torch.searchsorted(rows, torch.tensor(starts[1:])).tolist() if len(starts) > 1 else []
        if parameter not in self._zeros:
            self._zeros[parameter] = torch.zeros_like(parameter[:size], requires_grad=False)
        zeros = self._zeros[parameter]
        for start, first, last in zip(starts, [0, *ends], [*ends, len(rows)], strict=True):
            piece, at = slice(start, min(start + size, length)), rows[first:last] - start
            dense = zeros[: piece.stop - start].index_copy_(0, at, values[first:last])
            step = state["step"] if piece.stop == length else state["step"].clone()  # counts one step in all
            moments = {name: state[name][piece] for name in ("exp_avg", "exp_avg_sq")}
            self._update([parameter[piece]], [dense], [{"step": step, **moments}], unless)
            dense.index_fill_(0, at, 0)

    def _update(
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
            eps=self.epsilon,
            maximize=False,
            fused=self.fused,
            found_inf=unless if self.fused else None,
        )

    def forget(self) -> None:
        """Release parameters, gradients and moments, several times the size of the model; no step may follow."""
        self.zero_grad()
        self.state.clear()
        self._zeros.clear()
        self.parameters.clear()

    def state_dict(self) -> dict[str, Any]:
        """All that `load_state_dict` needs to resume."""
        return {"lr": self.lr, "betas": self.betas, "state": [self.state[parameter] for parameter in self.parameters]}

    def load_state_dict(self, saved: Mapping[str, Any]) -> None:
        """Resume from a saved state; raises ValueError if its parameters have other shapes."""
        for parameter, state in zip(self.parameters, saved["state"], strict=True):
            if state["exp_avg"].shape != parameter.shape:
                raise ValueError(f"a state of shape {state['exp_avg'].shape} for {parameter.shape}")
            for name, value in self.state[parameter].items():
                value.copy_(state[name])
        self.lr, self.betas = saved["lr"], tuple(saved["betas"])


def _initial(parameter: Tensor) -> dict[str, Tensor]:
    return {
        "step": torch.zeros((), device=parameter.device),
        "exp_avg": torch.zeros_like(parameter, requires_grad=False),
        "exp_avg_sq": torch.zeros_like(parameter, requires_grad=False),
    }


@dataclass(frozen=True, slots=True)
class Learner:
    """The model in training, its optimizer, and the mean of its weights."""

    model: nn.Module
    """Its ``forward`` returns logits of shape (V, B, C): V views of the documents are trained side by side."""
    optimizer: Adam
    average: AveragedModel
    """The model with a running mean of its weights, which predicts better than the weights of any one step."""

    @classmethod
    def of(cls, model: nn.Module, optimizer: Adam) -> "Learner":
        """A learner whose mean starts at the weights of the first averaging."""
        return cls(model, optimizer, AveragedModel(model))

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return next(self.model.parameters()).device

    @torch.no_grad()
    def update_average(self) -> None:
        """Move the mean towards the weights, quickly at first so that the initial weights are soon forgotten.

        As `AveragedModel.update_parameters`, which would send the count to a GPU and read it back, each time a sync.
        """
        count = int(self.average.n_averaged)  # on the CPU
        means: list[Tensor] = list(self.average.parameters())
        weights: list[Tensor] = list(self.model.parameters())
        if count:
            torch._foreach_lerp_(means, weights, 1 - min(AVERAGE_DECAY, (1 + count) / (10 + count)))
        else:
            torch._foreach_copy_(means, weights)
        for ours, theirs in zip(self.average.module.buffers(), self.model.buffers(), strict=True):
            ours.copy_(theirs)  # of a user's BatchNorm, which averages by itself
        self.average.n_averaged += 1

    def end(self) -> nn.Module:
        """Free everything but the mean of the weights, a quarter of the memory, and return that: training is over."""
        self.optimizer.forget()
        self.model.to("meta")  # shapes only
        mean: nn.Module = self.average.module
        return mean


def clip_gradients(model: nn.Module, largest: float) -> Tensor:
    """Scale the gradients to a norm of at most ``largest``; return their norm before that."""
    gradients = [parameter.grad for parameter in model.parameters() if parameter.grad is not None]
    values = [gradient._values() if gradient.is_sparse else gradient for gradient in gradients]
    norm = get_total_norm(values)
    scale = (largest / (norm + 1e-6)).clamp(max=1)
    if norm.device.type != "cpu" or scale < 1:  # comparing is free on a CPU, and forces a sync on a GPU
        torch._foreach_mul_(values, scale)
    return norm
