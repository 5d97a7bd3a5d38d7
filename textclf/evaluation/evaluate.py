"""Score a finished model on a split of its data or on labelled files, with confidence intervals."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from textclf.artefacts.artefact import Artefact
from textclf.dataset.directory import UNSEEN
from textclf.dataset.label_sets import MULTI, LabelSets
from textclf.evaluation import metrics, multi_label
from textclf.evaluation.calibration import Point, binned, curve_of, error_of, points_of
from textclf.evaluation.metrics import Baseline, Interval, Metrics, interval
from textclf.evaluation.multi_label import MultiBaseline, MultiMetrics
from textclf.evaluation.outcome import Outcome
from textclf.evaluation.predictions import Predictions, predict, unknown_shares
from textclf.evaluation.scoring import OneLabel, SeveralLabels
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
    metrics: Metrics | MultiMetrics
    intervals: dict[str, Interval]
    """Accuracy, or micro_f1 of several labels, and macro_f1: 95 % intervals."""
    baseline: Baseline | MultiBaseline
    calibration: Calibration
    classes: list[dict[str, Any]]
    """Label, precision, recall, f1 and documents of each class; of several labels also threshold and
    average_precision."""
    unseen: dict[str, int]
    """Documents of each label that the training split does not have. Its F1, 0, counts in the macro-F1."""
    confusion: list[list[int]]
    """Number of documents by label (row) and answer (column); empty where a document may have several."""
    seen: bool
    """Whether the model was also trained on these documents."""
    thresholds: dict[str, Point]
    """Coverage and precision of the threshold learned for each precision."""
    curve: list[Point]
    """Coverage and precision, from the most probable answers to all."""
    unlike: float
    """Share of the documents that have too many unknown words to be like the corpus."""

    @property
    def is_multi(self) -> bool:
        """Whether a document may have several labels."""
        return isinstance(self.metrics, MultiMetrics)

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


def score(found: Predictions) -> Evaluation:
    """Compare predictions for a split with its labels."""
    about = found.trained.trained
    seen = found.split == "validation" and bool(about.get("refit")) and "shots" not in about
    origin = Origin(found.run, found.data.manifest.name, found.split, (), found.unseen(), seen)
    shares = unknown_shares(found.data, found.rows, found.trained.tokenizer)
    trained_on = found.data.classes()[found.data.rows("full")].astype(np.int64)
    trained_on = trained_on[trained_on > UNSEEN]  # documents of labels that were added later are not among them
    baseline: Baseline | MultiBaseline
    if found.data.is_multi:
        sets = found.data.label_sets().sets
        frequent = sets[int(np.bincount(trained_on).argmax())]
        baseline = multi_label.baseline(found.outcome.truth, frequent, [*found.names, *found.data.unseen_labels()])
    else:
        baseline = metrics.baseline(found.labels, trained_on, found.names)
    return _score(origin, found.outcome, baseline, unknown=shares)


def score_files(found: Labelled, trained: Artefact, *, run: str, files: Sequence[str]) -> Evaluation:
    """Compare predictions for the rows of files with their labels; the baseline gives the most frequent of these."""
    corpus = str(trained.trained.get("corpus", ""))
    origin = Origin(run, corpus, None, files, found.foreign(trained.labels), seen=False)
    outcome = outcome_of(found, trained)
    baseline: Baseline | MultiBaseline
    if trained.is_multi:
        (frequent, _), *_ = Counter(found.labels).most_common(1)
        names = [*trained.labels, *sorted({*found.counts()} - {*trained.labels})]
        baseline = multi_label.baseline(outcome.truth, frequent, names)
    else:
        baseline = metrics.baseline(outcome.labels, outcome.labels, trained.labels)
    return _score(origin, outcome, baseline, unknown=found.unknown)


def outcome_of(found: Labelled, trained: Artefact) -> Outcome:
    """What a model makes of the rows of files."""
    if not trained.is_multi:
        return Outcome(trained, OneLabel(), found.classes(trained.labels), found.raw)
    sets = LabelSets(sorted({*found.labels}), MULTI)
    place = {labels: at for at, labels in enumerate(sets.sets)}
    codes = np.array([place[labels] for labels in found.labels], dtype=np.int64)
    return Outcome(trained, SeveralLabels.of(sets, trained.labels), codes, found.raw)


def _score(
    origin: Origin, outcome: Outcome, baseline: Baseline | MultiBaseline, *, unknown: NDArray[np.float64]
) -> Evaluation:
    """The figures, given the share of unknown words of each document, shape (D,)."""
    trained, scoring, labels, raw = outcome.trained, outcome.scoring, outcome.labels, outcome.raw
    before = outcome.how._replace(temperature=1.0)
    confidence, right = outcome.confident()
    measured, resampled = outcome.measure(), outcome.resampled()
    is_unlike = trained.abstention.is_unlike(unknown)
    shown = ("micro_f1", "macro_f1") if trained.is_multi else ("accuracy", "macro_f1")
    return Evaluation(
        **origin._asdict(),
        metrics=measured,
        intervals={name: interval(resampled[name], len(labels)) for name in shown},
        baseline=baseline,
        calibration=Calibration(
            trained.temperature,
            error_of(binned(*outcome.confident(before))),
            error_of(binned(confidence, right)),
            scoring.measure(labels, raw, before).loss,
            measured.loss,
        ),
        classes=scoring.by_label(labels, raw, outcome.how, names=trained.labels),
        confusion=_confusion(outcome),
        thresholds=points_of(trained.abstention, confidence, right, is_unlike),
        curve=curve_of(confidence, right),
        unlike=float(is_unlike.mean()),
    )


def _confusion(outcome: Outcome) -> list[list[int]]:
    """Documents by label and answer; none where a document may have several."""
    if outcome.trained.is_multi:
        return []
    answers = outcome.raw.argmax(axis=1)
    counts: list[list[int]] = metrics.confusion(outcome.labels, answers, classes=len(outcome.trained.labels)).tolist()
    return counts
