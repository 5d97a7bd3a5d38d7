"""When not to answer: from which probability on answers are right as often as one wants; texts unlike the corpus.

Documents that come later are harder than validation, which was drawn beside the training documents and has their
threads and near-copies: 86 % of validation's answers are surer than 0.89 on 20newsgroups, and 72 % of those on its own
test split. What an answer of one probability is worth changes less. So a threshold for a precision P passes twice:
validation shows P, with 95 % confidence; and answers spread evenly between the threshold and 1 would be right P of the
time if probabilities hold what they say, so it is at least ``2 P - 1``.
"""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from textclf.artefacts.artefact import Abstention
from textclf.dataset.directory import DataDirectory
from textclf.models.arithmetic import softmax
from textclf.text.tokenizer import Tokenizer

PRECISIONS: Final = (0.7, 0.8, 0.85, 0.9, 0.95, 0.97, 0.98, 0.99)
"""That thresholds are learned for."""

CONFIDENCE: Final = 0.95
"""That answers from the threshold on are so precise, of one sample of documents and one threshold."""

RARE: Final = 0.01
"""Share of validation documents that may be called unlike the corpus."""

MOSTLY: Final = 0.5
"""Share of unknown words below which no text is."""

POINTS: Final = 20
"""Points of a curve."""

BATCH: Final = 256  # documents


class Point(NamedTuple):
    """What comes of giving only answers that are at least so probable."""

    threshold: float
    coverage: float
    """Share of the documents that have an answer."""
    precision: float | None
    """Share of the answers that are right; None without any."""


def learn(labels: NDArray[np.int64], logits: NDArray[np.float32], unknown: NDArray[np.float64]) -> Abstention:
    """Thresholds from D validation documents: class indices, calibrated logits and shares of unknown words.

    A precision that so few documents cannot show has none.
    """
    confidence, right = _answers(labels, logits)
    found = {precision: _threshold(confidence, right, precision) for precision in PRECISIONS}
    thresholds = {f"{precision:g}": threshold for precision, threshold in found.items() if threshold is not None}
    return Abstention(thresholds, max(MOSTLY, float(np.quantile(unknown, 1 - RARE, method="higher"))))


def _answers(labels: NDArray[np.int64], logits: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """How sure each answer is, and whether it is right."""
    probabilities = softmax(logits)
    return probabilities.max(axis=1), probabilities.argmax(axis=1) == labels


def _threshold(confidence: NDArray[np.float32], right: NDArray[np.bool_], precision: float) -> float | None:
    """The lowest probability from which answers are shown to be so precise; rounded up to four digits."""
    from scipy.special import betaincinv

    order = np.argsort(-confidence, kind="stable")
    answered = np.arange(1, len(order) + 1)
    correct = np.cumsum(right[order])
    # The lower end of Clopper and Pearson's interval: https://doi.org/10.1093/biomet/26.4.404
    lowest = betaincinv(np.maximum(correct, 1), answered - correct + 1, 1 - CONFIDENCE) * (correct > 0)
    shown = np.flatnonzero(lowest >= precision)
    if not len(shown):
        return None
    least = max(float(confidence[order[shown[-1]]]), 2 * precision - 1)
    return min(float(np.ceil(round(least * 10_000, 6)) / 10_000), 1.0)


def unknown_shares(data: DataDirectory, rows: NDArray[np.int64], tokenizer: Tokenizer) -> NDArray[np.float64]:
    """Share of unknown words of each of the documents."""
    packed = data.packed()
    shares = []
    for start in range(0, len(rows), BATCH):
        words, unknown = tokenizer.words_and_unknown(*packed.gather(rows[start : start + BATCH]))
        shares.append(unknown / words)
    return np.concatenate(shares)


def point(labels: NDArray[np.int64], logits: NDArray[np.float32], threshold: float) -> Point:
    """Coverage and precision at a threshold."""
    return _point(*_answers(labels, logits), threshold)


def _point(confidence: NDArray[np.float32], right: NDArray[np.bool_], threshold: float) -> Point:
    is_given = confidence >= threshold
    precision = float(right[is_given].mean()) if is_given.any() else None
    return Point(threshold, float(is_given.mean()), precision)


def curve(labels: NDArray[np.int64], logits: NDArray[np.float32]) -> list[Point]:
    """Points from answers to a twentieth of the documents, the surest, to answers to all."""
    confidence, right = _answers(labels, logits)
    ordered = np.sort(confidence)[::-1]
    last = np.unique(np.ceil(np.arange(1, POINTS + 1) / POINTS * len(ordered)).astype(int)) - 1
    return [_point(confidence, right, threshold) for threshold in ordered[last].astype(float).tolist()]
