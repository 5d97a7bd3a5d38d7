"""The weight of each of two classifiers in the sum of their logits. D documents, C classes."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from textclf.evaluation.scoring import Scoring

FEW: Final = 200
"""With fewer validation documents the weights are not fitted: both classifiers are trusted equally."""
LEAST: Final = 0.05
"""A classifier that moves the logits less than this, as a part of all that moves them, is left out."""
LOWEST: Final = 1e-3
HIGHEST: Final = 20.0


def fit_share(
    scoring: Scoring, labels: NDArray[np.int64], first: NDArray[np.float32], second: NDArray[np.float32]
) -> float:
    """The weight of the second classifier in ``(1 - share) * first + share * second``; 0: leave it out.

    Both are logits (D, C) of documents that neither has learned from, with the labels that `Scoring` reads. The weights
    and the scale of the sum give it the lowest loss.
    """
    from scipy.optimize import minimize

    both = np.stack((first, second)).astype(np.float64)  # (2, D, C)

    def loss(logarithms: NDArray[np.float64]) -> float:
        return scoring.loss(labels, np.tensordot(np.exp(logarithms), both, axes=1))

    bounds = [(np.log(LOWEST), np.log(HIGHEST))]
    if len(labels) < FEW:
        return 0.5
    weights = np.exp(minimize(loss, np.log([0.5, 0.5]), method="L-BFGS-B", bounds=2 * bounds).x)
    moves = weights * both.std(axis=(1, 2))
    if moves[1] < LEAST * moves.sum():
        return 0.0
    return float(weights[1] / weights.sum())
