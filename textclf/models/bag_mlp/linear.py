"""A linear classifier of the same bags, which starts from what naive Bayes knows.

The weight of a feature for a class is a multiple of their log-count ratio: how much more frequent the feature is in
documents of the class than in others. Learned are the multiples, from 0 on. So features that tell nothing are hardly
used, and rare ones that tell much soon are, as in NBSVM (https://aclanthology.org/P12-2018). It errs on other documents
than the network does, and the sum of their logits errs on fewer than either.

B documents, V views, F features, R distinct ones in a batch, C classes.
"""

from collections.abc import Iterable
from typing import Any, Final

import torch
from torch import Tensor, nn
from torch.autograd import Function
from torch.autograd.function import once_differentiable
from torch.nn.functional import embedding_bag

from textclf.models.bag_mlp.network import Batch, transposed_sums, weighted_sums

MORE_DOCUMENTS: Final = 1.0
"""Documents with each feature that each class, and the others together, are thought to have besides their own."""


class RatioSum(Function):
    """Sums over the features of a bag: their weights in it, times multiples, times ratios."""

    @staticmethod
    def forward(ctx: Any, multiples: Tensor, ratios: Tensor, batch: Batch) -> Tensor:
        """Of tables (F, C), sums of shape (V * B, C)."""
        ctx.batch, ctx.ratios = batch, ratios
        return weighted_sums(batch.features, multiples * ratios, batch.offsets, batch.weights)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        """Sparse, with a row for each distinct feature of the batch."""
        columns = ctx.batch.columns  # (R,)
        values = transposed_sums(ctx.batch, gradient) * ctx.ratios.index_select(0, columns)  # (R, C)
        shape = ctx.ratios.shape
        sparse = torch.sparse_coo_tensor(columns[None], values, shape, is_coalesced=True, check_invariants=False)
        return sparse, None, None


class NaiveBayesLinear(nn.Module):
    """A bias for each class, and for each feature a multiple of its ratio."""

    def __init__(self, ratios: Tensor) -> None:
        super().__init__()
        self.ratios = ratios  # (F, C), which nobody trains or saves
        self.multiples = nn.Embedding.from_pretrained(torch.zeros_like(ratios), freeze=False, sparse=True)
        self.bias = nn.Parameter(ratios.new_zeros(ratios.shape[1]))

    def forward(self, batch: Batch) -> Tensor:
        """Logits of the documents, shape (1, B, C)."""
        sums = RatioSum.apply(self.multiples.weight, self.ratios, batch)  # type: ignore[no-untyped-call]  # (V * B, C)
        logits: Tensor = sums.view(-1, len(batch.labels), len(self.bias)).sum(dim=0, keepdim=True) + self.bias
        return logits

    @torch.no_grad()
    def weights(self) -> tuple[Tensor, Tensor]:
        """The weight of each feature for each class, (F, C), and the bias, (C,)."""
        return self.multiples.weight * self.ratios, self.bias


HIDDEN_PER_CLASS: Final = 2
"""Fewest hidden units of the network per class: with fewer, this classifier costs about as much as the network."""


def companion(
    batches: Iterable[Batch], sets: Tensor | None, *, features: int, classes: int, hidden_size: int, **_: Any
) -> NaiveBayesLinear | None:
    """A classifier with the ratios of these training documents; None where it brings less than it costs.

    Where classes are many it brought nothing on development corpora, and takes long.
    """
    if hidden_size < HIDDEN_PER_CLASS * classes:
        return None
    return NaiveBayesLinear(log_count_ratios(batches, sets, features=features, classes=classes))


@torch.no_grad()
def log_count_ratios(batches: Iterable[Batch], sets: Tensor | None, *, features: int, classes: int) -> Tensor:
    """The logarithm of how much more frequent each feature is in documents of a class than in others: shape (F, C).

    A frequency is the share of all that these documents have. ``sets``, shape (S, C), are the classes of each set of
    labels; None: a document has one label.
    """
    own = torch.full((features, classes), MORE_DOCUMENTS)
    every = torch.full((features, 1), 2 * MORE_DOCUMENTS)
    for batch in batches:
        own, every = own.to(batch.labels.device), every.to(batch.labels.device)
        sets = torch.eye(classes, device=own.device) if sets is None else sets
        documents = sets[batch.labels].repeat(len(batch.offsets) // len(batch.labels), 1)  # (V * B, C)
        own.index_add_(0, batch.columns, _sums(batch, documents))
        every.index_add_(0, batch.columns, _sums(batch, torch.ones_like(documents[:, :1])))
    others = every - own
    return (own / own.sum(dim=0)).log_() - (others / others.sum(dim=0)).log_()


def _sums(batch: Batch, rows: Tensor) -> Tensor:
    """For each distinct feature the sum over its bags' rows, whatever its weight there: shape (R, C)."""
    return embedding_bag(batch.column_bags, rows, batch.column_offsets, mode="sum")
