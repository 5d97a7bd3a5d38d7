"""Score a finished model on a split of its data, with confidence intervals."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from textclf.evaluation import metrics
from textclf.evaluation.calibration import Point, calibration_error, curve, point, unknown_shares
from textclf.evaluation.metrics import Baseline, Interval, Metrics, accuracies, interval, macro_f1s
from textclf.evaluation.predictions import Predictions, predict


@dataclass(frozen=True, slots=True)
class Calibration:
    """How well probabilities match the share of right answers, with and without the temperature."""

    temperature: float
    """Logits are divided by it: above 1 if the model is overconfident."""
    error_before: float
    """Expected calibration error without the temperature, between 0 and 1."""
    error: float
    loss_before: float
    """Cross-entropy in nats without the temperature."""
    loss: float


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Scores of a run's model on a split."""

    run: str
    corpus: str
    split: str
    metrics: Metrics
    intervals: dict[str, Interval]
    """Accuracy and macro_f1: 95 % intervals."""
    baseline: Baseline
    calibration: Calibration
    classes: list[dict[str, Any]]
    """Label, precision, recall, f1 and documents of each class."""
    unseen: dict[str, int]
    """Documents of each label that the training split does not have. Its F1, 0, counts in the macro-F1."""
    confusion: list[list[int]]
    """Number of documents by label (row) and answer (column)."""
    seen: bool
    """Whether the model was also trained on these documents."""
    thresholds: dict[str, Point]
    """Coverage and precision of the threshold learned for each precision."""
    curve: list[Point]
    """Coverage and precision, from the most probable answers to all."""
    unlike: float
    """Share of the documents that have too many unknown words to be like the corpus."""


def evaluate(run: Path, *, split: str) -> Evaluation:
    """Predict the documents of a split and compare with their labels; raises what `predictions.predict` raises."""
    return score(predict(run, split=split))


def score(found: Predictions) -> Evaluation:
    """Compare predictions with labels."""
    labels, logits = found.labels, found.logits
    trained = found.data.classes()[found.data.rows("full")]
    measured = metrics.measure(labels, logits)
    before = metrics.cross_entropy(labels, found.raw)
    shares = unknown_shares(found.data, found.rows, found.trained.tokenizer)
    is_unlike = found.trained.abstention.is_unlike(shares)
    return Evaluation(
        run=found.run,
        corpus=found.data.manifest.name,
        split=found.split,
        metrics=measured,
        intervals={
            "accuracy": interval(accuracies(labels, found.answers), len(labels)),
            "macro_f1": interval(macro_f1s(labels, found.answers), len(labels)),
        },
        baseline=metrics.baseline(labels, trained, found.names),
        calibration=Calibration(
            found.trained.temperature,
            calibration_error(labels, found.raw),
            calibration_error(labels, logits),
            before,
            measured.loss,
        ),
        classes=metrics.per_class(labels, logits, found.names),
        unseen=found.unseen(),
        confusion=metrics.confusion(labels, found.answers, classes=len(found.names)).tolist(),
        thresholds=_thresholds(found, is_unlike),
        curve=curve(labels, logits),
        unlike=float(is_unlike.mean()),
        seen=found.split == "validation" and bool(found.trained.trained.get("refit")),
    )


def _thresholds(found: Predictions, is_unlike: NDArray[np.bool_]) -> dict[str, Point]:
    """Coverage and precision of each threshold; as in `textclf predict`, texts unlike the corpus get no answer."""
    thresholds = found.trained.abstention.thresholds
    logits = np.where(is_unlike[:, None], np.float32(0), found.logits)  # the lowest probability
    return {precision: point(found.labels, logits, threshold) for precision, threshold in thresholds.items()}
