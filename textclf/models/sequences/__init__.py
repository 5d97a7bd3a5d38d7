"""What models that read tokens in order share: padded token ids, their batch, and explanation by leave-one-out."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from textclf.models.model import Architecture, OnnxGraph, Runtime

if TYPE_CHECKING:
    import numpy as np
    from torch import nn

    from textclf.models.arithmetic import Floats, Weights
    from textclf.models.onnx_graph import Graph
    from textclf.models.sequences.features import SequenceInputs


def runtime(logits: "Callable[[Weights, SequenceInputs], Floats]", *, spells: bool = True) -> Runtime:
    """The parts that need numpy, of a model with this forward pass; ``spells``: whether it may read parts of words."""
    from textclf.models.sequences.features import LeaveOneOut, SequencePruner, Sequences, learn, learn_words

    return Runtime(Sequences, learn if spells else learn_words, logits, LeaveOneOut(logits), SequencePruner)


def architecture(network: "Callable[..., nn.Module]") -> Architecture:
    """The parts that need torch, of a model with this network."""
    from textclf.models.sequences.batch import collate
    from textclf.models.sequences.pretrained import initial_columns
    from textclf.models.sequences.resident import ResidentTokens

    return Architecture(
        network, collate, sorts_by_length=True, resident=ResidentTokens.of, initial_columns=initial_columns
    )


def onnx_graph(logits: "Callable[[Graph, np.float32], str]") -> OnnxGraph:
    """The ONNX graph of a model with this forward pass."""
    return OnnxGraph((("tokens", "INT64", ("B", "T", "P")), ("lengths", "INT64", ("B",))), logits)
