"""The batch of the models that read tokens in order.

B documents, T tokens in the longest.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from textclf.models.model import Examples
from textclf.models.sequences.features import Sequences


class Batch(NamedTuple):
    """Token ids, padded to the longest document."""

    tokens: Tensor
    """Shape (B, T), int64."""
    lengths: Tensor
    """Shape (B,), int64, without padding."""
    labels: Tensor
    """Shape (B,), int64."""


def collate(examples: Examples, *, inputs: Sequences) -> Batch:
    """Cut and pad some documents and make them a batch."""
    sequences = inputs(examples.tokens, examples.lengths, examples.rows)
    return Batch(
        tokens=torch.from_numpy(sequences.tokens),
        lengths=torch.from_numpy(sequences.lengths),
        labels=torch.from_numpy(examples.labels),
    )
