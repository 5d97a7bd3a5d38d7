"""Embeddings, a bidirectional LSTM, and pooling over time.

The LSTM reads the document in both directions (https://arxiv.org/abs/1303.5778). The largest and the mean value that
each of its units takes over time make the document's vector, and a linear layer turns it into logits. Another one
reads the mean of the embeddings alone (https://aclanthology.org/P15-1162/): two views of a document, with and
without the order of its words, that learn side by side, share their embeddings, and are averaged to predict.

B documents, T tokens in the longest, P pieces of a token, E embedding size, H hidden size of each direction, C classes.
"""

import torch
from torch import Tensor, nn

from textclf.models.sequences.batch import Batch, PieceEmbedding, WordDropout


class LSTMClassifier(nn.Module):
    """Embedding, bidirectional LSTM, max and mean over time, logits."""

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
        # Two LSTMs, not a bidirectional one: backwards it would read the padding first, and the logits would depend on
        # how much there is, unless sequences were packed, which takes twice the time.
        self.forwards = nn.LSTM(embedding_size, hidden_size, batch_first=True)
        self.backwards = nn.LSTM(embedding_size, hidden_size, batch_first=True)
        self.output = nn.Linear(4 * hidden_size, classes)
        self.output_of_mean = nn.Linear(embedding_size, classes)
        self.apply(_initialise)

    def forward(self, batch: Batch) -> Tensor:
        """Logits of each class by each view, shape (2, B, C)."""
        place = torch.arange(batch.tokens.shape[1], device=batch.tokens.device)  # (T,)
        inside = place < batch.lengths[:, None]  # (B, T), false on padding
        embedded = self.embedding(self.word_dropout(batch.tokens))  # (B, T, E)
        read = self.dropout(embedded)  # (B, T, E)
        last_first = (batch.lengths[:, None] - 1 - place).clamp(min=0)  # (B, T)
        forwards, _ = self.forwards(read)  # (B, T, H)
        backwards, _ = self.backwards(read.gather(1, last_first[:, :, None].expand_as(read)))  # (B, T, H), mirrored
        states = torch.cat((forwards, backwards), dim=2)  # (B, T, 2H)
        largest = states.masked_fill(~inside[:, :, None], -torch.inf).amax(dim=1)  # (B, 2H)
        pooled = torch.cat((largest, _mean(states, inside)), dim=1)  # (B, 4H)
        views = (self.output(self.dropout(pooled)), self.output_of_mean(self.dropout(_mean(embedded, inside))))
        return torch.stack(views)


def _mean(sequence: Tensor, inside: Tensor) -> Tensor:
    """Mean over time without padding, shape (B, F), of a sequence (B, T, F)."""
    mean: Tensor = (sequence * inside[:, :, None]).sum(dim=1) / inside.sum(dim=1)[:, None]
    return mean


def _initialise(module: nn.Module) -> None:
    """Recurrent weights orthogonal, forget gates open.

    https://arxiv.org/abs/1312.6120 and, for the forget gate, https://proceedings.mlr.press/v37/jozefowicz15.html.
    """
    if isinstance(module, nn.LSTM):
        weights = dict(module.named_parameters())  # each four gates on end: input, forget, cell, output
        nn.init.xavier_uniform_(weights["weight_ih_l0"])  # (4H, E)
        for gate in weights["weight_hh_l0"].data.chunk(4):  # (H, H)
            nn.init.orthogonal_(gate)
        nn.init.zeros_(weights["bias_hh_l0"])  # (4H,)
        nn.init.zeros_(weights["bias_ih_l0"])  # (4H,)
        weights["bias_ih_l0"].data.chunk(4)[1].fill_(1.0)
    elif isinstance(module, nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        nn.init.zeros_(module.bias)
