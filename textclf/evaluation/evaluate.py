"""Score a finished model on a split of its data or on labelled files, with confidence intervals."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from textclf.artefacts.artefact import Artefact
from textclf.evaluation import metrics
from textclf.evaluation.calibration import Point, calibration_error, curve, point, unknown_shares
from textclf.evaluation.metrics import Baseline, Interval, Metrics, accuracies, interval, macro_f1s
from textclf.evaluation.predictions import Predictions, predict
from textclf.inference.labelled import Labelled


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


@dataclass(frozen=True, slots=True, repr=False)
class Evaluation:
    """Scores of a run's model on a split of its data, or on files."""

    run: str
    corpus: str
    """The data that the model was trained on."""
    split: str | None
    """None if the documents are those of files."""
    files: Sequence[str]
    """Empty if the documents are those of a split."""
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

    def __repr__(self) -> str:
        measured = self.metrics
        figures = f"accuracy={measured.accuracy:.4f}, macro_f1={measured.macro_f1:.4f}, documents={measured.documents}"
        return f"Evaluation({self.run!r}, {self.split or ', '.join(self.files)!r}, {figures})"


def evaluate(run: Path, *, split: str) -> Evaluation:
    """Predict the documents of a split and compare with their labels; raises what `predictions.predict` raises."""
    return score(predict(run, split=split))


class Origin(NamedTuple):
    """The fields of an evaluation that say what was evaluated."""

    run: str
    corpus: str
    split: str | None
    files: Sequence[str]
    unseen: dict[str, int]
    seen: bool


class Outcome(NamedTuple):
    """What a model makes of D documents."""

    trained: Artefact
    labels: NDArray[np.int64]
    """Class indices, shape (D,); a negative number of its own for each label that the model does not have."""
    raw: NDArray[np.float32]
    """Logits before calibration, shape (D, C)."""
    unknown: NDArray[np.float64]
    """Share of unknown words, shape (D,)."""
    frequent_in: NDArray[np.int64]
    """Class indices of the documents whose most frequent label the baseline always gives."""


def score(found: Predictions) -> Evaluation:
    """Compare predictions for a split with its labels."""
    seen = found.split == "validation" and bool(found.trained.trained.get("refit"))
    origin = Origin(found.run, found.data.manifest.name, found.split, (), found.unseen(), seen)
    shares = unknown_shares(found.data, found.rows, found.trained.tokenizer)
    trained_on = found.data.classes()[found.data.rows("full")]
    return _score(origin, Outcome(found.trained, found.labels, found.raw, shares, trained_on))


def score_files(found: Labelled, trained: Artefact, *, run: str, files: Sequence[str]) -> Evaluation:
    """Compare predictions for the rows of files with their labels; the baseline gives the most frequent of these."""
    corpus, labels = str(trained.trained.get("corpus", "")), found.classes(trained.labels)
    origin = Origin(run, corpus, None, files, found.foreign(trained.labels), seen=False)
    return _score(origin, Outcome(trained, labels, found.raw, found.unknown, labels))


def _score(origin: Origin, outcome: Outcome) -> Evaluation:
    trained, labels, raw = outcome.trained, outcome.labels, outcome.raw
    logits: NDArray[np.float32] = raw / np.float32(trained.temperature)
    answers = raw.argmax(axis=1)
    measured = metrics.measure(labels, logits)
    is_unlike = trained.abstention.is_unlike(outcome.unknown)
    return Evaluation(
        **origin._asdict(),
        metrics=measured,
        intervals={
            "accuracy": interval(accuracies(labels, answers), len(labels)),
            "macro_f1": interval(macro_f1s(labels, answers), len(labels)),
        },
        baseline=metrics.baseline(labels, outcome.frequent_in, trained.labels),
        calibration=Calibration(
            trained.temperature,
            calibration_error(labels, raw),
            calibration_error(labels, logits),
            metrics.cross_entropy(labels, raw),
            measured.loss,
        ),
        classes=metrics.per_class(labels, logits, trained.labels),
        confusion=metrics.confusion(labels, answers, classes=len(trained.labels)).tolist(),
        thresholds=_thresholds(outcome, logits, is_unlike),
        curve=curve(labels, logits),
        unlike=float(is_unlike.mean()),
    )


def _thresholds(outcome: Outcome, logits: NDArray[np.float32], is_unlike: NDArray[np.bool_]) -> dict[str, Point]:
    """Coverage and precision of each threshold; as in `textclf predict`, texts unlike the corpus get no answer."""
    thresholds = outcome.trained.abstention.thresholds
    given = np.where(is_unlike[:, None], np.float32(0), logits)  # 0: the lowest probability
    return {precision: point(outcome.labels, given, threshold) for precision, threshold in thresholds.items()}
