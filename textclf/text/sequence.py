"""Token ids to a padded matrix: the first tokens of each document, in order. Knows nothing about torch."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from textclf.text.tokenizer import PAD_ID


class SequenceInputs(NamedTuple):
    """B documents, as long as the longest of them."""

    tokens: NDArray[np.int64]
    """Shape (B, T), padded at the end."""
    lengths: NDArray[np.int64]
    """Shape (B,), without padding; at least 1."""


@dataclass(frozen=True, slots=True)
class Sequences:
    """Cuts documents to their first tokens and pads them to the longest of the batch."""

    max_length: int
    """Tokens kept."""

    def __call__(self, tokens: NDArray[np.int32], lengths: NDArray[np.int64]) -> SequenceInputs:
        """Pad documents whose token ids stand end to end."""
        kept = np.minimum(lengths, self.max_length)
        columns = np.arange(kept.max())
        inside = columns < kept[:, None]  # (B, T)
        starts = np.cumsum(lengths) - lengths
        padded = np.full(inside.shape, PAD_ID, dtype=np.int64)
        padded[inside] = tokens[(starts[:, None] + columns)[inside]]
        return SequenceInputs(padded, kept)
