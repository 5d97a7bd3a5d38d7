"""Whether a model is right as often as its probabilities say; the temperature for that; when to give no answer.

Method: https://arxiv.org/abs/1706.04599.
"""

from dataclasses import replace
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from textclf.artefacts.artefact import Abstention
from textclf.models.arithmetic import softmax

BINS: Final = 15
LOWEST: Final = 0.05
"""Lowest temperature that is tried."""
HIGHEST: Final = 20.0
FEW: Final = 200
"""Fewer validation documents than this are not left to decide alone."""
PULL: Final = 2.0
"""How strongly a few documents hold the temperature to 1: one that is ``e`` times as high, or as low, costs this many
nats of loss, summed over the documents. It falls with their number, and from FEW on the loss decides alone.

With 8, 16 and 64 documents of each label, a tenth of them validation, the loss on six development corpora was 0.76 in
place of 0.80 with an encoder, and 0.94 in place of 0.97 without. Temperatures of five folds were worse: 0.87 and 0.98.
"""

PRECISIONS: Final = (0.7, 0.8, 0.85, 0.9, 0.95, 0.97, 0.98, 0.99)
"""Thresholds are learned for these precisions."""
CONFIDENCE: Final = 0.95
"""Confidence that the answers above a threshold have its precision."""
RARE: Final = 0.01
"""At most this share of the validation documents is unlike the corpus."""
MOSTLY: Final = 0.5
"""A text is unlike the corpus only if a larger share of its words is unknown."""
POINTS: Final = 20
"""Number of points of a curve."""


class Reliability(NamedTuple):
    """Documents grouped by the probability of their answer, in bins of equal width."""

    edges: NDArray[np.float64]
    """Shape (bins + 1,), from 0 to 1."""
    documents: NDArray[np.int64]
    """Shape (bins,), like the rest."""
    confidence: NDArray[np.float64]
    """Mean probability of the answers; NaN in an empty bin."""
    accuracy: NDArray[np.float64]
    """Share of right answers; NaN in an empty bin."""


def fit_temperature(labels: NDArray[np.int64], logits: NDArray[np.float32]) -> float:
    """The temperature that gives the lowest cross-entropy: logits are divided by it.

    Labels, shape (D,), are class indices, negative for labels the model does not know; logits have shape (D, C). The
    temperature changes probabilities but no answer. That D documents are right does not mean that all are: as in
    Platt's method (https://doi.org/10.1007/s10994-007-5018-6), a label counts with
    the probability (D + 1) / (D + 2), and the others share the rest. Few documents stay near 1: see PULL.
    """
    from scipy.optimize import minimize_scalar
    from scipy.special import logsumexp

    known = labels >= 0
    scores = logits[known].astype(np.float64)
    own = scores[np.arange(len(scores)), labels[known]]
    others = (scores.sum(axis=1) - own) / max(scores.shape[1] - 1, 1)
    expected = float(np.mean(own - (own - others) / (len(scores) + 2)))
    pull = PULL * max(1 - len(scores) / FEW, 0)
    found = minimize_scalar(
        lambda log: (
            float(np.mean(logsumexp(scores / np.exp(log), axis=1)))
            - expected / np.exp(log)
            + pull / len(scores) * log**2
        ),
        bounds=(np.log(LOWEST), np.log(HIGHEST)),
        method="bounded",
        options={"xatol": 1e-4},
    )
    return float(np.exp(found.x))


def binned(confidence: NDArray[np.float32], right: NDArray[np.bool_], *, bins: int = BINS) -> Reliability:
    """Confidence and accuracy in each bin, from the probability of each answer and whether it is right."""
    confidence = confidence.astype(np.float64)
    edges = np.linspace(0, 1, bins + 1)
    in_bin = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)  # a bin includes its upper edge
    documents = np.bincount(in_bin, minlength=bins)
    counted = np.where(documents, documents, np.nan)
    return Reliability(
        edges,
        documents,
        np.bincount(in_bin, confidence, minlength=bins) / counted,
        np.bincount(in_bin, right, minlength=bins) / counted,
    )


def error_of(found: Reliability) -> float:
    """Expected calibration error: mean difference of confidence and accuracy over the documents, between 0 and 1."""
    gaps = np.nan_to_num(np.abs(found.confidence - found.accuracy))
    return float((gaps * found.documents).sum() / max(found.documents.sum(), 1))


class Point(NamedTuple):
    """Coverage and precision if only answers with at least this probability are given."""

    threshold: float
    coverage: float
    """Share of the documents that get an answer."""
    precision: float | None
    """Share of the answers that are right; None without answers."""


def learn_from(confidence: NDArray[np.float32], right: NDArray[np.bool_], unknown: NDArray[np.float64]) -> Abstention:
    """Learn thresholds from the answers to D validation documents, or one per label of each.

    confidence, right: the probability of each answer, and whether it is right; unknown: shares of unknown words, (D,).
    A precision that the documents cannot show has no threshold. Where more than RARE of the documents have no known
    word at all, as in a language without spaces or in a list of names, unknown words say nothing: no text is unlike.
    """
    found = {precision: _threshold(confidence, right, precision) for precision in PRECISIONS}
    thresholds = {f"{precision:g}": threshold for precision, threshold in found.items() if threshold is not None}
    learned = Abstention(thresholds, max(MOSTLY, float(np.quantile(unknown, 1 - RARE, method="higher"))))
    points = points_of(learned, confidence, right, learned.is_unlike(unknown))
    coverage = {precision: round(point.coverage, 4) for precision, point in points.items()}
    shown = {precision: round(point.precision or 0, 4) for precision, point in points.items() if point.coverage}
    return replace(learned, coverage=coverage, precision=shown)


def points_of(
    learned: Abstention, confidence: NDArray[np.float32], right: NDArray[np.bool_], is_unlike: NDArray[np.bool_]
) -> dict[str, Point]:
    """Coverage and precision of each threshold; as in `textclf predict`, the texts unlike the corpus get no answer.

    confidence, right: D answers, or one per label of each of D documents; is_unlike: shape (D,).
    """
    answers_each = len(confidence) // max(len(is_unlike), 1)
    given = np.where(np.repeat(is_unlike, answers_each), np.float32(0), confidence)
    return {precision: point_of(given, right, threshold) for precision, threshold in learned.thresholds.items()}


def answers(
    labels: NDArray[np.int64], logits: NDArray[np.float32], given: NDArray[np.int64] | None = None
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """The probability of each answer, by default the most probable class, and whether it is right."""
    probabilities = softmax(logits)
    if given is None:
        return probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    return probabilities[np.arange(len(given)), given], given == labels


def _threshold(confidence: NDArray[np.float32], right: NDArray[np.bool_], precision: float) -> float | None:
    """The lowest probability above which answers have the precision; rounded up to four digits."""
    from scipy.special import betaincinv

    order = np.argsort(-confidence, kind="stable")
    answered = np.arange(1, len(order) + 1)
    correct = np.cumsum(right[order])
    # The lower bound of Clopper and Pearson's interval: https://doi.org/10.1093/biomet/26.4.404
    lowest = betaincinv(np.maximum(correct, 1), answered - correct + 1, 1 - CONFIDENCE) * (correct > 0)
    shown = np.flatnonzero(lowest >= precision)
    if not len(shown):
        return None
    least = max(float(confidence[order[shown[-1]]]), 2 * precision - 1)
    return min(float(np.ceil(round(least * 10_000, 6)) / 10_000), 1.0)


def point_of(confidence: NDArray[np.float32], right: NDArray[np.bool_], threshold: float) -> Point:
    """Coverage and precision at a threshold, from the probability of each answer and whether it is right."""
    is_given = confidence >= threshold
    precision = float(right[is_given].mean()) if is_given.any() else None
    return Point(threshold, float(is_given.mean()), precision)


def curve_of(confidence: NDArray[np.float32], right: NDArray[np.bool_]) -> list[Point]:
    """Points from answers to a twentieth of the documents, the most probable ones, to answers to all."""
    ordered = np.sort(confidence)[::-1]
    last = np.unique(np.ceil(np.arange(1, POINTS + 1) / POINTS * len(ordered)).astype(int)) - 1
    return [point_of(confidence, right, threshold) for threshold in ordered[last].astype(float).tolist()]
