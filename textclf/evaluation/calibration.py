"""Calibration: whether a model is right as often as its probabilities say, and the temperature that corrects them.

Method: https://arxiv.org/abs/1706.04599.
"""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from textclf.evaluation.metrics import cross_entropy
from textclf.models.arithmetic import softmax

BINS: Final = 15
LOWEST: Final = 0.05
"""Lowest temperature that is tried."""
HIGHEST: Final = 20.0


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
    temperature changes probabilities but no answer.
    """
    from scipy.optimize import minimize_scalar

    found = minimize_scalar(
        lambda log: cross_entropy(labels, logits / np.float32(np.exp(log))),
        bounds=(np.log(LOWEST), np.log(HIGHEST)),
        method="bounded",
        options={"xatol": 1e-4},
    )
    return float(np.exp(found.x))


def reliability(labels: NDArray[np.int64], logits: NDArray[np.float32], *, bins: int = BINS) -> Reliability:
    """Confidence and accuracy of the answers in each bin."""
    probabilities = softmax(logits).astype(np.float64)
    confidence = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == labels
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


def calibration_error(labels: NDArray[np.int64], logits: NDArray[np.float32]) -> float:
    """Expected calibration error: mean difference of confidence and accuracy over the documents, between 0 and 1."""
    found = reliability(labels, logits)
    gaps = np.nan_to_num(np.abs(found.confidence - found.accuracy))
    return float((gaps * found.documents).sum() / max(found.documents.sum(), 1))
