"""Embeddings, convolutions over neighbouring tokens, and the maximum over time: https://aclanthology.org/D14-1181/.

A filter looks at 3, 4 or 5 neighbouring tokens, and its largest value anywhere in the document says how much of what it
looks for is there. A linear layer turns the largest values of all filters into logits.

B documents, T tokens in the longest, P pieces of a token, E embedding size, H filters of each width, C classes.
"""

from typing import Final

import torch
from torch import Tensor, nn

from textclf.models.sequences.batch import Batch, PieceEmbedding, WordDropout

WIDTHS: Final = (3, 4, 5)
"""Tokens that a filter sees at once."""


class CNNClassifier(nn.Module):
    """Embedding, three widths of convolution, maximum over time, logits."""

    def __init__(
        self,
        *,
        vocabulary: int,
        classes: int,
        embedding_size: int,
        hidden_size: int,
        dropout: float,
        word_dropout: float,
    ) -> None:
        super().__init__()
        self.word_dropout = WordDropout(word_dropout)
        self.embedding = PieceEmbedding(vocabulary, embedding_size)
        self.dropout = nn.Dropout(dropout)
        # A window begins at each token: after the last one, zeros fill it, so that a document may be of any length.
        self.convolutions = nn.ModuleList(
            nn.Sequential(nn.ConstantPad1d((0, width - 1), 0.0), nn.Conv1d(embedding_size, hidden_size, width))
            for width in WIDTHS
        )
        self.output = nn.Linear(len(WIDTHS) * hidden_size, classes)
        self.apply(_initialise)

    def forward(self, batch: Batch) -> Tensor:
        """Logits of each class, shape (1, B, C): there is one view of the documents."""
        inside = torch.arange(batch.tokens.shape[1], device=batch.tokens.device) < batch.lengths[:, None]  # (B, T)
        embedded = self.embedding(self.word_dropout(batch.tokens)) * inside[:, :, None]  # (B, T, E), 0 on padding
        channels = embedded.mT  # (B, E, T)
        maps = [convolution(channels) for convolution in self.convolutions]  # each (B, H, T)
        largest = [each.masked_fill(~inside[:, None, :], -torch.inf).amax(dim=2) for each in maps]  # each (B, H)
        pooled = torch.relu(torch.cat(largest, dim=1))  # (B, 3H)
        logits: Tensor = self.output(self.dropout(pooled))[None]
        return logits


def _initialise(module: nn.Module) -> None:
    """As https://proceedings.mlr.press/v9/glorot10a.html derives."""
    if isinstance(module, nn.Conv1d | nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        nn.init.zeros_(module.bias)  # type: ignore[arg-type]
