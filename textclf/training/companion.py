"""The companion of a network: a second classifier of the same documents, learned apart. The sum of both predicts.

Its few epochs are chosen beforehand, and the learning rate falls to zero over them, so that it needs no validation
documents to stop and may learn from them in the end. Before that, it is learned from the training documents alone: the
weights of the sum are fitted on what both answer for documents that neither has learned from.
"""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from math import inf, sqrt
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from textclf.evaluation.pooling import fit_share
from textclf.evaluation.scoring import scoring_of
from textclf.training import loop
from textclf.training.batches import to_device
from textclf.training.finish import logits_of
from textclf.training.learner import Adam, Learner
from textclf.training.loop import Batches, StepOptions
from textclf.training.meters import Meter
from textclf.training.setup import Setup, required

EPOCHS: Final = 4
LR: Final = 0.3
"""For batches of 64 documents; it grows with the square root of their size."""
EPSILON: Final = 1e-2
"""What Adam adds to the root of each mean squared gradient. Features that are rare have smaller gradients, so that they
move less than frequent ones, as weight decay would have it."""


class Joined(NamedTuple):
    """What the companion has become. D validation documents, C classes."""

    validation: NDArray[np.float32]
    """The logits (D, C) of both together."""
    share: float
    """Weight of the companion's logits in the sum, from 0 to 1; at 0 there is none."""


def join(setup: Setup, network: Any, validation: NDArray[np.float32], *, options: StepOptions) -> Joined:
    """Learn the network's companion, if it has one, and add it to the network.

    ``validation``: the network's logits, shape (D, C), of documents that it had not learned from. The companion that is
    added has learned from them, unless the settings say that no refit may.
    """
    companion = learn(setup, "train", options=options)
    if companion is None:
        return Joined(validation, 0.0)
    answers = logits_of(companion, setup.loader("validation", options.device), options=options)
    share = fit_share(scoring_of(setup.data), setup.parts["validation"].classes, validation, answers)
    if share == 0:
        return Joined(validation, 0.0)
    if "refit" in setup.parts:
        companion = learn(setup, "refit", options=options)
    network.add(companion, share=share)
    return Joined((1 - share) * validation + share * answers, share)


def learn(setup: Setup, part: str, *, options: StepOptions) -> Any:
    """A companion that has learned from the documents of a part; None if the network has none."""
    make = setup.config.kind.architecture().companion
    if make is None:
        return None
    with closing(setup.loader(part, options.device)) as batches:
        batches.batch_sampler.epoch = 0  # type: ignore[union-attr]
        sets = getattr(options.objective, "sets", None)
        made = make((to_device(batch, options.device) for batch in batches), sets, **setup.network_arguments())
        if made is None:
            return None
        lr, steps = LR * sqrt(required(setup.config.batch_size) / 64), EPOCHS * len(batches)
        optimizer = Adam(made, lr=lr, fused=options.device.type != "mps")
        optimizer.epsilon = EPSILON

        def falling(loaded: Batches, meter: Meter) -> Iterator[Any]:
            before = (batches.batch_sampler.epoch - 1) * len(batches)  # type: ignore[union-attr]
            for step, batch in enumerate(options.watch(loaded, meter), start=before):
                optimizer.lr = lr * (1 - step / steps)
                yield batch

        objective = replace(options.objective, label_smoothing=0.0)  # type: ignore[type-var]
        learning = replace(options, objective=objective, clip_norm=inf, watch=falling)
        for _ in loop.refit(Learner.of(made, optimizer), batches, epochs=range(1, EPOCHS + 1), options=learning):
            pass
    return made
