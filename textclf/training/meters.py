"""What is measured while a model trains: Meter counts losses and right answers, Clock says where the time goes."""

from collections.abc import Iterable, Mapping
from time import perf_counter
from typing import Any, NamedTuple

import torch
from torch import Tensor

from textclf.training.batches import BatchSeconds
from textclf.training.objective import Objective


class Score(NamedTuple):
    """How good a model was on some documents."""

    loss: float
    """Mean cross-entropy in nats, over the documents whose label the model can give."""
    accuracy: float
    """Share of all documents that got their label, or just their labels, between 0 and 1."""
    documents: int
    macro_f1: float = 0.0
    """Mean F1 of the classes that a document or an answer has."""
    micro_f1: float = 0.0
    """F1 over all answers and labels together."""


class Meter:
    """Sums losses and right answers on the device, and copies them to Python only when asked: no step waits."""

    def __init__(self, objective: Objective, device: torch.device) -> None:
        self.objective = objective
        self.steps = 0
        self.documents = 0
        self.has_diverged = torch.zeros((), device=device)
        """1 from the first loss or gradient norm that is not finite, 0 before."""
        self._finite_steps = torch.zeros((), device=device)  # before that
        self._loss = torch.zeros((), device=device)
        self._with_loss = torch.zeros((), device=device, dtype=torch.int64)
        self._right = torch.zeros((), device=device, dtype=torch.int64)
        self._counts = torch.zeros((3, 1), device=device, dtype=torch.int64)  # (3, C): see `Objective.counts`
        self._gradient_norm = torch.zeros((), device=device)

    def add(self, logits: Tensor, labels: Tensor, loss: Tensor, gradient_norm: Tensor | None = None) -> None:
        """Count a batch: logits (B, C), labels (B,), the sum of its losses, in training the norm of its gradient."""
        self.steps += 1
        self.documents += len(labels)
        self._loss += loss
        self._with_loss += self.objective.has_loss(labels).sum()
        self._right += self.objective.is_right(logits, labels).sum()
        self._counts = self._counts + self.objective.counts(logits, labels)
        if gradient_norm is not None:
            self._gradient_norm += gradient_norm
        is_finite = (self._loss + self._gradient_norm).isfinite()  # a sum that is not finite stays so
        self.has_diverged = 1 - is_finite.float()
        self._finite_steps += is_finite

    def score(self) -> Score:
        """Means over all batches so far."""
        accuracy = float(self._right) / max(self.documents, 1)
        return Score(float(self._loss / self._with_loss), accuracy, self.documents, *_f1(self._counts.cpu()))

    def gradient_norm(self) -> float:
        """Mean over the steps so far."""
        return float(self._gradient_norm) / max(self.steps, 1)

    def finite_steps(self) -> int:
        """Steps before the first whose loss or gradient was not finite."""
        return int(self._finite_steps)

    def state_dict(self) -> dict[str, Tensor | int]:
        """Everything counted so far."""
        counts = {name: value for name, value in vars(self).items() if isinstance(value, Tensor | int)}
        return {name: value.clone() if isinstance(value, Tensor) else value for name, value in counts.items()}

    def load_state_dict(self, saved: Mapping[str, Tensor | int]) -> None:
        """Continue from these counts."""
        for name, value in saved.items():
            setattr(self, name, value.to(self._loss.device) if isinstance(value, Tensor) else value)


def _f1(counts: Tensor) -> tuple[float, float]:
    """Macro- and micro-F1 from right answers, answers and documents of each class, shape (3, C)."""
    right, answered, labelled = counts.double()
    either = answered + labelled
    occurs = either > 0
    macro = (2 * right[occurs] / either[occurs]).mean() if occurs.any() else either.sum()
    return float(macro), float(2 * right.sum() / either.sum().clamp(min=1))


class Clock:
    """Splits the seconds of an epoch into load, collate, transfer, forward, backward, step and other.

    Load and collate are the seconds that training waits for batches, divided as the making of the batches was; work
    that a thread or other processes do meanwhile is not in them. GPU work is asynchronous: a lap there measures kernel
    launches only, and waiting for the GPU counts as other.
    """

    def __init__(self) -> None:
        self.seconds = dict.fromkeys(("load", "collate", "transfer", "forward", "backward", "step", "other"), 0.0)
        self._last = perf_counter()

    def lap(self, name: str) -> None:
        """Add the time since the last lap to this stage."""
        now = perf_counter()
        self.seconds[name] += now - self._last
        self._last = now

    def waiting(self, batches: Any) -> Iterable[Any]:
        """Pass batches through, and time how long each takes to arrive."""
        iterator, seconds = iter(batches), getattr(batches, "seconds", BatchSeconds)  # a list of batches takes no time
        before = seconds()
        while True:
            self.lap("other")
            batch = next(iterator, None)
            self.lap("load")
            if batch is None:
                break
            yield batch
        making, collating = (now - then for now, then in zip(seconds(), before, strict=True))
        self.seconds["collate"] = self.seconds["load"] * collating / max(making, 1e-9)
        self.seconds["load"] -= self.seconds["collate"]

    def stop(self) -> dict[str, float]:
        """The seconds of each stage until now."""
        self.lap("other")
        return self.seconds
