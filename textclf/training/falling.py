"""A few epochs, chosen beforehand, over which the learning rate falls to zero: they need no validation documents."""

from collections.abc import Iterator
from dataclasses import replace
from math import inf
from typing import Any

from torch import nn

from textclf.training import loop
from textclf.training.learner import Adam, Learner
from textclf.training.loop import Batches, StepOptions
from textclf.training.meters import Meter


def learn(model: nn.Module, optimizer: Adam, batches: Any, *, epochs: int, options: StepOptions) -> None:
    """Train a model on these batches, without label smoothing, from the learning rate that the optimizer has on."""
    lr, steps = optimizer.lr, epochs * len(batches)

    def falling(loaded: Batches, meter: Meter) -> Iterator[Any]:
        before = (batches.batch_sampler.epoch - 1) * len(batches)
        for step, batch in enumerate(options.watch(loaded, meter), start=before):
            optimizer.lr = lr * (1 - step / steps)
            yield batch

    objective = replace(options.objective, label_smoothing=0.0)  # type: ignore[type-var]
    learning = replace(options, objective=objective, clip_norm=inf, watch=falling)
    for _ in loop.refit(Learner.of(model, optimizer), batches, epochs=range(1, epochs + 1), options=learning):
        pass
