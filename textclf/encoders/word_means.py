"""What an encoder of word vectors is made of: the vector of a text is the weighted mean of those of its words.

Works on numpy alone. V words, D numbers of a vector, B texts.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from textclf.encoders.packing import Floats
from textclf.text.tokenizer import Tokenizer

SPECIAL: Final = 2
"""Ids of a `Tokenizer` that are no words."""

Ids = NDArray[np.int32]


class KnownWords:
    """Reads the words of a text that have a vector; the others are skipped."""

    def __init__(self, words: Sequence[str]) -> None:
        """Distinct words; raises ValueError if one is there twice."""
        self._tokenizer = Tokenizer(words)

    def encode(self, text: str, most: int) -> Ids:
        """The places of the words of a text, in its order, at most ``most`` of them."""
        ids = self._tokenizer.encode(text)
        return ids[ids >= SPECIAL][:most] - np.int32(SPECIAL)


class WordMeans:
    """Means of word vectors. A word that a text has ``n`` times counts as ``1 + log n`` words.

    The mean is scaled to length 1, so that a text of few words has a vector as long as any; a text without a known word
    gets zeros. What a text gets does not depend on the other texts.
    """

    def __init__(self, vectors: NDArray[np.float16], weights: Floats) -> None:
        """``vectors``: shape (V, D). ``weights``: shape (V,), what each word counts."""
        self.vectors, self.weights = vectors, weights

    def __call__(self, texts: Sequence[Ids]) -> Floats:
        """Texts as places of words; shape (B, D)."""
        found = np.zeros((len(texts), self.vectors.shape[1]), dtype=np.float32)
        for row, places in zip(found, texts, strict=True):
            distinct, times = np.unique(places, return_counts=True)
            weights = self.weights[distinct] * (1 + np.log(times)).astype(np.float32)
            total = weights @ self.vectors[distinct].astype(np.float32)  # (D,)
            row[:] = total / max(float(np.linalg.norm(total)), 1e-9)
        return found
