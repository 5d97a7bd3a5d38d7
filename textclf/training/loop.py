"""The training loop: epochs of batches, and for each batch forward, loss, backward, step. Read it from top to bottom.

It knows nothing about files, settings, or which model it trains; whoever calls `fit` saves and shows what it yields.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import inf, isfinite
from time import perf_counter
from typing import Any, Final, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.nn.utils import get_total_norm
from torch.optim.swa_utils import AveragedModel

from textclf.dataset.directory import UNSEEN
from textclf.errors import DivergedError
from textclf.training import device
from textclf.training.batches import Spent, to_device
from textclf.training.optimizer import Adam

AVERAGE_EVERY: Final = 4
"""Steps from one averaging of the weights to the next: it costs as much as a step of Adam."""

AVERAGE_DECAY: Final = 0.96
"""Weight of the mean so far, when the weights of 25 averagings (100 steps) have gone into it."""

CHECK_EVERY: Final = 100
"""Steps from one look at whether all is still a number to the next, where looking means to wait for a GPU."""

Batches = Iterable[Any]
"""NamedTuples of tensors, with a field ``labels`` of shape (B,): what one model's ``collate`` makes. What is trained on
is a `textclf.training.batches.BatchLoader`, which has a sampler to tell the epoch to, and knows its documents."""


class Score(NamedTuple):
    """How a pass over some documents went."""

    loss: float
    """Mean cross-entropy in nats, over the documents whose label the model can give."""
    accuracy: float
    """Share of all documents that got their label, between 0 and 1."""
    documents: int


class Epoch(NamedTuple):
    """How one epoch went."""

    number: int
    train: Score
    """Counted while training: with dropout on, and with weights that change from batch to batch."""
    validation: Score
    is_best: bool
    """Whether it is the best so far, by its validation loss: see EarlyStopping."""
    learning_rate: float
    gradient_norm: float
    """Mean over the steps, before clipping."""
    seconds: float
    """Spent training, without validation."""
    profile: Mapping[str, float]
    """Where these seconds went: see Clock."""


class Trained(NamedTuple):
    """What training on some batches tells."""

    score: Score
    gradient_norm: float
    """Mean over the steps, before clipping."""
    profile: Mapping[str, float]
    """Seconds: see Clock."""


class Halfway(NamedTuple):
    """An epoch between two of its steps: beside the learner, all that it needs to go on to the same bits."""

    meter: Mapping[str, Tensor | int]
    """What the meter has counted; so many steps are over."""
    random: Tensor
    """State of the random numbers that dropout draws."""


@dataclass(frozen=True, slots=True)
class Learner:
    """What learns."""

    model: nn.Module
    """Its ``forward`` gives logits of shape (V, B, C), of V views of the documents that learn side by side."""
    optimizer: Adam
    average: AveragedModel
    """The model with a running mean of its weights, which predicts better than those of any one step."""

    @classmethod
    def of(cls, model: nn.Module, optimizer: Adam) -> "Learner":
        """A learner whose mean begins at the weights of the first averaging."""
        return cls(model, optimizer, AveragedModel(model, multi_avg_fn=_exponential_mean))

    def end(self) -> nn.Module:
        """Take no more steps: let go of all but the mean of the weights, a quarter of the memory, and return that."""
        self.optimizer.forget()
        self.model.to("meta")  # shapes alone
        mean: nn.Module = self.average.module
        return mean


def _exponential_mean(means: Sequence[Tensor], weights: Sequence[Tensor], averagings: Tensor | int) -> None:
    """Move the means towards the weights, fast at first so that it soon forgets the initial weights."""
    torch._foreach_lerp_(
        list(means), list(weights), 1 - min(AVERAGE_DECAY, (1 + int(averagings)) / (10 + int(averagings)))
    )


@dataclass(slots=True)
class EarlyStopping:
    """Remembers the lowest validation loss, and ends training when ``patience`` epochs have not lowered it.

    Only a loss lower by ``min_gain`` of it counts: late epochs lower it by a hair each, which no prediction can tell.
    """

    patience: int
    best_epoch: int = 0
    best_loss: float = inf
    min_gain: float = 0.0

    def is_best(self, number: int, loss: float) -> bool:
        """Whether this epoch is better than all before; it is then remembered."""
        if not loss < self.best_loss * (1 - self.min_gain):
            return False
        self.best_epoch, self.best_loss = number, loss
        return True

    def is_over(self, number: int) -> bool:
        """Whether the best epoch lies too far back."""
        return number - self.best_epoch >= self.patience


@dataclass(frozen=True, slots=True)
class Pass:
    """How to go through batches."""

    device: torch.device
    seed: int = 0
    """Of dropout and the order of the documents."""
    autocast: torch.dtype | None = None
    """Type in which matrix products are computed, such as bfloat16. None: that of the weights."""
    clip_norm: float = inf
    """Largest gradient norm that a step may have."""
    label_smoothing: float = 0.0
    """Share of the probability that the target spreads over all classes: https://arxiv.org/abs/1512.00567."""
    watch: Callable[[Batches, "Meter"], Batches] = lambda batches, _meter: batches
    """Passes training batches through; may look at the meter now and then, or raise to stop between two steps."""

    def logits(self, model: nn.Module, batch: Any) -> Tensor:
        """The model's logits, shape (V, B, C), float32."""
        with torch.autocast(self.device.type, dtype=self.autocast, enabled=self.autocast is not None):
            logits: Tensor = model(batch)
        return logits.float()


def fit(
    learner: Learner,
    batches: Mapping[str, Any],
    *,
    epochs: range,
    stopping: EarlyStopping,
    how: Pass,
    halfway: Halfway | None = None,
) -> Iterator[Epoch]:
    """Train on ``batches["train"]`` until validation stops improving, and yield each epoch as it ends.

    Every epoch takes its random numbers from its number and the seed, so a run that stops between two epochs can go on
    exactly; one that stops within an epoch needs to know how that went, ``halfway``. Raises DivergedError when the loss
    is no number any more.
    """
    for number in epochs:
        train = train_epoch(learner, batches["train"], number, how=how, halfway=halfway)
        halfway = None
        validation = evaluate(learner.average, batches["validation"], how=how)
        if not isfinite(validation.loss):
            lower = f"try less than --lr {learner.optimizer.lr:g}"
            raise DivergedError(f"the validation loss is not a number in epoch {number}; {lower}")
        is_best = stopping.is_best(number, validation.loss)
        seconds = sum(train.profile.values())
        lr = learner.optimizer.lr
        yield Epoch(number, train.score, validation, is_best, lr, train.gradient_norm, seconds, train.profile)
        if stopping.is_over(number):
            return


def refit(learner: Learner, batches: Any, *, epochs: range, how: Pass) -> Iterator[Score]:
    """Go on for some epochs, on documents that may include those of validation; yield the score of each."""
    for number in epochs:
        try:
            yield train_epoch(learner, batches, number, how=how).score
        except DivergedError as error:
            raise DivergedError(f"{error}, or --no-refit") from error


def train_epoch(learner: Learner, batches: Any, number: int, *, how: Pass, halfway: Halfway | None = None) -> Trained:
    """Take one optimizer step a batch; those that were taken before the epoch was stopped halfway are not repeated."""
    torch.manual_seed((how.seed * 1_000_003 + number) % 2**63)  # dropout
    meter, clock = Meter(how.device), Clock()
    if halfway:
        meter.load_state_dict(halfway.meter)
        device.set_random_state(how.device, halfway.random)
    model, optimizer, sampler = learner.model, learner.optimizer, batches.batch_sampler
    sampler.epoch, sampler.first = number, meter.steps  # order of the documents, and where to begin in it
    model.train()
    for step, loaded in enumerate(how.watch(clock.waiting(batches), meter), start=meter.steps):
        batch = to_device(loaded, how.device)
        clock.lap("transfer")

        logits = how.logits(model, batch)  # (V, B, C)
        labels = batch.labels.expand(len(logits), -1)  # (V, B), the same for every view
        loss = cross_entropy(logits.mT, labels, label_smoothing=how.label_smoothing)  # (), mean over views and batch
        clock.lap("forward")

        optimizer.zero_grad()
        loss.backward()
        clock.lap("backward")

        gradient_norm = clip_gradients(model, how.clip_norm)  # ()
        meter.add(logits.detach().mean(dim=0), batch.labels, loss.detach() * len(batch.labels), gradient_norm)
        if how.device.type == "cpu" or step % CHECK_EVERY == 0:  # looking means to wait for a GPU
            _stop_if_lost(meter, batches, number, learner)
        optimizer.step(unless=meter.is_lost)
        if step % AVERAGE_EVERY == 0:
            learner.average.update_parameters(model)
        clock.lap("step")

    _stop_if_lost(meter, batches, number, learner)
    return Trained(meter.score(), meter.gradient_norm(), clock.stop())


def _stop_if_lost(meter: "Meter", batches: Any, number: int, learner: Learner) -> None:
    """Raise DivergedError if a loss or a gradient was not a number; no step was taken since, so the weights are."""
    if meter.is_lost:
        step = meter.sound_steps()
        raise DivergedError(
            f"the loss or its gradient is not a number in epoch {number}, step {step + 1}, on {batches.names(step)}; "
            f"the best weights so far are kept; try less than --lr {learner.optimizer.lr:g}"
        )


def clip_gradients(model: nn.Module, largest: float) -> Tensor:
    """Scale the gradients to a norm of at most ``largest``; return their norm from before."""
    gradients = [parameter.grad for parameter in model.parameters() if parameter.grad is not None]
    values = [gradient._values() if gradient.is_sparse else gradient for gradient in gradients]
    norm = get_total_norm(values)
    scale = (largest / (norm + 1e-6)).clamp(max=1)
    if norm.device.type != "cpu" or scale < 1:  # to know takes a CPU no time, but a GPU would have to be waited for
        torch._foreach_mul_(values, scale)
    return norm


@torch.inference_mode()
def evaluate(model: nn.Module, batches: Batches, *, how: Pass) -> Score:
    """Score the model as it predicts: without dropout, without gradients."""
    model.eval()
    meter = Meter(how.device)
    for loaded in batches:
        batch = to_device(loaded, how.device)
        logits = how.logits(model, batch).mean(dim=0)  # (B, C)
        loss = cross_entropy(logits, batch.labels, ignore_index=UNSEEN, reduction="sum")  # ()
        meter.add(logits, batch.labels, loss)
    return meter.score()


@torch.inference_mode()
def predict(model: nn.Module, batches: Batches, *, how: Pass) -> tuple[Tensor, Tensor]:
    """Logits, shape (D, C), and labels, shape (D,), of all documents, on the CPU, in the order of the batches."""
    model.eval()
    logits, labels = [], []
    for batch in batches:
        labels.append(batch.labels)
        logits.append(how.logits(model, to_device(batch, how.device)).mean(dim=0))
    return torch.cat(logits).cpu(), torch.cat(labels)


class Clock:
    """Tells where the seconds of an epoch go: load, collate, transfer, forward, backward, step, other.

    Loading and collating are the time that training waits for a batch, shared out as the time of making batches was;
    what a thread or processes make meanwhile is not in it. A GPU works on its own, so that there a lap is the time that
    it takes to tell it what to do, and the wait for it is in "other".
    """

    def __init__(self) -> None:
        self.seconds = dict.fromkeys(("load", "collate", "transfer", "forward", "backward", "step", "other"), 0.0)
        self._lap = perf_counter()

    def lap(self, name: str) -> None:
        """Count the time since the last lap to this one."""
        now = perf_counter()
        self.seconds[name] += now - self._lap
        self._lap = now

    def waiting(self, batches: Any) -> Batches:
        """Pass batches through, and count the time that they take to come."""
        rest, spent = iter(batches), getattr(batches, "spent", Spent)  # a list of batches takes no time
        before = spent()
        while True:
            self.lap("other")
            batch = next(rest, None)
            self.lap("load")
            if batch is None:
                break
            yield batch
        making, collating = (now - then for now, then in zip(spent(), before, strict=True))
        self.seconds["collate"] = self.seconds["load"] * collating / max(making, 1e-9)
        self.seconds["load"] -= self.seconds["collate"]

    def stop(self) -> dict[str, float]:
        """The seconds of each, as far as they were counted."""
        self.lap("other")
        return self.seconds


class Meter:
    """Adds up losses and hits where the model runs, and brings them to Python only when asked: a GPU need not wait."""

    def __init__(self, device: torch.device) -> None:
        self._loss = torch.zeros((), device=device)
        self._hits = torch.zeros((), device=device, dtype=torch.int64)
        self._labelled = torch.zeros((), device=device, dtype=torch.int64)
        self._gradient_norm = torch.zeros((), device=device)
        self._sound = torch.zeros((), device=device)  # batches before the first that was lost
        self.is_lost = torch.zeros((), device=device)
        """1 from the first loss or gradient on that is not a number, 0 before."""
        self.steps = 0
        self.documents = 0

    def add(self, logits: Tensor, labels: Tensor, loss: Tensor, gradient_norm: Tensor | None = None) -> None:
        """Count a batch: logits (B, C), labels (B,), the sum of its losses, and the gradient's norm if there is one."""
        self._loss += loss
        self._hits += (logits.argmax(dim=1) == labels).sum()
        self._labelled += (labels != UNSEEN).sum()
        if gradient_norm is not None:
            self._gradient_norm += gradient_norm
        is_finite = (self._loss + self._gradient_norm).isfinite()  # sums stay what they are once they are no number
        self.is_lost = 1 - is_finite.float()
        self._sound += is_finite
        self.steps += 1
        self.documents += len(labels)

    def score(self) -> Score:
        """Means over what was counted so far."""
        return Score(float(self._loss / self._labelled), float(self._hits) / max(self.documents, 1), self.documents)

    def gradient_norm(self) -> float:
        """Mean over the steps so far."""
        return float(self._gradient_norm) / max(self.steps, 1)

    def sound_steps(self) -> int:
        """Steps before the first whose loss or gradient was not a number."""
        return int(self._sound)

    def state_dict(self) -> dict[str, Tensor | int]:
        """All that was counted."""
        return {name: value.clone() if isinstance(value, Tensor) else value for name, value in vars(self).items()}

    def load_state_dict(self, saved: Mapping[str, Tensor | int]) -> None:
        """Count on from there."""
        for name, value in saved.items():
            setattr(self, name, value.to(self._loss.device) if isinstance(value, Tensor) else value)
