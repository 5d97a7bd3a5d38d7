"""A bag of embeddings, and a multi-layer perceptron on it.

The words of a document, whatever their order, become one vector: the sum of their embeddings, each weighted as
`textclf.text.bag` says. That sum is the perceptron's hidden layer (a matrix of embeddings times a weighted bag of words
is a linear layer); ReLU, dropout and an output layer turn it into logits. https://arxiv.org/abs/2109.03777 shows how
strong such a wide and shallow network is; a second hidden layer lost half a point on our development sets.

B documents, N words in all, H hidden size, C classes.
"""

from collections.abc import Iterable
from typing import NamedTuple

import torch
from torch import Tensor, nn

from textclf.loading import Examples
from textclf.text.bag import Bag


class Batch(NamedTuple):
    """Weighted bags of words, end to end."""

    features: Tensor
    """Shape (N,), int64, token ids."""
    offsets: Tensor
    """Shape (B,), int64, where each document starts."""
    weights: Tensor
    """Shape (N,), float32."""
    labels: Tensor
    """Shape (B,), int64."""


def prepare(documents: Iterable[Examples], *, vocabulary: int, max_length: int | None) -> Bag:
    """Learn the weights of words from the training documents; all words of a document count, wherever they stand."""
    return Bag.fit(((batch.tokens, batch.lengths) for batch in documents), vocabulary=vocabulary)


def collate(examples: Examples, *, inputs: Bag) -> Batch:
    """Weigh the words of some documents and make them a batch."""
    bags = inputs(examples.tokens, examples.lengths)
    return Batch(
        features=torch.from_numpy(bags.features),
        offsets=torch.from_numpy(bags.offsets),
        weights=torch.from_numpy(bags.weights),
        labels=torch.from_numpy(examples.labels),
    )


class BagMLP(nn.Module):
    """Bag of embeddings, ReLU, dropout, logits."""

    def __init__(self, *, vocabulary: int, classes: int, hidden_size: int, dropout: float) -> None:
        super().__init__()
        self.embedding = nn.EmbeddingBag(vocabulary, hidden_size, mode="sum")
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(hidden_size, classes)
        self.apply(_initialise)

    def forward(self, batch: Batch) -> Tensor:
        """Logits of each class, shape (B, C)."""
        bag = self.embedding(batch.features, batch.offsets, per_sample_weights=batch.weights)  # (B, H)
        logits: Tensor = self.output(self.dropout(torch.relu(bag)))  # (B, C)
        return logits


def _initialise(module: nn.Module) -> None:
    """Embeddings small and normal; the output layer as https://proceedings.mlr.press/v9/glorot10a.html derives."""
    if isinstance(module, nn.EmbeddingBag):
        nn.init.normal_(module.weight, std=0.1)
    elif isinstance(module, nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        nn.init.zeros_(module.bias)
