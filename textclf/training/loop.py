"""The training loop: for each batch of each epoch, forward, loss, backward, step. Read it from top to bottom.

It knows nothing about files, settings, or which model it trains; the caller of `fit` saves and shows what it yields.
Shapes: V views of the documents, B documents in a batch, D in a split, C classes.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from math import inf, isfinite
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from textclf.errors import DivergedError
from textclf.training import device
from textclf.training.batches import to_device
from textclf.training.learner import AVERAGE_EVERY, Learner, clip_gradients
from textclf.training.meters import Clock, Meter, Score
from textclf.training.objective import Objective
from textclf.training.ranks import ALONE, Ranks

Batches = Iterable[Any]
"""NamedTuples of tensors with a field ``labels`` of shape (B,), made by a model's ``collate``. To train on them they
must be a `textclf.training.batches.BatchLoader`, whose sampler is given the epoch, and which can name its documents."""

Watch = Callable[[Batches, Meter], Batches]
"""Passes training batches through; may read the meter between two steps, or raise to stop there."""


class Epoch(NamedTuple):
    """How one epoch went."""

    number: int
    train: Score
    """Measured while training: with dropout on, and with weights that change from batch to batch."""
    validation: Score
    is_best: bool
    """Whether its validation score is the best so far: see EarlyStopping."""
    learning_rate: float
    gradient_norm: float
    """Mean over the steps, before clipping."""
    seconds: float
    """Spent training, without validation."""
    profile: Mapping[str, float]
    """Where these seconds went: see `meters.Clock`."""


class MidEpoch(NamedTuple):
    """An epoch between two of its steps: all that it needs, besides the learner, to continue to the same bits."""

    meter: Mapping[str, Tensor | int]
    """The meter's counts, among them the steps already taken."""
    random_state: Tensor
    """Of the generator that dropout draws from."""


@dataclass(slots=True)
class EarlyStopping:
    """Remembers the lowest validation loss, and ends training when ``patience`` epochs have not lowered it.

    A loss must be lower by the fraction ``min_gain`` to count: late epochs gain too little to change a prediction.
    Where another figure of a `Score` is monitored, what it lacks of 1 stands for the loss.
    """

    patience: int
    best_epoch: int = 0
    best_loss: float = inf
    min_gain: float = 0.0
    monitor: str = "loss"
    """Field of `Score`."""

    def loss(self, score: Score) -> float:
        """The number to lower."""
        value: float = getattr(score, self.monitor)
        return value if self.monitor == "loss" else 1 - value

    def is_best(self, number: int, loss: float) -> bool:
        """Whether this epoch is better than all before; if so it is remembered."""
        if not loss < self.best_loss * (1 - self.min_gain):
            return False
        self.best_epoch, self.best_loss = number, loss
        return True

    def is_over(self, number: int) -> bool:
        """Whether the best epoch is ``patience`` epochs back."""
        return number - self.best_epoch >= self.patience


@dataclass(frozen=True, slots=True)
class StepOptions:
    """How every step is computed."""

    device: torch.device
    objective: Objective
    seed: int = 0
    """Random seed for dropout."""
    autocast: torch.dtype | None = None
    """Type of matrix products, such as bfloat16. None: that of the weights."""
    clip_norm: float = inf
    """Largest gradient norm of a step."""
    check_every: int = 1
    """Check for NaN every this many steps; on a GPU each check forces a sync."""
    watch: Watch = lambda batches, _meter: batches
    ranks: Ranks = ALONE
    """The processes that train together, each on its share of every batch."""

    def logits(self, model: nn.Module, batch: Any) -> Tensor:
        """The model's logits, shape (V, B, C), float32."""
        autocast = torch.autocast(self.device.type, dtype=self.autocast, enabled=self.autocast is not None)
        with self.ranks.own_random_numbers(self.device), autocast:
            logits: Tensor = model(batch)
        logits = (logits if logits.dim() == 3 else logits[None]).float()  # a model of one view may return (B, C)
        return self.ranks.gather(logits, documents=len(batch.labels))


def fit(
    learner: Learner,
    batches: Mapping[str, Any],
    *,
    epochs: range,
    stopping: EarlyStopping,
    options: StepOptions,
    mid_epoch: MidEpoch | None = None,
) -> Iterator[Epoch]:
    """Train on ``batches["train"]`` until the validation loss stops falling, and yield each epoch as it ends.

    The random numbers of an epoch follow from its number and the seed, so that a run stopped between two epochs
    continues to the same bits; one stopped within an epoch needs its ``mid_epoch``. Raises DivergedError when the loss
    is not a number.
    """
    for number in epochs:
        if stopping.is_over(number - 1):
            return
        meter, clock = train_epoch(learner, batches["train"], number, options=options, mid_epoch=mid_epoch)
        mid_epoch = None
        profile, lr = clock.stop(), learner.optimizer.lr
        validation = evaluate(learner.average, batches["validation"], options=options)
        if not isfinite(validation.loss):
            raise DivergedError(f"the validation loss is not a number in epoch {number}; try less than --lr {lr:g}")
        is_best = stopping.is_best(number, stopping.loss(validation))
        seconds = sum(profile.values())
        yield Epoch(number, meter.score(), validation, is_best, lr, meter.gradient_norm(), seconds, profile)


def refit(learner: Learner, batches: Any, *, epochs: range, options: StepOptions) -> Iterator[Score]:
    """Train for more epochs on other documents, without validation, and yield the score of each epoch."""
    for number in epochs:
        try:
            meter, _ = train_epoch(learner, batches, number, options=options)
        except DivergedError as error:
            raise DivergedError(f"{error}, or --no-refit") from error
        yield meter.score()


def train_epoch(
    learner: Learner, batches: Any, number: int, *, options: StepOptions, mid_epoch: MidEpoch | None = None
) -> tuple[Meter, Clock]:
    """Take one optimizer step per batch; an epoch resumed in the middle takes only the steps that are left."""
    torch.manual_seed((options.seed * 1_000_003 + number) % 2**63)  # for dropout
    model, optimizer, objective = learner.model, learner.optimizer, options.objective
    meter, clock = Meter(objective, options.device), Clock()
    if mid_epoch:
        meter.load_state_dict(mid_epoch.meter)
        device.set_random_state(options.device, mid_epoch.random_state)
    batches.batch_sampler.epoch, batches.batch_sampler.first = number, meter.steps
    model.train()
    for step, loaded in enumerate(options.watch(clock.waiting(batches), meter), start=meter.steps):
        batch = to_device(loaded, options.device)
        clock.lap("transfer")

        logits = options.logits(model, batch)  # (V, B, C)
        loss = objective.loss(logits, batch.labels)  # (), mean over views and documents
        clock.lap("forward")

        optimizer.zero_grad()
        loss.backward()
        options.ranks.sum_gradients(model)
        clock.lap("backward")

        gradient_norm = clip_gradients(model, options.clip_norm)  # ()
        meter.add(logits.detach().mean(dim=0), batch.labels, loss.detach() * len(batch.labels), gradient_norm)
        if step % options.check_every == 0:
            _stop_if_diverged(meter, batches, number, optimizer.lr)
        optimizer.step(unless=meter.has_diverged)
        if step % AVERAGE_EVERY == 0:
            learner.update_average()
        clock.lap("step")

    _stop_if_diverged(meter, batches, number, optimizer.lr)
    return meter, clock


def _stop_if_diverged(meter: Meter, batches: Any, number: int, lr: float) -> None:
    """Raise DivergedError if a loss or gradient was not finite; no step was taken since, so the weights still are."""
    if meter.has_diverged:
        step = meter.finite_steps()
        raise DivergedError(
            f"the loss or its gradient is not a number in epoch {number}, step {step + 1}, on {batches.names(step)}; "
            f"the best weights so far are kept; try less than --lr {lr:g}"
        )


@torch.inference_mode()
def evaluate(model: nn.Module, batches: Batches, *, options: StepOptions) -> Score:
    """Score the model as it predicts: without dropout, without gradients."""
    model.eval()
    meter = Meter(options.objective, options.device)
    for loaded in batches:
        batch = to_device(loaded, options.device)
        logits = options.logits(model, batch).mean(dim=0)  # (B, C)
        meter.add(logits, batch.labels, options.objective.validation_loss(logits, batch.labels))
    return meter.score()


@torch.inference_mode()
def predict(
    model: nn.Module, batches: Batches, *, options: StepOptions
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Logits, shape (D, C), and labels, shape (D,), of all documents, in the order of the batches."""
    model.eval()
    logits, labels = [], []
    for batch in batches:
        labels.append(batch.labels)
        logits.append(options.logits(model, to_device(batch, options.device)).mean(dim=0))
    return torch.cat(logits).cpu().numpy(), torch.cat(labels).cpu().numpy()
