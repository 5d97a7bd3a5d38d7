"""Accuracy, F1, cross-entropy and confusion counts from labels and logits, and intervals by the bootstrap.

In numpy alone, as models are also evaluated where nothing else is installed; every figure equals that of scikit-learn.
Labels are class indices; each label that the model does not know has a negative number of its own. F1 is averaged over
all labels that a document or an answer has.
"""

from collections.abc import Callable
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

BATCHES: Final = 10
"""Of resamples, so that few of them are in memory."""
RESAMPLES_AT_ONCE: Final = 100
LEVEL: Final = 0.95
Interval = tuple[float, float]
Resampled = Callable[[NDArray[np.int64]], NDArray[np.float64]]
"""Scores of R resamples, shape (R,), from the indices of their documents, shape (R, D)."""


class Metrics(NamedTuple):
    """How well documents were classified."""

    documents: int
    accuracy: float
    """Share of documents that got their own label. A label the model does not know is always an error."""
    macro_f1: float
    """Mean F1 over all labels of documents and answers: rare ones count as much as frequent ones."""
    micro_f1: float
    """F1 over all decisions together; with one label per document it equals the accuracy."""
    weighted_f1: float
    """Mean F1 over these labels, weighted by their number of documents."""
    loss: float
    """Mean cross-entropy in nats over the documents whose label the model knows."""


class Baseline(NamedTuple):
    """Score of always giving the label that is most frequent in training."""

    label: str
    accuracy: float
    macro_f1: float


class Counts(NamedTuple):
    """How often each of N labels occurs, those of documents and of answers together; arrays of shape (N,)."""

    names: NDArray[np.int64]
    """Class indices, ascending, and the negative numbers of labels that the model does not know."""
    documents: NDArray[np.int64]
    """Documents with this label."""
    answers: NDArray[np.int64]
    """Documents that got this label."""
    right: NDArray[np.int64]
    """Documents with this label that got it."""

    def f1(self) -> NDArray[np.float64]:
        """F1 of each label; no label is without documents and answers, so there is no 0 / 0."""
        f1: NDArray[np.float64] = 2 * self.right / (self.documents + self.answers)
        return f1


def count(labels: NDArray[np.int64], answers: NDArray[np.int64]) -> Counts:
    """Count the labels of D documents and their answers, both of shape (D,)."""
    names, codes = np.unique(np.concatenate((labels, answers)), return_inverse=True)
    label, answer = np.split(codes, 2)
    return Counts(names, *(np.bincount(each, minlength=len(names)) for each in (label, answer, label[label == answer])))


def measure(
    labels: NDArray[np.int64], logits: NDArray[np.float32], answers: NDArray[np.int64] | None = None
) -> Metrics:
    """Metrics of logits, shape (D, C), and answers, by default the highest, against class indices, shape (D,)."""
    counts = count(labels, logits.argmax(axis=1) if answers is None else answers)
    f1, accuracy = counts.f1(), float(counts.right.sum() / len(labels))
    weighted = float(np.average(f1, weights=counts.documents))
    return Metrics(len(labels), accuracy, float(f1.mean()), accuracy, weighted, cross_entropy(labels, logits))


def macro_f1(labels: NDArray[np.int64], answers: NDArray[np.int64]) -> float:
    """Mean F1 over all labels of documents and answers, class indices of shape (D,)."""
    return float(count(labels, answers).f1().mean())


def cross_entropy(labels: NDArray[np.int64], logits: NDArray[Any]) -> float:
    """Mean of ``-log p(label)`` in nats over the known labels, exact for extreme logits."""
    known = labels >= 0
    scores = logits[known].astype(np.float64)
    highest = scores.max(axis=1, keepdims=True)
    log_sum = np.log(np.exp(scores - highest).sum(axis=1)) + highest[:, 0]
    return float(np.mean(log_sum - scores[np.arange(len(scores)), labels[known]]))


def baseline(labels: NDArray[np.int64], trained: NDArray[np.int64], names: list[str]) -> Baseline:
    """Score of the class most frequent in ``trained`` on the documents with ``labels``; both are class indices."""
    most_frequent = int(np.bincount(trained[trained >= 0]).argmax())
    answers = np.full_like(labels, most_frequent)
    return Baseline(names[most_frequent], float((labels == answers).mean()), macro_f1(labels, answers))


def confusion(labels: NDArray[np.int64], answers: NDArray[np.int64], *, classes: int) -> NDArray[np.int64]:
    """Number of documents by label (row) and answer (column), shape (C, C), without documents of unknown labels."""
    known = labels >= 0
    cells = np.bincount(labels[known] * classes + answers[known], minlength=classes**2)
    return cells.reshape(classes, classes)


def per_class(labels: NDArray[np.int64], logits: NDArray[np.float32], names: list[str]) -> list[dict[str, Any]]:
    """Precision, recall, F1 and number of documents of each class, in the order of the names; 0 instead of 0 / 0."""
    answers = logits.argmax(axis=1)
    found = (labels[labels >= 0], answers, labels[labels == answers])
    documents, given, right = (np.bincount(classes, minlength=len(names)) for classes in found)
    shares = (right / given.clip(1), right / documents.clip(1), 2 * right / (documents + given).clip(1))
    rows = zip(names, *(column.tolist() for column in (*shares, documents)), strict=True)
    return [dict(zip(("label", "precision", "recall", "f1", "documents"), row, strict=True)) for row in rows]


def accuracies(labels: NDArray[np.int64], answers: NDArray[np.int64]) -> Resampled:
    """The accuracy of each resample."""
    right = labels == answers
    return lambda places: right[places].mean(axis=1)


def macro_f1s(labels: NDArray[np.int64], answers: NDArray[np.int64]) -> Resampled:
    """The macro-F1 of each resample over the classes that occur in it as label or answer, as in scikit-learn."""
    names, codes = np.unique(np.concatenate((labels, answers)), return_inverse=True)
    label, answer = np.split(codes, 2)

    def of(places: NDArray[np.int64]) -> NDArray[np.float64]:
        shape = (len(places), len(names))
        resample = np.arange(len(places))[:, None] * len(names)

        def count(chosen: NDArray[np.int64]) -> NDArray[np.float64]:
            return np.bincount(chosen, minlength=shape[0] * shape[1]).reshape(shape).astype(np.float64)

        labelled, answered = label[places] + resample, answer[places] + resample
        documents = count(labelled.ravel()) + count(answered.ravel())  # (R, C)
        hits = count(labelled[labelled == answered])  # (R, C)
        occurs = documents > 0
        f1 = 2 * hits / np.where(occurs, documents, 1)
        figures: NDArray[np.float64] = f1.sum(axis=1) / occurs.sum(axis=1)
        return figures

    return of


def interval(figures: Resampled, documents: int, *, seed: int = 0) -> Interval:
    """The interval that contains the score of LEVEL of the resamples; NaN for fewer than two documents.

    The percentile bootstrap: https://doi.org/10.1201/9780429246593, chapter 13.
    """
    if documents < 2:
        return (float("nan"), float("nan"))
    generator = np.random.default_rng(seed)
    resamples = (generator.integers(documents, size=(RESAMPLES_AT_ONCE, documents)) for _ in range(BATCHES))
    scores = np.concatenate([figures(places) for places in resamples])
    low, high = np.quantile(scores, ((1 - LEVEL) / 2, (1 + LEVEL) / 2)).tolist()
    return low, high
