"""Map token ids of one vocabulary to those of a smaller one, without the text. Needs numpy only."""

from typing import Self

import numpy as np
from numpy.typing import NDArray

from textclf.text import arrays
from textclf.text.tokenizer import PAD_ID, UNK_ID, Tokenizer


class VocabularyMap:
    """Maps ids: a word that was left out becomes ``<unk>`` and its parts, a part that was left out becomes nothing.

    The result equals encoding the text with the smaller vocabulary, if all its words and parts are in the larger one.
    """

    def __init__(self, ids: NDArray[np.int32], lengths: NDArray[np.int64]) -> None:
        self._ids, self._lengths = ids, lengths
        self._starts = arrays.offsets(lengths)[:-1]

    @classmethod
    def between(cls, larger: Tokenizer, smaller: Tokenizer) -> Self:
        """The map from the ids of one tokenizer to those of the other."""
        of_words, lengths = smaller.encode_tokens(larger.words[2:])
        places = dict(zip(smaller.parts, range(smaller.size, smaller.size + len(smaller.parts)), strict=True))
        of_parts = [places.get(part, PAD_ID) for part in larger.parts]
        is_kept = np.array([place != PAD_ID for place in of_parts], dtype=np.int64)
        ids = np.concatenate(([PAD_ID, UNK_ID], of_words, [place for place in of_parts if place != PAD_ID]))
        return cls(ids.astype(np.int32), np.concatenate(([1, 1], lengths, is_kept)).astype(np.int64))

    def __call__(
        self, tokens: NDArray[np.int32], lengths: NDArray[np.int64]
    ) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        """Map the ids of D documents, end to end, given their lengths, shape (D,); no document becomes empty."""
        sizes = self._lengths[tokens]
        document = np.repeat(np.arange(len(lengths)), lengths)
        mapped = self._ids[arrays.places(self._starts[tokens], sizes)]
        return mapped, np.bincount(document, sizes, minlength=len(lengths)).astype(np.int64)
