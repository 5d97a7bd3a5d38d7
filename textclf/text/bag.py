"""Token ids to a weighted bag: each distinct token of a document once, weighted by tf-idf. Knows nothing about torch.

The weight is ``(1 + log count) * sqrt(idf)``, scaled to length 1 for each document, with the smooth idf of
scikit-learn's TfidfVectorizer: ``1 + log((1 + documents) / (1 + documents with the token))``; see
https://nlp.stanford.edu/IR-book/html/htmledition/sublinear-tf-scaling-1.html. The square root is ours: a network can
learn what a word is worth, and with the full idf rare words drown the frequent ones that carry sentiment.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from textclf.text.tokenizer import UNK_ID


class BagInputs(NamedTuple):
    """Weighted bags of B documents, end to end; N entries in all."""

    features: NDArray[np.int64]
    """Shape (N,), token ids."""
    offsets: NDArray[np.int64]
    """Shape (B,), where each document starts."""
    weights: NDArray[np.float32]
    """Shape (N,), Euclidean length 1 over each document, 0 where it has no known token."""


@dataclass(frozen=True, slots=True)
class Bag:
    """Weighs tokens by how rare they are in the training documents."""

    rarity: NDArray[np.float32]
    """Square root of the inverse document frequency, shape (vocabulary,); 0 for ``<unk>``."""

    @classmethod
    def fit(cls, batches: Iterable[tuple[NDArray[np.int32], NDArray[np.int64]]], *, vocabulary: int) -> "Bag":
        """Count in how many documents each token occurs; a batch is token ids end to end, and the lengths."""
        frequency = np.zeros(vocabulary, dtype=np.int64)
        documents = 0
        for tokens, lengths in batches:
            features, _, _ = _distinct(tokens, lengths, vocabulary)
            frequency += np.bincount(features, minlength=vocabulary)
            documents += len(lengths)
        rarity = np.sqrt(1 + np.log((1 + documents) / (1 + frequency)))
        rarity[UNK_ID] = 0  # the training split has none, so it can have no meaning
        return cls(rarity.astype(np.float32))

    def __call__(self, tokens: NDArray[np.int32], lengths: NDArray[np.int64]) -> BagInputs:
        """Weighted bags of documents whose token ids stand end to end."""
        features, counts, offsets = _distinct(tokens, lengths, len(self.rarity))
        weights = (1 + np.log(counts)) * self.rarity[features]
        norms = np.sqrt(np.add.reduceat(weights * weights, offsets))
        weights /= np.repeat(np.maximum(norms, 1e-12), np.diff(offsets, append=len(features)))
        return BagInputs(features, offsets, weights.astype(np.float32))


def _distinct(
    tokens: NDArray[np.int32], lengths: NDArray[np.int64], vocabulary: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Distinct tokens of each document, their counts, and where each document starts. No document may be empty."""
    document = np.repeat(np.arange(len(lengths)), lengths)
    keys, counts = np.unique(document * vocabulary + tokens, return_counts=True)
    offsets = np.searchsorted(keys, np.arange(len(lengths)) * vocabulary)
    return keys % vocabulary, counts, offsets
