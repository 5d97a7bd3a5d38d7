"""Accuracy, F1, cross-entropy and confusion counts from labels and logits.

The F1 scores are those of scikit-learn, against which the tests hold them; importing it would take 1 s and 75 MB.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray


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
    f1, documents = f1_scores(labels, answers)
    accuracy = float(np.mean(labels == answers))
    return Metrics(
        documents=len(labels),
        accuracy=accuracy,
        macro_f1=float(f1.mean()),
        micro_f1=accuracy,
        weighted_f1=float(np.average(f1, weights=documents)),
        loss=cross_entropy(labels, logits),
    )


def f1_scores(labels: NDArray[np.int64], answers: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """F1 and number of documents, each of shape (K,), of the K classes that occur as a label or as an answer."""
    classes, codes = np.unique(np.concatenate((labels, answers)), return_inverse=True)
    label, answer = np.split(codes, 2)
    hits, labelled, answered = (
        np.bincount(counted, minlength=len(classes)) for counted in (label[label == answer], label, answer)
    )
    return 2 * hits / (labelled + answered), labelled


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
    f1, _ = f1_scores(labels, answers)
    return Baseline(names[most_frequent], float(np.mean(labels == answers)), float(f1.mean()))


def confusion(labels: NDArray[np.int64], answers: NDArray[np.int64], *, classes: int) -> NDArray[np.int64]:
    """Number of documents by label (row) and answer (column), shape (C, C), without documents of unknown labels."""
    known = labels >= 0
    pairs = np.bincount(labels[known] * classes + answers[known], minlength=classes * classes)
    return pairs.reshape(classes, classes)


def per_class(labels: NDArray[np.int64], logits: NDArray[np.float32], names: list[str]) -> list[dict[str, Any]]:
    """Precision, recall, F1 and number of documents of each class, in the order of the names; 0 instead of 0 / 0."""
    answers = logits.argmax(axis=1)
    hits, labelled, answered = (
        np.bincount(counted[counted >= 0], minlength=len(names))
        for counted in (labels[labels == answers], labels, answers)
    )
    figures = (
        hits / np.maximum(answered, 1),
        hits / np.maximum(labelled, 1),
        2 * hits / np.maximum(labelled + answered, 1),
        labelled,
    )
    rows = zip(names, *(column.tolist() for column in figures), strict=True)
    return [dict(zip(("label", "precision", "recall", "f1", "documents"), row, strict=True)) for row in rows]
