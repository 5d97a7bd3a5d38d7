"""Bags of embeddings, and a multi-layer perceptron on each.

A document has two views: a bag of its words and pairs of neighbouring words, and a bag of its subwords and runs, both
weighted by `textclf.models.bag_mlp.features`. The weighted sum of the embeddings of a bag is the hidden layer of a
perceptron; ReLU, dropout and an output layer turn it into logits. https://arxiv.org/abs/2109.03777 shows how strong
such a wide and shallow network is.

Each view learns to classify on its own, and the mean of their logits predicts: views that err on different documents
correct each other, which adding their features to one bag does not do (https://doi.org/10.1007/3-540-45014-9_1).

B documents, V views, F features, N of them in the bags of a batch, R distinct ones there, H hidden size, C classes.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.autograd import Function
from torch.autograd.function import once_differentiable
from torch.nn.functional import embedding_bag

from textclf.models.bag_mlp.features import BagInputs
from textclf.models.model import LINEAR, LINEAR_BIAS, Examples

HEAD_START: Final = 4.0
"""Distance that embeddings move towards their classes before training."""

SHRINKAGE: Final = 4.0
"""Total weight in all bags with which a feature moves half that distance."""


class Batch(NamedTuple):
    """Weighted bags: a sparse matrix of V * B rows, row by row for the forward pass, and again column by column.

    Its N entries that are not zero are the weights; its R columns are the features that occur.
    """

    features: Tensor
    """Shape (N,), int32, bag by bag."""
    offsets: Tensor
    """Shape (V * B,), int32, where each bag starts: first those of one view, of all documents, then the next."""
    weights: Tensor
    """Shape (N,), float32."""
    columns: Tensor
    """Shape (R,), int64, the distinct features, rising."""
    column_bags: Tensor
    """Shape (N,), int32, the bags that each of these is in, column by column."""
    column_offsets: Tensor
    """Shape (R,), int32, where each column starts."""
    column_weights: Tensor
    """Shape (N,), float32."""
    labels: Tensor
    """Shape (B,), int64."""


def collate(examples: Examples, *, inputs: Callable[..., BagInputs]) -> Batch:
    """Make bags of some documents, by a `Bag` or `FeatureCache`, and a batch of the bags."""
    from scipy.sparse import csr_array  # transposes by counting, three times as fast as sorting

    features, offsets, weights = inputs(examples.tokens, examples.lengths, examples.rows)
    rows = (weights, features, np.append(offsets, len(features)).astype(np.int32))
    columns = csr_array(rows, shape=(len(offsets), int(features.max()) + 1)).tocsc()
    present = np.flatnonzero(columns.indptr[1:] != columns.indptr[:-1])  # of truth values: five times as fast
    arrays = (
        *(rows[1], rows[2][:-1], weights),
        *(present, columns.indices, columns.indptr[present], columns.data),
        examples.labels,
    )
    return Batch(*(torch.from_numpy(array) for array in arrays))


class WeightedSum(Function):
    """Sums of embeddings: the sparse matrix of a batch times the matrix of embeddings.

    The gradient is the transposed matrix times that of the sums. torch would sort all features to find it, each time;
    here `collate` has sorted them, where loader processes can do it.
    """

    @staticmethod
    def forward(ctx: Any, embeddings: Tensor, batch: Batch) -> Tensor:
        """Of embeddings (F, H), sums of shape (V * B, H)."""
        ctx.batch, ctx.shape = batch, embeddings.shape
        return weighted_sums(batch.features, embeddings, batch.offsets, batch.weights)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        """Sparse, with a row for each distinct feature of the batch: a step costs what that has, not the vocabulary."""
        values = transposed_sums(ctx.batch, gradient)  # (R, H)
        places = ctx.batch.columns[None]  # (1, R)
        # Coalesced: the places are distinct and rise.
        sparse = torch.sparse_coo_tensor(places, values, ctx.shape, is_coalesced=True, check_invariants=False)
        return sparse, None


def transposed_sums(batch: Batch, rows: Tensor) -> Tensor:
    """For each distinct feature the weighted sum over its bags' rows (V * B, H): shape (R, H)."""
    return weighted_sums(batch.column_bags, rows, batch.column_offsets, batch.column_weights)


def weighted_sums(places: Tensor, rows: Tensor, offsets: Tensor, weights: Tensor) -> Tensor:
    """The sums of the rows at these places, each times its weight, from each offset to the next."""
    return embedding_bag(places, rows, offsets, per_sample_weights=weights, mode="sum")


class Linear(nn.Module):
    """A linear classifier of all bags of a document."""

    def __init__(self, weight: Tensor, bias: Tensor) -> None:
        super().__init__()
        self.weight = nn.Parameter(weight)  # (F, C)
        self.bias = nn.Parameter(bias)  # (C,)

    def forward(self, batch: Batch) -> Tensor:
        """Logits, shape (B, C)."""
        sums = weighted_sums(batch.features, self.weight, batch.offsets, batch.weights)  # (V * B, C)
        return sums.view(-1, len(batch.labels), len(self.bias)).sum(dim=0) + self.bias


class BagMLP(nn.Module):
    """For each view of the documents: bag of embeddings, ReLU, dropout, logits."""

    def __init__(self, *, features: int, views: int, classes: int, hidden_size: int, dropout: float) -> None:
        super().__init__()
        self.embedding = nn.Embedding(features, hidden_size, sparse=True)
        self.dropout = nn.Dropout(dropout)
        self.outputs = nn.ModuleList(nn.Linear(hidden_size, classes) for _ in range(views))
        self.linear: Linear | None = None
        self.apply(_initialise)

    def forward(self, batch: Batch) -> Tensor:
        """Logits of each class by each view, shape (V, B, C)."""
        bags = WeightedSum.apply(self.embedding.weight, batch)  # type: ignore[no-untyped-call]  # (V * B, H)
        hidden = self.dropout(torch.relu(bags))  # (V * B, H)
        views = hidden.chunk(len(self.outputs))  # V times (B, H)
        logits = torch.stack([output(view) for output, view in zip(self.outputs, views, strict=True)])
        return logits if self.linear is None else logits + self.linear(batch)

    def load_state_dict(self, state_dict: Mapping[str, Any], *args: Any, **more: Any) -> Any:
        """As that of any module; with a linear classifier, if the weights have one."""
        if LINEAR in state_dict:
            self.linear = Linear(torch.empty_like(state_dict[LINEAR]), torch.empty_like(state_dict[LINEAR_BIAS]))
        return super().load_state_dict(state_dict, *args, **more)

    @torch.no_grad()
    def add(self, companion: Any, *, share: float) -> None:
        """Predict by the weighted sum of the logits from now on; ``share``: the weight of the companion's."""
        for output in self.outputs:
            for parameter in output.parameters():
                parameter.mul_(1 - share)
        self.linear = Linear(*(share * weight for weight in companion.weights()))

    @torch.no_grad()
    def learn_labels(self, batches: Iterable[Batch], sets: Tensor | None = None) -> None:
        """Move each feature's embedding towards the classes whose documents have it: a head start, before training.

        The output layers have a vector for each class. A feature's embedding goes to the mean of those of its
        documents, less the mean over all documents (of the same batch), weighted as the bags are and shrunk for
        features that occur little. The model then classifies about as naive Bayes does, and training begins where it
        would have come after an epoch or two. The batches must be on the model's device. A document of several labels,
        whose sets have the classes ``sets``, shape (S, C), has the sum of their vectors.
        """
        classes = torch.stack([output.get_parameter("weight") for output in self.outputs])  # (V, C, H)
        sums = torch.zeros_like(self.embedding.weight)  # (F, H)
        totals = torch.full_like(sums[:, :1], SHRINKAGE)  # (F, 1)
        for batch in batches:
            # (V, B, H)
            answers = classes[:, batch.labels] if sets is None else sets[batch.labels] @ classes
            surplus = (answers - answers.mean(dim=1, keepdim=True)).flatten(end_dim=1)  # (V * B, H)
            sums.index_add_(0, batch.columns, transposed_sums(batch, surplus))
            totals.index_add_(0, batch.columns, transposed_sums(batch, torch.ones_like(surplus[:, :1])))
        self.embedding.weight += HEAD_START * sums / totals


def _initialise(module: nn.Module) -> None:
    """Embeddings small and normal; the output layer as https://proceedings.mlr.press/v9/glorot10a.html derives."""
    if isinstance(module, nn.Embedding):
        nn.init.normal_(module.weight, std=0.1)
    elif isinstance(module, nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        nn.init.zeros_(module.bias)
