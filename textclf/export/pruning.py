"""A model with only the most important of its features: words, pairs, subwords and runs.

The importance of a feature is the length of its embedding times the fourth root of the sum of its squared weights in
the training documents: how far it moves an answer, and less strongly how often. With the square root, too many frequent
words that say little were kept.
"""

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from textclf.artefacts.artefact import Artefact
from textclf.models.model import EMBEDDING
from textclf.text.tokenizer import UNK_ID

Batch = tuple[NDArray[np.int32], NDArray[np.int64]]

SPECIAL: Final = UNK_ID + 1  # <pad> and <unk>, which stay


class Pruning:
    """A model whose features are ranked once, and can then be cut to any number."""

    def __init__(self, trained: Artefact, training: Iterable[Batch]) -> None:
        self._trained = trained
        self._pruner = trained.kind.runtime().pruner(trained.inputs, trained.tokenizer)
        embedding = trained.weights[EMBEDDING]
        squares = np.zeros(len(embedding))
        for tokens, lengths in training:
            squares += self._pruner.usage(tokens, lengths)
        importance = np.linalg.norm(embedding, axis=1) * squares**0.25
        importance[:SPECIAL] = np.inf
        self._ranking = np.argsort(-importance, kind="stable")

    @property
    def features(self) -> int:
        """Number of features of the whole model."""
        return len(self._ranking)

    def keep(self, features: int) -> Artefact:
        """The model with at most this many features, or with more where a view of the documents would have none."""
        rows, tokenizer, inputs = self._pruner.keep(self._ranking, max(features, SPECIAL))
        weights = self._trained.weights | {EMBEDDING: self._trained.weights[EMBEDDING][rows]}
        return replace(self._trained, weights=weights, tokenizer=tokenizer, inputs=inputs)
