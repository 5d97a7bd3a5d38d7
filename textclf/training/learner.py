"""What training changes: the weights of a model, their running mean, and the optimizer's state."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn.utils import get_total_norm
from torch.optim.swa_utils import AveragedModel

from textclf.training.optimizer import Adam

AVERAGE_EVERY: Final = 4
"""Average the weights every this many steps: averaging costs as much as a step of Adam."""

AVERAGE_DECAY: Final = 0.96
"""Weight of the mean so far, from the 25th averaging (100 steps) on."""


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
        return cls(model, optimizer, AveragedModel(model, multi_avg_fn=_exponential_mean))

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return next(self.model.parameters()).device

    def end(self) -> nn.Module:
        """Free everything but the mean of the weights, a quarter of the memory, and return that: training is over."""
        self.optimizer.forget()
        self.model.to("meta")  # shapes only
        mean: nn.Module = self.average.module
        return mean


def _exponential_mean(means: Sequence[Tensor], weights: Sequence[Tensor], averagings: Tensor | int) -> None:
    """Move the means towards the weights, quickly at first so that the initial weights are soon forgotten."""
    torch._foreach_lerp_(
        list(means), list(weights), 1 - min(AVERAGE_DECAY, (1 + int(averagings)) / (10 + int(averagings)))
    )


def clip_gradients(model: nn.Module, largest: float) -> Tensor:
    """Scale the gradients to a norm of at most ``largest``; return their norm before that."""
    gradients = [parameter.grad for parameter in model.parameters() if parameter.grad is not None]
    values = [gradient._values() if gradient.is_sparse else gradient for gradient in gradients]
    norm = get_total_norm(values)
    scale = (largest / (norm + 1e-6)).clamp(max=1)
    if norm.device.type != "cpu" or scale < 1:  # comparing is free on a CPU, and forces a sync on a GPU
        torch._foreach_mul_(values, scale)
    return norm
