"""What the networks that read tokens in order share: their batch, and word dropout.

B documents, T tokens in the longest.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from textclf.models.model import Examples
from textclf.models.sequences.features import Sequences
from textclf.text.tokenizer import UNK_ID


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


class WordDropout(nn.Module):
    """Training reads some tokens as ``<unk>``, which thus gets a meaning: https://arxiv.org/abs/1511.06349."""

    def __init__(self, probability: float) -> None:
        super().__init__()
        self.probability = probability

    def forward(self, tokens: Tensor) -> Tensor:
        """Token ids of any shape."""
        if not self.training:
            return tokens
        return tokens.masked_fill(torch.rand(tokens.shape, device=tokens.device) < self.probability, UNK_ID)
