"""What a search for settings raises: a figure of labelled documents, and what it is in each of many resamples.

accuracy, macro-f1, micro-f1 and loss are those of metrics.json. ``f1:LABEL`` is the F1 of one label.
``precision-at-recall:R`` is the precision of the most probable answers, as many as find the share R of all labels: all
pairs of a document and a label are ranked by their probability. D documents, C classes, R resamples.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from textclf.errors import UsageError
from textclf.evaluation.scoring import Calibrated, Labels, Logits, Scoring, SeveralLabels
from textclf.models.arithmetic import sigmoid, softmax
from textclf.settings import nearest, shown

PLAIN: Final = ("accuracy", "macro-f1", "micro-f1", "loss")
AT_RECALL: Final = "precision-at-recall"
OF_LABEL: Final = "f1"
FORMS: Final = (*PLAIN, f"{AT_RECALL}:R", f"{OF_LABEL}:LABEL")

MOST_NAMED: Final = 10
"""Labels that a message names."""
MOST_PAIRS: Final = 1_000_000
"""Maximum number of pairs of a document and a label that are ranked, the most probable ones."""

Weights = NDArray[np.float32]
"""How often each document is in each resample, shape (R, D)."""
Figures = Callable[[Weights], NDArray[np.float64]]
"""The figure of each resample, shape (R,), the higher the better: a loss is negative."""


class Goal(NamedTuple):
    """A figure to raise."""

    kind: str
    """One of PLAIN, AT_RECALL or OF_LABEL."""
    recall: float = 0.0
    label: str = ""

    @classmethod
    def parse(cls, text: str) -> "Goal":
        """A goal as the command line spells it; raises UsageError for anything else."""
        kind, colon, detail = text.partition(":")
        spelled = kind.strip().lower().replace("_", "-")
        if spelled in PLAIN and not colon:
            return cls(spelled)
        if spelled == OF_LABEL and detail:
            return cls(OF_LABEL, label=detail)
        if spelled == AT_RECALL and 0 < (recall := _share(detail)) <= 1:
            return cls(AT_RECALL, recall=recall)
        if spelled == AT_RECALL:
            raise UsageError(f"--metric {shown(text)}: give a recall above 0 and at most 1, as in {AT_RECALL}:0.3")
        raise UsageError(f"--metric {shown(text)}: {nearest(spelled, PLAIN)}there are {', '.join(FORMS)}")

    def check(self, labels: Sequence[str]) -> None:
        """Raise UsageError if the data has no such label."""
        if self.label and self.label not in labels:
            hint = nearest(self.label, labels).rstrip() or f"there are {', '.join(labels[:MOST_NAMED])}"
            raise UsageError(f"--metric f1:{self.label}: the data has no such label; {hint}")

    def __str__(self) -> str:
        return {OF_LABEL: f"f1:{self.label}", AT_RECALL: f"{AT_RECALL}:{self.recall:g}"}.get(self.kind, self.kind)

    @property
    def sign(self) -> int:
        """-1 for a figure that is better if lower, which `Figures` has negated; else 1."""
        return -1 if self.kind == "loss" else 1

    @property
    def watched(self) -> str:
        """The field of `textclf.training.meters.Score` that shows after an epoch how the figure will be."""
        fields = {"f1": "macro_f1", AT_RECALL: "loss"}
        return fields.get(self.kind, self.kind.replace("-", "_"))

    def figures(
        self, scoring: Scoring, labels: Labels, raw: Logits, how: Calibrated, *, names: Sequence[str]
    ) -> Figures:
        """The figure of labels (D,), as `Scoring` reads them, and logits (D, C) before calibration."""
        if self.kind == "accuracy":
            return _mean(scoring.is_right(labels, raw, how).astype(np.float32))
        if self.kind == "loss":
            return _mean(*_negative_losses(scoring, labels, how.logits(raw)))
        if self.kind == AT_RECALL:
            return self._precisions(scoring, labels, how.logits(raw))
        truth, given = _decisions(scoring, labels, raw, how)
        if self.kind == OF_LABEL:
            place = [list(names).index(self.label)]
            truth, given = truth[:, place], given[:, place]
        return _f1s(truth, given, micro=self.kind == "micro-f1")

    def _precisions(self, scoring: Scoring, labels: Labels, logits: Logits) -> Figures:
        several = isinstance(scoring, SeveralLabels)
        probabilities = sigmoid(logits) if several else softmax(logits)
        truth = _truth(scoring, labels, classes=logits.shape[1])
        documents, classes = np.divmod(_highest(probabilities.ravel(), most=MOST_PAIRS), logits.shape[1])
        right = truth[documents, classes]
        everything = np.maximum(truth.sum(axis=1), 0 if several else 1).astype(np.float32)  # (D,)

        def of(weights: Weights) -> NDArray[np.float64]:
            given = weights[:, documents].astype(np.float64)
            found, answers = np.cumsum(given * right, axis=1), np.cumsum(given, axis=1)
            needed = self.recall * (weights @ everything)
            enough = found >= needed[:, None] - 1e-9
            first = enough.argmax(axis=1)
            rows = np.arange(len(weights))
            precision = found[rows, first] / np.maximum(answers[rows, first], 1)
            return np.where(enough.any(axis=1), precision, 0.0)

        return of


def value(figures: Figures, documents: int) -> float:
    """The figure of all documents."""
    return float(figures(np.ones((1, documents), dtype=np.float32))[0])


def _share(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0


def _mean(values: NDArray[np.float32], counts: NDArray[np.float32] | None = None) -> Figures:
    """The mean of a value (D,) over the documents of a resample; ``counts``: which have one."""
    having = np.ones_like(values) if counts is None else counts

    def of(weights: Weights) -> NDArray[np.float64]:
        found: NDArray[np.float64] = (weights @ values).astype(np.float64) / np.maximum(weights @ having, 1)
        return found

    return of


def _negative_losses(
    scoring: Scoring, labels: Labels, logits: Logits
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Minus the cross-entropy of each document, and 1 for each that has one: its label is known."""
    scores = logits.astype(np.float64)
    truth = _truth(scoring, labels, classes=logits.shape[1])
    if isinstance(scoring, SeveralLabels):
        gains: NDArray[np.float64] = (truth * scores - np.logaddexp(0, scores)).sum(axis=1)
        return gains.astype(np.float32), np.ones(len(labels), dtype=np.float32)
    highest = scores.max(axis=1, keepdims=True)
    log_sum = np.log(np.exp(scores - highest).sum(axis=1)) + highest[:, 0]
    is_known: NDArray[np.bool_] = np.asarray(truth.any(axis=1))
    own: NDArray[np.float64] = np.where(is_known, (scores * truth).sum(axis=1) - log_sum, 0)
    return own.astype(np.float32), is_known.astype(np.float32)


def _truth(scoring: Scoring, labels: Labels, *, classes: int) -> NDArray[np.bool_]:
    """Which document has which of the C classes."""
    if isinstance(scoring, SeveralLabels):
        return scoring.truth(labels)[:, :classes]
    found: NDArray[np.bool_] = labels[:, None] == np.arange(classes)
    return found


def _decisions(scoring: Scoring, labels: Labels, raw: Logits, how: Calibrated) -> tuple[Any, Any]:
    """Which document has, and is given, which label: sparse matrices with a column for each class and unknown label."""
    from scipy.sparse import csr_array

    if isinstance(scoring, SeveralLabels):
        truth, given = scoring.truth(labels), scoring.given(raw, how)
        wide = np.pad(given, ((0, 0), (0, truth.shape[1] - given.shape[1])))
        return csr_array(truth.astype(np.float32)), csr_array(wide.astype(np.float32))
    classes, unknown = raw.shape[1], np.unique(labels[labels < 0])
    columns = np.where(labels < 0, classes + np.searchsorted(unknown, labels), labels)
    ones, bounds = np.ones(len(labels), dtype=np.float32), np.arange(len(labels) + 1)
    shape = (len(labels), classes + len(unknown))
    return tuple(csr_array((ones, places, bounds), shape=shape) for places in (columns, raw.argmax(axis=1)))


def _f1s(truth: Any, given: Any, *, micro: bool) -> Figures:
    """The F1 of all decisions together, or the mean over the labels that a document or an answer has."""
    columns = [matrix.T.tocsr() for matrix in (truth.multiply(given), truth + given)]

    def of(weights: Weights) -> NDArray[np.float64]:
        right, either = (np.asarray(matrix @ weights.T, dtype=np.float64).T for matrix in columns)  # (R, C)
        if micro:
            right, either = right.sum(axis=1, keepdims=True), either.sum(axis=1, keepdims=True)
        occurs = either > 0
        f1 = 2 * right / np.where(occurs, either, 1)
        mean: NDArray[np.float64] = f1.sum(axis=1) / np.maximum(occurs.sum(axis=1), 1)
        return mean

    return of


def _highest(values: NDArray[np.float32], *, most: int) -> NDArray[np.int64]:
    """The places of the highest values, the highest first; of equal ones, the earlier."""
    places = np.argsort(-values, kind="stable")[:most]
    return places.astype(np.int64)
