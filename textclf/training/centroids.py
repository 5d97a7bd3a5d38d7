"""Nearest class means (Rocchio): a linear classifier of vectors that a few documents of each class are enough for.

N documents, E numbers of a vector, C classes.
"""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from textclf.models.arithmetic import softmax

LOWEST: Final = 0.5
HIGHEST: Final = 50.0
"""Of what cosines are multiplied by to become logits."""

Doubles = NDArray[np.float64]


class Centroids(NamedTuple):
    """Logits are ``vectors @ weight.T + bias``."""

    weight: NDArray[np.float32]
    """Shape (C, E)."""
    bias: NDArray[np.float32]
    """Shape (C,)."""


def learn(vectors: NDArray[np.floating], labels: NDArray[np.integer], *, classes: int) -> Centroids:
    """The directions from the mean of all documents to that of each class, times one scale.

    ``vectors``: shape (N, E). ``labels``: shape (N,), from 0. The scale is the one under which each document is most
    likely by the means of the others. A class without a document gets zeros.
    """
    exact = vectors.astype(np.float64)
    middle = exact.mean(axis=0)  # (E,)
    sums = np.zeros((classes, exact.shape[1]))
    np.add.at(sums, labels, exact)
    counts = np.bincount(labels, minlength=classes)
    directions = _directions(sums, counts, middle)
    scale = _likeliest_scale(_unseen_cosines(exact, labels, sums, counts, middle), labels)
    weight = scale * directions
    return Centroids(weight.astype(np.float32), (-weight @ middle).astype(np.float32))


def _unseen_cosines(
    vectors: Doubles, labels: NDArray[np.integer], sums: Doubles, counts: NDArray[np.integer], middle: Doubles
) -> Doubles:
    """Cosines (N, C) of documents with the classes, with their own class as it would be without them."""
    shifted = vectors - middle
    cosines = shifted @ _directions(sums, counts, middle).T
    without = _directions(sums[labels] - vectors, counts[labels] - 1, middle)  # (N, E)
    cosines[np.arange(len(labels)), labels] = (shifted * without).sum(axis=1)
    found: Doubles = cosines
    return found


def _directions(sums: Doubles, counts: NDArray[np.integer], middle: Doubles) -> Doubles:
    """From the middle to the means of classes, in length 1; zeros where there is no document."""
    means = np.divide(sums, counts[:, None], out=np.tile(middle, (len(sums), 1)), where=counts[:, None] > 0) - middle
    lengths = np.linalg.norm(means, axis=1, keepdims=True)
    found: Doubles = np.divide(means, lengths, out=np.zeros_like(means), where=lengths > 1e-9)
    return found


def _likeliest_scale(cosines: Doubles, labels: NDArray[np.integer]) -> float:
    from scipy.optimize import minimize_scalar

    def loss(logarithm: float) -> float:
        probabilities = softmax((np.exp(logarithm) * cosines).astype(np.float32))
        return -float(np.log(probabilities[np.arange(len(labels)), labels] + 1e-12).mean())

    return float(np.exp(minimize_scalar(loss, bounds=(np.log(LOWEST), np.log(HIGHEST)), method="bounded").x))
