"""Vectors of words from how often they stand near each other: positive pointwise mutual information, factorised.

Levy and Goldberg (https://papers.nips.cc/paper/5477) showed that this is what word2vec approximates; the smoothing of
contexts is theirs as well (https://aclanthology.org/Q15-1016/). V words, D numbers of a vector.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from textclf.encoders.cooccurrences import Matrix

SMOOTHING: Final = 0.75
"""The power of a word's count as a context: rare contexts are taken to be less rare, as their count may be chance."""
OVERSAMPLES: Final = 20
PASSES: Final = 5

Doubles = NDArray[np.float64]


def word_vectors(counts: Matrix, dimension: int) -> Doubles:
    """Vectors of length 1 from counts of pairs, shape (V, V); shape (V, D), with D at most ``dimension``.

    A word that stands near no other gets zeros.
    """
    left, values = _largest_factors(_mutual_information(counts), min(dimension, counts.shape[0]))
    vectors = left * np.sqrt(values)  # (V, D)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    found: Doubles = np.divide(vectors, lengths, out=np.zeros_like(vectors), where=lengths > 1e-9)
    return found


def _mutual_information(counts: Matrix) -> Matrix:
    """Log p(word, context) / (p(word) p(context)), where that is positive."""
    of_word = np.asarray(counts.sum(axis=1)).ravel()  # (V,)
    of_context = of_word**SMOOTHING
    of_context /= max(of_context.sum(), 1.0)
    pairs = counts.tocoo()
    found = np.log(pairs.data / (of_word[pairs.coords[0]] * of_context[pairs.coords[1]]))
    is_positive = found > 0
    coordinates = tuple(each[is_positive] for each in pairs.coords)
    return sparse.csr_array((found[is_positive], coordinates), shape=counts.shape)


def _largest_factors(matrix: Matrix, dimension: int) -> tuple[Doubles, Doubles]:
    """The largest singular values (D,), and the left vectors (V, D) that belong to them.

    By random projections and a few passes over the matrix (https://arxiv.org/abs/0909.4061, algorithm 4.4), as a dense
    decomposition would need V times V numbers; the random numbers are the same each time.
    """
    width = min(dimension + OVERSAMPLES, matrix.shape[0])
    basis = matrix @ np.random.default_rng(0).standard_normal((matrix.shape[1], width))
    for _ in range(PASSES):
        other, _ = np.linalg.qr(matrix.T @ np.linalg.qr(basis)[0])
        basis = matrix @ other
    basis, _ = np.linalg.qr(basis)  # (V, width)
    left, values, _ = np.linalg.svd((matrix.T @ basis).T, full_matrices=False)
    return (basis @ left)[:, :dimension], values[:dimension]
