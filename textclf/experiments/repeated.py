"""The same settings with several random seeds, or on each tier: what is luck, and what more data brings."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from statistics import mean, stdev
from typing import Any, Final, NamedTuple

import numpy as np

from textclf.artefacts import runs
from textclf.config import TIERS, TrainConfig
from textclf.dataset import finding
from textclf.evaluation import plots
from textclf.training import train
from textclf.training.display import Display
from textclf.training.setup import set_up_while_torch_loads

MORE: Final = 2
"""The outlook is for this many times the documents of the last point."""
FITTED: Final = 3
"""Points that the outlook is fitted to."""


class Spread(NamedTuple):
    """A figure over several runs."""

    mean: float
    deviation: float
    """Standard deviation of the sample; 0 for one run."""


def over_seeds(config: TrainConfig, count: int, *, display: Display) -> Iterator[runs.RunLayout]:
    """Train with ``count`` consecutive seeds, starting at that of the settings; yield each run as it ends."""
    setup = set_up_while_torch_loads(config)
    from textclf.training import run

    for seed in range(config.seed, config.seed + count):
        yield run.train(replace(setup, config=replace(setup.config, seed=seed)), display=display)


def spread(metrics: Sequence[Mapping[str, Any]], split: str, figure: str) -> Spread:
    """Mean and standard deviation of a figure of metrics.json over runs."""
    values = [run[split][figure] for run in metrics]
    return Spread(mean(values), stdev(values) if len(values) > 1 else 0.0)


class Point(NamedTuple):
    """One tier of a learning curve."""

    tier: str
    documents: int
    accuracy: float
    """On the test split; of several labels per document, micro-F1."""
    macro_f1: float
    seconds: float
    """Spent training."""
    run: str
    score: str = "accuracy"
    """What `accuracy` is called."""


class Outlook(NamedTuple):
    """What more documents would likely bring."""

    documents: int
    accuracy: float
    exponent: float
    """The error falls like ``documents ** -exponent``."""


@dataclass(frozen=True, slots=True)
class LearningCurve:
    """A point for each tier."""

    data: Path
    model: str
    points: list[Point]
    outlook: Outlook | None

    @property
    def verdict(self) -> str:
        """What the curve says about more documents."""
        return verdict(self.points, self.outlook)

    def default_picture(self) -> Path:
        """Where the picture goes if the user names no file."""
        return self.data.parent / f"learning-curve-{self.data.name}-{self.model}.svg"

    def draw(self, path: Path) -> None:
        """Write the picture, in the format of the file's suffix."""
        figure = plots.learning_curve(
            [point.documents for point in self.points],
            [point.accuracy for point in self.points],
            [point.seconds for point in self.points],
            expected=self.outlook and (self.outlook.documents, self.outlook.accuracy),
        )
        figure.savefig(path)


def learning_curve(config: TrainConfig, *, display: Display) -> LearningCurve:
    """Train on each tier in turn, from the smallest."""
    points = list(over_tiers(config, display=display))
    return LearningCurve(finding.find(config.data, config.data_dir), config.model, points, outlook(points))


def over_tiers(config: TrainConfig, *, display: Display) -> Iterator[Point]:
    """Train on each tier in turn, from the smallest; yield each point as its run ends."""
    for tier, row in TIERS.items():
        run = train(replace(config, tier=tier, epochs=row.epochs), display=display)
        metrics = runs.read_json(run.metrics)
        test = metrics["test"]
        yield Point(
            tier,
            metrics["train"]["documents"],
            test["micro_f1"],  # with one label per document, it is the accuracy
            test["macro_f1"],
            metrics["seconds"]["train"],
            run.root.name,
            "accuracy" if test["micro_f1"] == test["accuracy"] else "micro-F1",
        )


def verdict(points: Sequence[Point], expected: Outlook | None) -> str:
    """What the curve says about more documents, in one sentence."""
    if points[-1].accuracy >= 1:
        return "no error is left on the test split, so the curve cannot show what more documents would bring"
    changes = [b.accuracy - a.accuracy for a, b in pairwise(points) if b.documents > a.documents]
    if not changes:
        return "all tiers have the same documents, so the curve cannot show what more would bring"
    if expected is None:
        whole = ", and as a whole it did not fall over the last tiers" if max(changes) > 0 else ""
        return f"more documents would likely bring little: {_moves(changes)}{whole}"
    last, then = f"{points[-1].accuracy:.4f}", f"{expected.accuracy:.4f}"
    score = points[-1].score
    change = f"leave {score} at {last}" if then == last else f"raise {score} from {last} to about {then}"
    return (
        f"twice as many documents, {expected.documents:,}, would likely {change}: {_moves(changes)}; "
        f"over the last tiers it falls like documents to the power of -{expected.exponent:.2f}"
    )


def _moves(changes: Sequence[float]) -> str:
    """How the error moved from tier to tier, given the changes of accuracy."""
    kinds = ["fell" if change > 0 else "rose" if change < 0 else "stayed" for change in changes]
    if len(set(kinds)) == 1:
        return f"the error {kinds[0]} from each tier to the next".replace("stayed", "stayed the same")
    counts = [f"{kind} {_times(kinds.count(kind))}" for kind in ("fell", "rose", "stayed") if kind in kinds]
    return f"from tier to tier the error {', '.join(counts[:-1])} and {counts[-1]}"


def _times(count: int) -> str:
    return {1: "once", 2: "twice"}.get(count, f"{count} times")


def outlook(points: Sequence[Point]) -> Outlook | None:
    """Predict the accuracy for MORE times the documents of the last point; None if the error does not fall, or is 0.

    The error falls like a power of the number of documents (https://arxiv.org/abs/1712.00409). The power is fitted to
    the last FITTED points, because the first is often the noise of a few steps.
    """
    used = [point for point in points if point.accuracy < 1][-FITTED:]
    sizes = np.log([point.documents for point in used])
    if len(set(sizes.tolist())) < 2:
        return None
    exponent = -float(np.polyfit(sizes, np.log([1 - point.accuracy for point in used]), 1)[0])
    if round(exponent, 2) <= 0 or points[-1].accuracy >= 1:
        return None
    last = points[-1]
    return Outlook(MORE * last.documents, 1 - (1 - last.accuracy) * MORE**-exponent, exponent)
