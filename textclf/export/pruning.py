"""A model with only the most important of its features: words, pairs, subwords and runs.

The importance of a feature is the length of its embedding, and of its own logits if it has them, times the fourth root
of the sum of its squared weights in the training documents: how far it moves an answer, and less strongly how often.
With the square root, too many frequent words that say little were kept.
"""

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from textclf.artefacts.artefact import Artefact
from textclf.models.model import EMBEDDING, TABLES
from textclf.text.tokenizer import UNK_ID

Batch = tuple[NDArray[np.int32], NDArray[np.int64]]

SPECIAL: Final = UNK_ID + 1  # <pad> and <unk>, which stay


class Pruning:
    """A model whose features are ranked once, and can then be cut to any number."""

    def __init__(self, trained: Artefact, training: Iterable[Batch]) -> None:
        self._trained = trained
        self._pruner = trained.kind.runtime().pruner(trained.inputs, trained.tokenizer)
        squares = np.zeros(len(trained.weights[EMBEDDING]))
        for tokens, lengths in training:
            squares += self._pruner.usage(tokens, lengths)
        importance = _lengths(trained) * squares**0.25
        importance[:SPECIAL] = np.inf
        self._ranking = np.argsort(-importance, kind="stable")

    @property
    def features(self) -> int:
        """Number of features of the whole model."""
        return len(self._ranking)

    def keep(self, features: int) -> Artefact:
        """The model with at most this many features, or with more where a view of the documents would have none."""
        rows, tokenizer, inputs = self._pruner.keep(self._ranking, max(features, SPECIAL))
        weights = self._trained.weights
        fewer = {table: weights[table][rows] for table in TABLES if table in weights}
        return replace(self._trained, weights=weights | fewer, tokenizer=tokenizer, inputs=inputs)


def _lengths(trained: Artefact) -> NDArray[np.float64]:
    """The length of each feature's rows, shape (F,), each as a multiple of the mean of its table."""
    lengths = [np.linalg.norm(trained.weights[table], axis=1) for table in TABLES if table in trained.weights]
    together: NDArray[np.float64] = sum(each / max(each.mean(), 1e-12) for each in lengths)
    return together
