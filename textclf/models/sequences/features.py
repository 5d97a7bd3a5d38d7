"""Token ids to a padded matrix: the first tokens of each document, in order. Knows nothing about torch."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from textclf.models.model import Learnt
from textclf.text.tokenizer import PAD_ID, Tokenizer


class SequenceInputs(NamedTuple):
    """B documents, as long as the longest of them."""

    tokens: NDArray[np.int64]
    """Shape (B, T), padded at the end."""
    lengths: NDArray[np.int64]
    """Shape (B,), without padding; at least 1."""


@dataclass(frozen=True, slots=True)
class Sequences:
    """Cuts documents to their first tokens and pads them to the longest of the batch."""

    words: int
    """Ids from here on are parts of unknown words, which are not read."""
    max_length: int
    """Tokens kept."""
    DERIVED: ClassVar[tuple[str, ...]] = ()

    @classmethod
    def of(cls, tokenizer: Tokenizer, *, max_length: int | None = None) -> "Sequences":
        """The first ``max_length`` tokens are read, or all; nothing is learnt from the training documents."""
        return cls(tokenizer.size, max_length or np.iinfo(np.int32).max)

    @property
    def sizes(self) -> dict[str, int]:
        """What a model must know to read these inputs."""
        return {"vocabulary": self.words}

    @classmethod
    def derive(cls, tokenizer: Tokenizer, *, known: Collection[str] = ()) -> dict[str, Any]:
        """Nothing follows from the tokenizer alone."""
        return {}

    def fits(self, tokenizer: Tokenizer) -> bool:
        """Whether this is of that vocabulary; what was read from a file may be damaged."""
        return self.words == tokenizer.size and isinstance(self.max_length, int) and self.max_length > 0

    def __call__(
        self, tokens: NDArray[np.int32], lengths: NDArray[np.int64], rows: NDArray[np.int64] | None = None
    ) -> SequenceInputs:
        """Pad documents whose token ids stand end to end, whatever their rows are."""
        is_word = tokens < self.words
        if not is_word.all():
            lengths = np.bincount(np.repeat(np.arange(len(lengths)), lengths)[is_word], minlength=len(lengths))
            tokens = tokens[is_word]
        kept = np.minimum(lengths, self.max_length)
        columns = np.arange(kept.max())
        inside = columns < kept[:, None]  # (B, T)
        starts = np.cumsum(lengths) - lengths
        padded = np.full(inside.shape, PAD_ID, dtype=np.int64)
        padded[inside] = tokens[(starts[:, None] + columns)[inside]]
        return SequenceInputs(padded, kept)


def learn(
    training: Iterable[Any], *, validation: Iterable[Any], tokenizer: Tokenizer, max_length: int | None
) -> Learnt:
    """Features of a vocabulary; nothing is learnt from the training documents, and nothing is worth a cache."""
    features = Sequences.of(tokenizer, max_length=max_length)
    return Learnt(features, training=features)
