"""The weight of each of several classifiers in the sum of their logits. D documents, C classes."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from textclf.evaluation.calibration import FEW
from textclf.evaluation.scoring import Scoring

LEAST: Final = 0.05
"""A classifier that moves the logits less than this, as a part of all that moves them, is left out."""
LOWEST: Final = 1e-3
HIGHEST: Final = 20.0


def fit_weights(
    scoring: Scoring,
    labels: NDArray[np.int64],
    classifiers: Sequence[NDArray[np.float32]],
    *,
    usual: Sequence[float],
    pull: float | None = None,
) -> NDArray[np.float64]:
    """The weights of classifiers in the sum of their logits, which add up to 1; 0: leave it out, but never the first.

    Each is logits (D, C) of documents that it has not learned from, with the labels that `Scoring` reads. The weights
    and the scale of the sum give it the lowest loss. ``usual``: the weights where there are too few documents to tell.
    ``pull``: few documents move the weights away from these as far as it pays, where a weight that is ``e`` times the
    usual one costs about as much as ``pull`` nats of loss, summed over the documents; None: they do not decide.
    """
    from scipy.optimize import minimize

    every = np.stack(classifiers).astype(np.float64)  # (N, D, C)

    def loss(logarithms: NDArray[np.float64], some: NDArray[np.float64]) -> float:
        return scoring.loss(labels, np.tensordot(np.exp(logarithms), some, axes=1))

    if len(labels) < FEW:
        shares = np.array(usual) / sum(usual)
        if pull is None:
            return shares
        expected = np.log(shares)

        def cost(logarithms: NDArray[np.float64]) -> float:
            apart = logarithms - expected
            apart -= apart.mean()  # the scale of the sum costs nothing
            return len(labels) * loss(logarithms, every) + pull * float(apart @ apart)

        bounds = [(np.log(LOWEST), np.log(HIGHEST))] * len(every)
        weights = np.exp(minimize(cost, expected, method="L-BFGS-B", bounds=bounds).x)
        return np.asarray(weights / weights.sum())
    found, kept = np.zeros(len(every)), np.arange(len(every))
    while True:
        start, bounds = np.log(np.full(len(kept), 1 / len(kept))), [(np.log(LOWEST), np.log(HIGHEST))] * len(kept)
        weights = np.exp(minimize(loss, start, (every[kept],), method="L-BFGS-B", bounds=bounds).x)
        moves = weights * every[kept].std(axis=(1, 2))
        least = 1 + int(moves[1:].argmin()) if len(kept) > 1 else 0
        if least == 0 or moves[least] >= LEAST * moves.sum():
            found[kept] = weights / weights.sum()
            return found
        kept = np.delete(kept, least)
