"""What training changes: the weights of a model, their running mean, and the optimizer's state."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.linalg import vector_norm
from torch.nn.utils import get_total_norm
from torch.optim.adam import adam
from torch.optim.swa_utils import AveragedModel

AVERAGE_EVERY: Final = 4
"""Average the weights every this many steps: averaging costs as much as a step of Adam."""

AVERAGE_DECAY: Final = 0.96
"""Weight of the mean so far, once there were over 200 averagings: before that it is (1 + n) / (10 + n)."""


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


@torch.no_grad()
def begin_with(table: Tensor, columns: NDArray[np.float32] | None, *, dimension: int, is_frozen: bool) -> None:
    """Put columns (R, D) into a table of embeddings (R, E) as its last ones; None: a checkpoint will.

    Frozen, their gradient is 0: neither a step nor the mean of the weights changes them.
    """
    first = table.shape[1] - dimension
    if columns is not None:
        table[:, first:] = torch.from_numpy(columns).to(table.device)
    if is_frozen:
        learns = (torch.arange(table.shape[1], device=table.device) < first).to(table.dtype)  # (E,)
        table.register_hook(lambda gradient: gradient * learns)


class Adam:
    """Adam (https://arxiv.org/abs/1412.6980) on torch's own kernel; by rows for embeddings with sparse gradients.

    A table of embeddings with ``sparse=True`` has one second moment per row, the mean of its numbers' (as
    https://arxiv.org/abs/2104.05158 does for Adagrad), and no first moment: a step costs what the rows of the batch
    cost, not the table. The mean of the weights smooths what the first moment would. As in Adam, second moments decay
    at every step, so that rare rows move further than frequent ones; and no number moves further than it would if its
    own gradient had been its only one: units that ReLU or dropout has switched off make the mean small for others.

    Not a `torch.optim.Optimizer`: creating the first one imports torch's compiler, for one to two seconds, which is
    longer than a small model trains.
    """

    def __init__(
        self, model: nn.Module, *, lr: float, betas: tuple[float, float] = (0.9, 0.999), fused: bool = False
    ) -> None:
        self.parameters = list(model.parameters())
        self.lr = lr
        self.betas = betas
        self.epsilon = 1e-8  # added to the square root of a second moment, so that nothing is divided by 0
        self.fused = fused  # one kernel per parameter and step: five times as fast, on a CPU too
        tables = {module.weight for module in model.modules() if isinstance(module, nn.Embedding) and module.sparse}
        self.state: dict[Tensor, dict[str, Tensor]] = {
            parameter: _initial(parameter, by_rows=parameter in tables) for parameter in self.parameters
        }

    def zero_grad(self) -> None:
        """Forget the gradients."""
        for parameter in self.parameters:
            parameter.grad = None

    @torch.no_grad()
    def step(self, *, unless: Tensor | None = None) -> None:
        """Update the parameters that have a gradient, unless the scalar ``unless`` is 1; needs no GPU sync.

        A sparse gradient must be coalesced, and is used up.
        """
        if unless is not None and unless.device.type != "cuda":  # reading it is free on a CPU
            if unless:
                return
            unless = None
        gradients = {parameter: parameter.grad for parameter in self.parameters if parameter.grad is not None}
        self._update({each: gradient for each, gradient in gradients.items() if not gradient.is_sparse}, unless)
        for parameter, gradient in gradients.items():
            if gradient.is_sparse:
                self._update_rows(parameter, gradient, unless)

    def _update(self, gradients: Mapping[Tensor, Tensor], unless: Tensor | None) -> None:
        states = [self.state[parameter] for parameter in gradients]
        adam(
            list(gradients),
            list(gradients.values()),
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
            found_inf=unless,
        )

    def _update_rows(self, parameter: Tensor, gradient: Tensor, unless: Tensor | None) -> None:
        rows, values = gradient._indices()[0], gradient._values()  # (R,), (R, H)
        taken: Tensor | int = 1
        if unless is not None:
            values.masked_fill_(unless.bool(), 0)
            taken = 1 - unless
        step, square, decay = *self.state[parameter].values(), self.betas[1]
        step += taken
        square *= decay**taken
        squares = vector_norm(values, dim=1).square()  # (R,)
        square.index_add_(0, rows, squares, alpha=(1 - decay) / values.shape[1])
        growth = ((1 - decay**step) / (1 - decay)).sqrt()  # (), from 1 in the first step
        values /= (square.index_select(0, rows) / (1 - decay)).sqrt().add(self.epsilon * growth)[:, None]
        values.clamp_(-1, 1)  # 1: this gradient was the only one
        values *= growth
        parameter.add_(gradient, alpha=-self.lr)

    def forget(self) -> None:
        """Release parameters, gradients and moments, several times the size of the model; no step may follow."""
        self.zero_grad()
        self.state.clear()
        self.parameters.clear()

    def state_dict(self) -> dict[str, Any]:
        """All that `load_state_dict` needs to resume."""
        return {"lr": self.lr, "betas": self.betas, "state": [self.state[parameter] for parameter in self.parameters]}

    def load_state_dict(self, saved: Mapping[str, Any]) -> None:
        """Resume from a saved state; raises ValueError if its parameters have other shapes."""
        for parameter, state in zip(self.parameters, saved["state"], strict=True):
            for name, value in self.state[parameter].items():
                if state[name].shape != value.shape:
                    raise ValueError(f"a state of shape {state[name].shape} for {value.shape}")
                value.copy_(state[name])
        self.lr, self.betas = saved["lr"], tuple(saved["betas"])


def _initial(parameter: Tensor, *, by_rows: bool) -> dict[str, Tensor]:
    step = torch.zeros((), device=parameter.device)
    if by_rows:
        return {"step": step, "square": torch.zeros(len(parameter), device=parameter.device)}
    moments = (torch.zeros_like(parameter, requires_grad=False) for _ in range(2))
    return {"step": step, **dict(zip(("exp_avg", "exp_avg_sq"), moments, strict=True))}


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
