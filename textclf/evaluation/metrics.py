"""Accuracy, F1, cross-entropy and confusion counts from labels and logits, and intervals by the bootstrap.

Scikit-learn computes every figure that it has. Labels are class indices; each label that the model does not know has a
negative number of its own. F1 is averaged over all labels that a document or an answer has.
"""

import sys
from collections.abc import Callable
from functools import cache, partial
from importlib import import_module
from types import ModuleType
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

RESAMPLES: Final = 1000
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


def measure(labels: NDArray[np.int64], logits: NDArray[np.float32]) -> Metrics:
    """Metrics of logits, shape (D, C), against class indices, shape (D,)."""
    answers = logits.argmax(axis=1)
    f1 = partial(_sklearn().f1_score, labels, answers, zero_division=0)
    macro, micro, weighted = (float(f1(average=average)) for average in ("macro", "micro", "weighted"))
    accuracy = float(_sklearn().accuracy_score(labels, answers))
    return Metrics(len(labels), accuracy, macro, micro, weighted, cross_entropy(labels, logits))


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
    macro_f1 = float(_sklearn().f1_score(labels, answers, average="macro", zero_division=0))
    return Baseline(names[most_frequent], float(_sklearn().accuracy_score(labels, answers)), macro_f1)


def confusion(labels: NDArray[np.int64], answers: NDArray[np.int64], *, classes: int) -> NDArray[np.int64]:
    """Number of documents by label (row) and answer (column), shape (C, C), without documents of unknown labels."""
    counts: NDArray[np.int64] = _sklearn().confusion_matrix(labels, answers, labels=range(classes))
    return counts


def per_class(labels: NDArray[np.int64], logits: NDArray[np.float32], names: list[str]) -> list[dict[str, Any]]:
    """Precision, recall, F1 and number of documents of each class, in the order of the names; 0 instead of 0 / 0."""
    figures = _sklearn().precision_recall_fscore_support(
        labels, logits.argmax(axis=1), labels=range(len(names)), zero_division=0
    )
    rows = zip(names, *(column.tolist() for column in figures), strict=True)
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
    """The interval that contains the score of LEVEL of the resamples; NaN for fewer than two documents."""
    from scipy.stats import bootstrap

    if documents < 2:
        return (float("nan"), float("nan"))
    found = bootstrap(
        (np.arange(documents),),
        lambda places, axis: figures(places.astype(np.int64).reshape(-1, documents)).reshape(places.shape[:axis]),
        n_resamples=RESAMPLES,
        batch=RESAMPLES_AT_ONCE,
        vectorized=True,
        method="percentile",
        confidence_level=LEVEL,
        rng=np.random.default_rng(seed),
    ).confidence_interval
    return float(found.low), float(found.high)


@cache
def _sklearn() -> ModuleType:
    """`sklearn.metrics`, imported when it is first needed, and without pandas.

    Scikit-learn would import pandas, and that Arrow, for tables that nobody gives it here: 70 MB of a training run on
    20newsgroups (480 MB), and 0.3 s.
    """
    missing = "pandas" not in sys.modules
    if missing:
        sys.modules["pandas"] = None  # type: ignore[assignment]  # which makes `import pandas` fail
    try:
        return import_module("sklearn.metrics")
    finally:
        if missing:
            del sys.modules["pandas"]
