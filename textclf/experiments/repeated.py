"""The same settings with several random seeds, or on each tier: what is luck, and what more data brings."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from math import sqrt
from pathlib import Path
from statistics import NormalDist, mean, stdev
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from textclf.artefacts import runs
from textclf.config import TIERS, TrainConfig
from textclf.dataset import finding
from textclf.evaluation import plots
from textclf.system.wording import counted
from textclf.training import train
from textclf.training.display import Display
from textclf.training.setup import set_up, set_up_while_torch_loads

MORE: Final = 2
"""The outlook is for this many times the documents of the last point."""
FITTED: Final = 3
"""Points that the outlook is fitted to."""
RESAMPLES: Final = 10_000
"""Test splits that are drawn for the interval of the outlook."""
LEVEL: Final = 0.95


class Spread(NamedTuple):
    """A figure over several runs."""

    mean: float
    deviation: float
    """Standard deviation of the sample; 0 for one run."""


def over_seeds(config: TrainConfig, count: int, *, display: Display) -> Iterator[runs.RunLayout]:
    """Train with ``count`` consecutive seeds, starting at that of the settings; yield each run as it ends.

    With ``shots``, each has documents of its own.
    """
    setup = set_up_while_torch_loads(config)
    from textclf.training import run

    for seed in range(config.seed, config.seed + count):
        if config.shots is not None and seed > config.seed:
            setup = set_up(replace(config, seed=seed), setup.data)
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
    test_documents: int = 0


class Outlook(NamedTuple):
    """What more documents would likely bring. Intervals of 95 % are over test splits of this size, not over seeds."""

    documents: int
    accuracy: float
    interval: tuple[float, float]
    exponent: float
    """The error falls like ``documents ** -exponent``."""
    exponent_interval: tuple[float, float]


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
        expected = self.outlook if self.outlook and self.outlook.exponent > 0 else None
        figure = plots.learning_curve(
            [point.documents for point in self.points],
            [point.accuracy for point in self.points],
            [point.seconds for point in self.points],
            score=self.points[-1].score,
            intervals=[wilson(point.accuracy, point.test_documents) for point in self.points],
            expected=expected and (expected.documents, expected.accuracy, *expected.interval),
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
            test["documents"],
        )


def verdict(points: Sequence[Point], expected: Outlook | None) -> str:
    """What the curve says about more documents, and what it cannot tell."""
    last = points[-1]
    if last.accuracy >= 1:
        return "no error is left on the test split, so the curve cannot show what more documents would bring"
    changes = [b.accuracy - a.accuracy for a, b in pairwise(points) if b.documents > a.documents]
    if not changes or expected is None:
        return "all tiers have the same documents, so the curve cannot show what more would bring"
    moves = f"{_moves(changes)} (one seed per tier)"
    low, high = (f"{bound:.4f}" for bound in expected.interval)
    more = f"{last.score} from {last.accuracy:.4f} to about {expected.accuracy:.4f} (95 % interval {low} to {high})"
    twice = f"twice as many documents, {expected.documents:,},"
    if expected.exponent_interval[0] > 0:
        return (
            f"{twice} would likely raise {more}: {moves}; "
            f"over the last tiers it falls like documents to the power of -{expected.exponent:.2f}"
        )
    if expected.exponent_interval[1] < 0:
        return f"more documents would likely bring nothing, as the error rose over the last tiers: {moves}"
    tell = f"a test split of {counted(last.test_documents, 'document')} is too small to tell the last tiers apart"
    return f"whether more documents would help is not clear: {twice} might bring {more}; {tell}; {moves}"


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
    """Predict the accuracy with MORE times the documents of the last point; None without an error or a smaller tier.

    The error falls like a power of the number of documents (https://arxiv.org/abs/1712.00409). The power is fitted to
    the last FITTED points, because the first is often the noise of a few steps; no error counts as half a document. The
    intervals come from fits to errors drawn for each point as if it had a test split of its own, which is wider than
    with the one that they share.
    """
    last = points[-1]
    latest = {point.documents: point for point in points}  # tiers may have the same documents
    used = list(latest.values())[-FITTED:]
    documents = np.array([point.documents for point in used])
    if last.accuracy >= 1 or len(used) < 2:
        return None
    errors = np.array([max(1 - point.accuracy, 0.5 / point.test_documents) for point in used])
    tested = np.array([point.test_documents for point in used])
    drawn = np.random.default_rng(0).binomial(tested, errors, size=(RESAMPLES, len(used)))  # (R, points)
    exponents = _exponents(documents, np.maximum(drawn, 0.5) / tested)
    exponent = float(_exponents(documents, errors[None])[0])
    later = np.clip(1 - drawn[:, -1] / tested[-1] * MORE**-exponents, 0, 1)
    accuracy = max(1 - (1 - last.accuracy) * MORE**-exponent, 0.0)
    return Outlook(MORE * last.documents, accuracy, _interval(later), exponent, _interval(exponents))


def _exponents(documents: NDArray[np.int64], errors: NDArray[np.float64]) -> NDArray[np.float64]:
    """The powers of the documents (P,) that R rows of errors, shape (R, P), fall like, by least squares: shape (R,)."""
    slopes: NDArray[np.float64] = np.polyfit(np.log(documents), np.log(errors).T, 1)[0]
    return -slopes


def _interval(values: NDArray[np.float64]) -> tuple[float, float]:
    low, high = np.quantile(values, ((1 - LEVEL) / 2, (1 + LEVEL) / 2)).tolist()
    return low, high


def wilson(share: float, count: int) -> tuple[float, float]:
    """The interval of a share of ``count`` documents; Wilson, https://doi.org/10.1080/01621459.1927.10502953."""
    z = NormalDist().inv_cdf((1 + LEVEL) / 2)
    scale, centre = 1 + z * z / count, share + z * z / (2 * count)
    half = z * sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    return (centre - half) / scale, (centre + half) / scale
