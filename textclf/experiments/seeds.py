"""Training more than once: over several seeds, to see how much is luck, and over the tiers, to see what data brings."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from statistics import mean, stdev
from typing import Any, Final, NamedTuple

import numpy as np

from textclf.artefacts import runs
from textclf.config import TIERS, TrainConfig
from textclf.dataset.directory import DataDirectory
from textclf.training.prepared import Prepared, find_data, prepare
from textclf.training.run import Display, train

MORE: Final = 2  # times the documents for which accuracy is foretold


class Spread(NamedTuple):
    """A figure over several runs."""

    mean: float
    deviation: float
    """Standard deviation of the sample; 0 for one run."""


class Point(NamedTuple):
    """A tier of a learning curve."""

    tier: str
    documents: int
    accuracy: float
    """On the test split."""
    macro_f1: float
    seconds: float
    """Spent training."""
    run: str


class Outlook(NamedTuple):
    """What more documents would likely bring."""

    documents: int
    accuracy: float
    exponent: float
    """The error falls like ``documents ** -exponent``."""


def over_seeds(
    config: TrainConfig, count: int, *, display: Display, prepared: Prepared | None = None
) -> Iterator[runs.RunLayout]:
    """Train once for each of ``count`` seeds, from the settings' own on; yield each run as it ends."""
    ready = prepared or prepare(config, DataDirectory.open(find_data(config)))
    for seed in range(config.seed, config.seed + count):
        settings = replace(ready.config, seed=seed)
        yield train(settings, display=display, prepared=replace(ready, config=settings))


def spread(metrics: Sequence[Mapping[str, Any]], split: str, figure: str) -> Spread:
    """Mean and standard deviation of a figure of metrics.json over runs."""
    values = [run[split][figure] for run in metrics]
    return Spread(mean(values), stdev(values) if len(values) > 1 else 0.0)


def over_tiers(config: TrainConfig, *, display: Display) -> Iterator[Point]:
    """Train on each tier in turn, from the smallest on; yield each point as its run ends."""
    for tier, row in TIERS.items():
        run = train(replace(config, tier=tier, epochs=row.epochs), display=display)
        metrics = runs.read_json(run.metrics)
        test = metrics["test"]
        yield Point(
            tier,
            metrics["train"]["documents"],
            test["accuracy"],
            test["macro_f1"],
            metrics["seconds"]["train"],
            run.root.name,
        )


def outlook(points: Sequence[Point]) -> Outlook | None:
    """Foretell the accuracy for MORE times the documents of the last point.

    The error of a learning curve falls like a power of the number of documents (https://arxiv.org/abs/1712.00409); the
    power is fitted to the last three points, as the first is often the noise of a few steps. None if the error does
    not fall, or is 0.
    """
    used = [point for point in points if point.accuracy < 1][-3:]
    sizes = np.log([point.documents for point in used])
    if len(set(sizes.tolist())) < 2:
        return None
    exponent = -float(np.polyfit(sizes, np.log([1 - point.accuracy for point in used]), 1)[0])
    if exponent <= 0 or points[-1].accuracy >= 1:
        return None
    last = points[-1]
    return Outlook(MORE * last.documents, 1 - (1 - last.accuracy) * MORE**-exponent, exponent)
