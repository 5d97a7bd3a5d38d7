"""Metrics of labels and logits, computed by scikit-learn where it has them."""

from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from textclf.system import late_imports


class Metrics(NamedTuple):
    """How well documents were classified."""

    documents: int
    accuracy: float
    """Share of documents that got their own label. A label the model does not know is always an error."""
    macro_f1: float
    """Mean F1 over the classes: rare classes count as much as frequent ones."""
    micro_f1: float
    """F1 over all decisions together; with one label per document it equals the accuracy."""
    weighted_f1: float
    """Mean F1 over the classes, weighted by their number of documents."""
    loss: float
    """Mean cross-entropy in nats over the documents whose label the model knows."""


class Baseline(NamedTuple):
    """Score of always giving the label that is most frequent in training."""

    label: str
    accuracy: float
    macro_f1: float


def measure(labels: NDArray[np.int64], logits: NDArray[np.float32]) -> Metrics:
    """Metrics of logits, shape (D, C), against class indices, shape (D,); negative: a label the model does not know."""
    answers = logits.argmax(axis=1)
    f1 = {
        average: float(_sklearn().f1_score(labels, answers, average=average, zero_division=0))
        for average in ("macro", "micro", "weighted")
    }
    return Metrics(
        documents=len(labels),
        accuracy=float(_sklearn().accuracy_score(labels, answers)),
        macro_f1=f1["macro"],
        micro_f1=f1["micro"],
        weighted_f1=f1["weighted"],
        loss=cross_entropy(labels, logits),
    )


def cross_entropy(labels: NDArray[np.int64], logits: NDArray[np.float32]) -> float:
    """Mean of ``-log p(label)`` in nats over the known labels; scikit-learn's log_loss would clip probabilities."""
    known = labels >= 0
    scores = logits[known].astype(np.float64)
    highest = scores.max(axis=1, keepdims=True)
    log_sum = np.log(np.exp(scores - highest).sum(axis=1)) + highest[:, 0]
    return float(np.mean(log_sum - scores[np.arange(len(scores)), labels[known]]))


def baseline(labels: NDArray[np.int64], trained: NDArray[np.int64], names: list[str]) -> Baseline:
    """Score of the class most frequent in ``trained`` on the documents with ``labels``; both are class indices."""
    most_frequent = int(np.bincount(trained[trained >= 0]).argmax())
    answers = np.full_like(labels, most_frequent)
    macro_f1 = _sklearn().f1_score(labels, answers, average="macro", zero_division=0)
    return Baseline(names[most_frequent], float(_sklearn().accuracy_score(labels, answers)), float(macro_f1))


def confusion(labels: NDArray[np.int64], answers: NDArray[np.int64], *, classes: int) -> NDArray[np.int64]:
    """Number of documents by label (row) and answer (column), shape (C, C), without documents of unknown labels."""
    counts: NDArray[np.int64] = _sklearn().confusion_matrix(labels, answers, labels=range(classes))
    return counts


def per_class(labels: NDArray[np.int64], logits: NDArray[np.float32], names: list[str]) -> list[dict[str, Any]]:
    """Precision, recall, F1 and number of documents of each class, in the order of the names."""
    columns = _sklearn().precision_recall_fscore_support(
        labels, logits.argmax(axis=1), labels=range(len(names)), zero_division=0
    )
    rows = zip(names, *(column.tolist() for column in columns), strict=True)
    return [dict(zip(("label", "precision", "recall", "f1", "documents"), row, strict=True)) for row in rows]


def _sklearn() -> ModuleType:
    """scikit-learn's metrics, imported when first used: it takes a second."""
    return late_imports.load("sklearn.metrics")
