"""Token ids of one vocabulary as those of a smaller one, without the text. Needs numpy only."""

from typing import Self

import numpy as np
from numpy.typing import NDArray

from textclf.text import ragged
from textclf.text.tokenizer import PAD_ID, UNK_ID, Tokenizer


class Translation:
    """What each id becomes: another id; of a word that is left out, ``<unk>`` and its parts; of such a part, nothing.

    Where the smaller vocabulary has no word and no part of its own, that is what it makes of the text itself.
    """

    def __init__(self, ids: NDArray[np.int32], lengths: NDArray[np.int64]) -> None:
        self._ids, self._lengths = ids, lengths
        self._starts = ragged.offsets(lengths)[:-1]

    @classmethod
    def between(cls, larger: Tokenizer, smaller: Tokenizer) -> Self:
        """The translation of the ids that one tokenizer gives into those that the other one gives."""
        of_words, lengths = smaller.ids_of_tokens(larger.words[2:])
        places = dict(zip(smaller.parts, range(smaller.size, smaller.size + len(smaller.parts)), strict=True))
        of_parts = [places.get(part, PAD_ID) for part in larger.parts]
        is_kept = np.array([place != PAD_ID for place in of_parts], dtype=np.int64)
        ids = np.concatenate(([PAD_ID, UNK_ID], of_words, [place for place in of_parts if place != PAD_ID]))
        return cls(ids.astype(np.int32), np.concatenate(([1, 1], lengths, is_kept)).astype(np.int64))

    def __call__(
        self, tokens: NDArray[np.int32], lengths: NDArray[np.int64]
    ) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        """Translate documents whose token ids stand end to end; none becomes empty."""
        becomes = self._lengths[tokens]
        document = np.repeat(np.arange(len(lengths)), lengths)
        translated = self._ids[ragged.places(self._starts[tokens], becomes)]
        return translated, np.bincount(document, becomes, minlength=len(lengths)).astype(np.int64)
