"""What the networks that read tokens in order share: their batch, embeddings, and word dropout.

B documents, T tokens in the longest, P pieces of a token, E embedding size.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from textclf.models.model import Examples
from textclf.models.sequences.features import Sequences
from textclf.text.tokenizer import PAD_ID, UNK_ID


class Batch(NamedTuple):
    """Token ids, padded to the longest document."""

    tokens: Tensor
    """Shape (B, T, P), int64, the pieces of each token; (B, T) for a user's network."""
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


class PieceEmbedding(nn.EmbeddingBag):
    """The embedding of a token: the sum of those of its pieces (https://arxiv.org/abs/1607.04606).

    It is divided by the square root of their number, so that tokens of many pieces start as large as those of one. That
    of padding is 0.
    """

    def __init__(self, vocabulary: int, embedding_size: int) -> None:
        super().__init__(vocabulary, embedding_size, mode="sum", padding_idx=PAD_ID)
        nn.init.normal_(self.weight, std=0.1)
        self.weight.data[PAD_ID] = 0

    def forward(self, tokens: Tensor) -> Tensor:  # type: ignore[override]  # a bag is a token
        """Of tokens (B, T, P), shape (B, T, E)."""
        sums: Tensor = super().forward(tokens.flatten(0, 1)).unflatten(0, tokens.shape[:2])
        counts = (tokens != PAD_ID).sum(dim=2, keepdim=True).clamp(min=1)  # (B, T, 1)
        return sums * counts.rsqrt()


class WordDropout(nn.Module):
    """Training reads some words as ``<unk>``, which thus gets a meaning: https://arxiv.org/abs/1511.06349.

    Their subwords are read all the same, as those of an unknown word are.
    """

    def __init__(self, probability: float) -> None:
        super().__init__()
        self.probability = probability

    def forward(self, tokens: Tensor) -> Tensor:
        """Token ids of shape (B, T, P); the word itself is the first of its pieces."""
        if not self.training:
            return tokens
        words, parts = tokens[..., :1], tokens[..., 1:]
        dropped = words.masked_fill(torch.rand(words.shape, device=tokens.device) < self.probability, UNK_ID)
        return torch.cat((dropped, parts), dim=2)
