"""The models, one a file, all of one shape.

A NamedTuple ``Batch``; ``collate``, which makes one; an ``nn.Module`` whose ``forward`` turns one into logits, shape
(V, B, C), of V views of the documents that are trained side by side and averaged to predict. Nothing here knows a
config, a path, or a data directory; and nothing outside asks which model it trains: `ARCHITECTURES` is where they are
listed. What a model reads is learnt and made in `textclf.text`.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, NamedTuple

from torch import nn

from textclf.models.bag_mlp import network as bag_mlp
from textclf.models.lstm import network as lstm


class Architecture(NamedTuple):
    """What training must know of a model."""

    module: Callable[..., nn.Module]
    """Called with the sizes of its inputs, classes, hidden_size and dropout; see each module."""
    collate: Callable[..., Any]
    """Called with Examples and the Inputs; returns the model's Batch."""
    head_start: Callable[[Any, Iterable[Any]], None] | None
    """Called with the new module and the training batches, before training. None: training begins at random weights."""
    buckets: bool
    """Whether documents of a batch should be of similar length."""


ARCHITECTURES: Final[Mapping[str, Architecture]] = {
    "mlp": Architecture(bag_mlp.BagMLP, bag_mlp.collate, bag_mlp.BagMLP.learn_labels, buckets=False),
    "lstm": Architecture(lstm.LSTMClassifier, lstm.collate, None, buckets=True),
}


def summary(model: nn.Module) -> str:
    """A line for each layer: its name, kind, shape of its parameters, and how many they are."""
    rows = [
        (name, str(layer).split("(")[0], " ".join(str(tuple(p.shape)) for p in own), f"{sum(p.numel() for p in own):,}")
        for name, layer in model.named_modules()
        if (own := list(layer.parameters(recurse=False)))
    ]
    rows.append(("total", "", "", f"{parameters(model):,}"))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        f"{name:<{widths[0]}}  {kind:<{widths[1]}}  {shapes:<{widths[2]}}  {count:>{widths[3]}}"
        for name, kind, shapes, count in rows
    )


def parameters(model: nn.Module) -> int:
    """Number of trained parameters."""
    return sum(parameter.numel() for parameter in model.parameters())
