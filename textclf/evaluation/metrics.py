"""Figures of merit from labels and logits; scikit-learn computes every one that it has."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray


class Metrics(NamedTuple):
    """How well some documents were classified."""

    documents: int
    accuracy: float
    """Share of documents that got their label. A document whose label the model cannot give is an error."""
    macro_f1: float
    """Mean over the classes of the harmonic mean of precision and recall: rare classes count as much as others."""
    loss: float
    """Mean cross-entropy in nats, over the documents whose label the model can give."""


def measure(labels: NDArray[np.int64], logits: NDArray[np.float32]) -> Metrics:
    """Metrics of logits, shape (D, C), against class indices, shape (D,); negative: a label the model does not know."""
    from sklearn.metrics import accuracy_score, f1_score

    predicted = logits.argmax(axis=1)
    return Metrics(
        documents=len(labels),
        accuracy=float(accuracy_score(labels, predicted)),
        macro_f1=float(f1_score(labels, predicted, average="macro", zero_division=0)),
        loss=cross_entropy(labels, logits),
    )


def cross_entropy(labels: NDArray[np.int64], logits: NDArray[np.float32]) -> float:
    """Mean of ``-log p(label)`` in nats over the known labels; scikit-learn's log_loss would clip probabilities."""
    known = labels >= 0
    scores = logits[known].astype(np.float64)
    highest = scores.max(axis=1, keepdims=True)
    log_sum = np.log(np.exp(scores - highest).sum(axis=1)) + highest[:, 0]
    return float(np.mean(log_sum - scores[np.arange(len(scores)), labels[known]]))


def per_class(labels: NDArray[np.int64], logits: NDArray[np.float32], names: list[str]) -> list[dict[str, Any]]:
    """Precision, recall, F1 and number of documents of each class, in the order of the names."""
    from sklearn.metrics import precision_recall_fscore_support

    columns = precision_recall_fscore_support(labels, logits.argmax(axis=1), labels=range(len(names)), zero_division=0)
    rows = zip(names, *(column.tolist() for column in columns), strict=True)
    return [dict(zip(("label", "precision", "recall", "f1", "documents"), row, strict=True)) for row in rows]
