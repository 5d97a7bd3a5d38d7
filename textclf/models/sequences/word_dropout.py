"""Word dropout: training reads some tokens as ``<unk>``, which thus gets a meaning (https://arxiv.org/abs/1511.06349)."""

import torch
from torch import Tensor, nn

from textclf.text.tokenizer import UNK_ID


class WordDropout(nn.Module):
    """Replace each token by ``<unk>`` with a probability, in training alone."""

    def __init__(self, probability: float) -> None:
        super().__init__()
        self.probability = probability

    def forward(self, tokens: Tensor) -> Tensor:
        """Token ids of any shape."""
        if not self.training:
            return tokens
        return tokens.masked_fill(torch.rand(tokens.shape, device=tokens.device) < self.probability, UNK_ID)
