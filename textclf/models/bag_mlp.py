"""Bags of embeddings, and a multi-layer perceptron on each.

A document is seen in two ways: as a bag of its words and pairs of neighbouring words, and as a bag of the parts of its
words, both weighted as `textclf.text.bag` says. A bag becomes one vector, the sum of its embeddings: that is the
hidden layer of a perceptron (a matrix of embeddings times a weighted bag is a linear layer), and ReLU, dropout and an
output layer turn it into logits. https://arxiv.org/abs/2109.03777 shows how strong such a wide and shallow network is.

Each view learns to classify on its own, and the mean of their logits predicts: views that err on different documents
correct each other, which adding their features to one bag does not do (https://doi.org/10.1007/3-540-45014-9_1).

B documents, V views, N features in all, R distinct ones, H hidden size, C classes.
"""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import embedding_bag

from textclf.loading import Examples
from textclf.text.bag import Bag, Remembered
from textclf.text.tokenizer import Tokenizer


class Batch(NamedTuple):
    """Weighted bags, end to end."""

    rows: Tensor
    """Shape (R,), int64, the features that occur, rising."""
    features: Tensor
    """Shape (N,), int64, places in ``rows``."""
    offsets: Tensor
    """Shape (V * B,), int64, where each bag starts: first those of one view, of all documents, then the next."""
    weights: Tensor
    """Shape (N,), float32."""
    labels: Tensor
    """Shape (B,), int64."""


def prepare(documents: Iterable[Examples], *, tokenizer: Tokenizer, max_length: int | None) -> Bag:
    """Learn pairs and weights from the training documents; all of a document counts, wherever it stands."""
    return Bag.fit(((batch.tokens, batch.lengths) for batch in documents), tokenizer=tokenizer)


def collate(examples: Examples, *, inputs: Bag | Remembered) -> Batch:
    """Make bags of some documents, and a batch of the bags."""
    bags = inputs(examples.tokens, examples.lengths)
    rows, features = _renumber(bags.features)
    return Batch(
        rows=torch.from_numpy(rows),
        features=torch.from_numpy(features),
        offsets=torch.from_numpy(bags.offsets),
        weights=torch.from_numpy(bags.weights),
        labels=torch.from_numpy(examples.labels),
    )


def _renumber(features: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The distinct features, rising, and the place of each feature among them; np.unique would sort them, in vain."""
    occurs = np.zeros(features.max() + 1, dtype=np.bool_)
    occurs[features] = True
    rows = np.flatnonzero(occurs)
    place = np.empty(len(occurs), dtype=np.int64)
    place[rows] = np.arange(len(rows))
    return rows, place[features]


class BagMLP(nn.Module):
    """For each view of the documents: bag of embeddings, ReLU, dropout, logits."""

    def __init__(self, *, features: int, views: int, classes: int, hidden_size: int, dropout: float) -> None:
        super().__init__()
        # Sparse: a step costs what the batch has, not what the vocabulary has, which is many times as much.
        self.embedding = nn.Embedding(features, hidden_size, sparse=True)
        self.dropout = nn.Dropout(dropout)
        self.outputs = nn.ModuleList(nn.Linear(hidden_size, classes) for _ in range(views))
        self.apply(_initialise)

    def forward(self, batch: Batch) -> Tensor:
        """Logits of each class by each view, shape (V, B, C)."""
        rows = self.embedding(batch.rows)  # (R, H)
        bags = embedding_bag(
            batch.features, rows, batch.offsets, mode="sum", per_sample_weights=batch.weights
        )  # (V * B, H)
        hidden = self.dropout(torch.relu(bags))  # (V * B, H)
        views = hidden.chunk(len(self.outputs))  # V times (B, H)
        return torch.stack([output(view) for output, view in zip(self.outputs, views, strict=True)])


def _initialise(module: nn.Module) -> None:
    """Embeddings small and normal; the output layer as https://proceedings.mlr.press/v9/glorot10a.html derives."""
    if isinstance(module, nn.Embedding):
        nn.init.normal_(module.weight, std=0.1)
    elif isinstance(module, nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        nn.init.zeros_(module.bias)
