"""Documents of several labels: thresholds, calibration, and figures that say how good answers of several labels are.

In numpy alone, as models are also evaluated where nothing else is installed; every figure equals that of scikit-learn,
where it has one. D documents, C classes that the model has, U labels that only documents
have, which come after the classes: a document that has one of them counts as not given it.
"""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from textclf.evaluation.calibration import HIGHEST, LOWEST
from textclf.evaluation.metrics import Resampled
from textclf.models.arithmetic import sigmoid

SHRINKAGE: Final = 100.0
"""Validation documents of a label with which its threshold is half its own and half that of all labels.

Chosen on validation splits, four folds learned and scored apart: two corpora of 11 and 33 labels, three tiers, two
seeds. Of 0, 10, 30, 100, 300 and 1,000, the mean micro-F1 falls below that of one threshold for all from 30 down; at
100 it is level (worst run: 1.2 points less) and macro-F1 is 1.0 points higher.
"""

TRIED: Final = 400
"""Thresholds that are tried for all labels together, and for each."""

Truth = NDArray[np.bool_]
"""Which document has which label, shape (D, C + U)."""


class MultiMetrics(NamedTuple):
    """How well documents of several labels were classified; F1 and the like are 0 where they would be 0 / 0."""

    documents: int
    accuracy: float
    """Share of documents that got all of their labels and no other: the subset accuracy."""
    macro_f1: float
    """Mean F1 over all labels that a document or an answer has."""
    micro_f1: float
    """F1 over all pairs of a document and a label together."""
    weighted_f1: float
    """Mean F1 over labels, weighted by their number of documents."""
    loss: float
    """Mean over documents of the sum of binary cross-entropies, in nats."""
    document_f1: float
    """Mean over documents of the F1 of their labels; 1 where there are none and none were given."""
    micro_precision: float
    micro_recall: float
    hamming_loss: float
    """Share of all pairs of a document and a label that are wrong."""
    precision_at_1: float
    """Mean share of the most probable labels that are right; at 3 and 5: of the 3 and 5 most probable."""
    precision_at_3: float
    precision_at_5: float
    recall_at_5: float
    """Mean share of a document's labels that are among its 5 most probable, over documents with labels."""
    ndcg_at_5: float
    """Normalised discounted cumulative gain of the 5 most probable labels: https://doi.org/10.1145/582415.582418."""
    ranking_average_precision: float
    """Label ranking average precision: for each label of a document, the share of right ones among those ranked above
    it."""


class MultiBaseline(NamedTuple):
    """Score of always giving the set of labels that is most frequent in training."""

    label: str
    """The labels, separated by commas."""
    accuracy: float
    macro_f1: float
    micro_f1: float


def fit_temperature(truth: Truth, logits: NDArray[np.float32]) -> float:
    """The temperature that gives the lowest binary cross-entropy: logits (D, C) are divided by it."""
    from scipy.optimize import minimize_scalar

    scores, labels = logits.astype(np.float64), truth[:, : logits.shape[1]]
    found = minimize_scalar(
        lambda log: _cross_entropy(labels, scores / np.exp(log)),
        bounds=(np.log(LOWEST), np.log(HIGHEST)),
        method="bounded",
        options={"xatol": 1e-4},
    )
    return float(np.exp(found.x))


def cross_entropy(truth: Truth, logits: NDArray[Any]) -> float:
    """Mean over documents of the sum of their binary cross-entropies over the C classes, in nats."""
    return _cross_entropy(truth[:, : logits.shape[1]], logits.astype(np.float64))


def _cross_entropy(labels: Truth, logits: NDArray[np.float64]) -> float:
    return float((np.logaddexp(0, logits) - labels * logits).sum(axis=1).mean())


def learn_thresholds(truth: Truth, probabilities: NDArray[np.float32], *, shrinkage: float = SHRINKAGE) -> list[float]:
    """The probability from which on each of the C classes is given, learned from D validation documents.

    One threshold for all is the best for micro-F1, and each label's own for macro-F1, but few documents do not show
    it: a label's own counts by its number of documents. Both are searched for among the probabilities that occur.
    """
    labels = truth[:, : probabilities.shape[1]]
    common = _best_threshold(labels.ravel(), probabilities.ravel())
    own = [_best_threshold(labels[:, place], probabilities[:, place]) for place in range(labels.shape[1])]
    counts = labels.sum(axis=0)
    mixed = [
        common if own_one is None else (count * own_one + shrinkage * (common or 0.5)) / (count + shrinkage)
        for count, own_one in zip(counts.tolist(), own, strict=True)
    ]
    return [round(0.5 if threshold is None else threshold, 6) for threshold in mixed]


def _best_threshold(labels: NDArray[np.bool_], probabilities: NDArray[np.float32]) -> float | None:
    """The threshold with the highest F1, half-way between two probabilities; None if no document has the label."""
    if not labels.any():
        return None
    order = np.argsort(-probabilities, kind="stable")
    sorted_ones = probabilities[order].astype(np.float64)
    right = np.cumsum(labels[order])
    given = np.arange(1, len(order) + 1)
    f1 = 2 * right / (given + labels.sum())
    ends = np.append(sorted_ones[1:] < sorted_ones[:-1], True)  # equal probabilities are given together
    best = int(np.flatnonzero(ends)[f1[ends].argmax()])
    following = sorted_ones[best + 1] if best + 1 < len(order) else 0.0
    return float((sorted_ones[best] + following) / 2)


def measure(truth: Truth, logits: NDArray[np.float32], answers: NDArray[np.bool_]) -> MultiMetrics:
    """Figures of answers, shape (D, C), and of the ranking of labels by their logits, shape (D, C)."""
    given = _widened(answers, truth, fill=False)
    ranked = _widened(logits, truth, fill=np.float32(-np.inf))
    counts, per_document = Counts.of(truth, given, axis=0), Counts.of(truth, given, axis=1)
    f1, total = counts.f1(), Counts(*(np.atleast_1d(column.sum()) for column in counts))
    labelled = truth.any(axis=1)
    return MultiMetrics(
        documents=len(truth),
        accuracy=float((truth == given).all(axis=1).mean()),
        macro_f1=_mean(f1[counts.either > 0]),
        micro_f1=float(total.f1()[0]),
        weighted_f1=float(np.average(f1, weights=counts.labelled)) if counts.labelled.any() else 0.0,
        loss=cross_entropy(truth, logits),
        document_f1=_mean(np.where(per_document.either > 0, per_document.f1(), 1)),
        micro_precision=float(total.precision()[0]),
        micro_recall=float(total.recall()[0]),
        hamming_loss=float((truth != given).mean()),
        precision_at_1=_precision_at(truth, ranked, 1),
        precision_at_3=_precision_at(truth, ranked, 3),
        precision_at_5=_precision_at(truth, ranked, 5),
        recall_at_5=_recall_at(truth[labelled], ranked[labelled], 5),
        ndcg_at_5=_ndcg(truth[labelled], ranked[labelled], 5),
        ranking_average_precision=_ranking_average_precision(truth[labelled], ranked[labelled]),
    )


class Counts(NamedTuple):
    """Pairs of a document and a label, counted by label or by document."""

    right: NDArray[np.int64]
    given: NDArray[np.int64]
    labelled: NDArray[np.int64]

    @classmethod
    def of(cls, truth: Truth, given: NDArray[np.bool_], *, axis: int) -> "Counts":
        """Count along an axis."""
        return cls(*(pairs.sum(axis=axis) for pairs in (truth & given, given, truth)))

    @property
    def either(self) -> NDArray[np.int64]:
        """Pairs that are given and pairs that are labelled, together."""
        return self.given + self.labelled

    def precision(self) -> NDArray[np.float64]:
        """Share of the given pairs that are right."""
        precision: NDArray[np.float64] = self.right / self.given.clip(1)
        return precision

    def recall(self) -> NDArray[np.float64]:
        """Share of the labelled pairs that are given."""
        recall: NDArray[np.float64] = self.right / self.labelled.clip(1)
        return recall

    def f1(self) -> NDArray[np.float64]:
        """The harmonic mean of both."""
        f1: NDArray[np.float64] = 2 * self.right / self.either.clip(1)
        return f1


def _mean(figures: NDArray[np.float64]) -> float:
    return float(figures.mean()) if len(figures) else 0.0


def _widened(columns: NDArray[Any], truth: Truth, *, fill: Any) -> NDArray[Any]:
    """Columns for the labels, too, that the model does not have: it never gives them."""
    missing = np.full((len(truth), truth.shape[1] - columns.shape[1]), fill, dtype=columns.dtype)
    return np.concatenate([columns, missing], axis=1)


def _hits(truth: Truth, ranked: NDArray[np.float32], most: int) -> NDArray[np.bool_]:
    """Whether each document has its most probable labels, shape (D, most), or fewer where there are fewer labels."""
    return np.take_along_axis(truth, np.argsort(-ranked, axis=1, kind="stable")[:, :most], axis=1)


def _precision_at(truth: Truth, ranked: NDArray[np.float32], most: int) -> float:
    return float(_hits(truth, ranked, most).mean())


def _recall_at(truth: Truth, ranked: NDArray[np.float32], most: int) -> float:
    return _mean(_hits(truth, ranked, most).sum(axis=1) / truth.sum(axis=1))


def _ndcg(truth: Truth, ranked: NDArray[np.float32], most: int) -> float:
    discounts = 1 / np.log2(np.arange(2, min(most, truth.shape[1]) + 2))
    best = np.cumsum(discounts)[np.minimum(truth.sum(axis=1), len(discounts)) - 1]
    return _mean((_hits(truth, ranked, most) * discounts).sum(axis=1) / best)


def _ranking_average_precision(truth: Truth, ranked: NDArray[np.float32]) -> float:
    hits = _hits(truth, ranked, truth.shape[1])
    shares = np.cumsum(hits, axis=1) / np.arange(1, hits.shape[1] + 1)
    return _mean((shares * hits).sum(axis=1) / hits.sum(axis=1))


def per_label(
    truth: Truth,
    probabilities: NDArray[np.float32],
    answers: NDArray[np.bool_],
    *,
    names: Sequence[str],
    thresholds: Sequence[float],
) -> list[dict[str, Any]]:
    """Precision, recall, F1, documents, threshold and average precision of each class, in the order of the names."""
    known = truth[:, : len(names)]
    counts = Counts.of(known, answers, axis=0)
    columns = {
        "label": list(names),
        "precision": counts.precision().tolist(),
        "recall": counts.recall().tolist(),
        "f1": counts.f1().tolist(),
        "documents": counts.labelled.tolist(),
        "threshold": list(thresholds),
        "average_precision": [
            average_precision(known[:, place], probabilities[:, place]) for place in range(len(names))
        ],
    }
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def average_precision(labels: NDArray[np.bool_], probabilities: NDArray[np.float32]) -> float:
    """The mean precision at each gain in recall, over all thresholds; 0 for a label without documents."""
    order = np.argsort(-probabilities, kind="stable")
    right, sorted_ones = np.cumsum(labels[order]), probabilities[order]
    ends = np.flatnonzero(np.append(sorted_ones[1:] < sorted_ones[:-1], True))  # equal probabilities come together
    precision = right[ends] / (ends + 1)
    return float((np.diff(right[ends], prepend=0) * precision).sum() / max(int(labels.sum()), 1))


def baseline(truth: Truth, most_frequent: Sequence[str], names: Sequence[str]) -> MultiBaseline:
    """Score of giving the same labels to every document."""
    given = np.broadcast_to([name in most_frequent for name in names], truth.shape)
    counts = Counts.of(truth, given, axis=0)
    accuracy = float((truth == given).all(axis=1).mean())
    micro = 2 * counts.right.sum() / max(int(counts.either.sum()), 1)
    return MultiBaseline(
        ", ".join(most_frequent) or "no label", accuracy, _mean(counts.f1()[counts.either > 0]), float(micro)
    )


def micro_f1s(truth: Truth, answers: NDArray[np.bool_]) -> Resampled:
    """The micro-F1 of each resample."""
    right, either = (truth & answers).sum(axis=1), truth.sum(axis=1) + answers.sum(axis=1)
    return lambda places: 2 * right[places].sum(axis=1) / np.maximum(either[places].sum(axis=1), 1)


def macro_f1s(truth: Truth, answers: NDArray[np.bool_]) -> Resampled:
    """The macro-F1 of each resample over the labels that occur in it."""
    right, either = (truth & answers).astype(np.float32), truth.astype(np.float32) + answers

    def of(places: NDArray[np.int64]) -> NDArray[np.float64]:
        counts = np.array([np.bincount(row, minlength=len(truth)) for row in places], dtype=np.float32)  # (R, D)
        hits, sizes = counts @ right, counts @ either  # (R, C)
        occurs = sizes > 0
        figures: NDArray[np.float64] = (2 * hits / np.where(occurs, sizes, 1)).sum(axis=1) / np.maximum(
            occurs.sum(axis=1), 1
        )
        return figures

    return of


def confident(truth: Truth, logits: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """The probability of each pair of a document and a class, and whether the document has it; shapes (D * C,)."""
    return sigmoid(logits).ravel(), truth[:, : logits.shape[1]].ravel()
