"""What models that read tokens in order share: padded token ids, their batch, and explanation by leave-one-out."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from textclf.models.model import Architecture, Runtime

if TYPE_CHECKING:
    from torch import nn

    from textclf.models.arithmetic import Floats, Weights
    from textclf.models.sequences.features import SequenceInputs

ONNX_INPUTS: Final = (("tokens", "INT64", ("B", "T")), ("lengths", "INT64", ("B",)))


def runtime(logits: "Callable[[Weights, SequenceInputs], Floats]") -> Runtime:
    """The parts that need numpy, of a model with this forward pass."""
    from textclf.models.sequences.features import Sequences, learn
    from textclf.models.sequences.leave_one_out import LeaveOneOut

    return Runtime(Sequences, learn, logits, LeaveOneOut(logits))


def architecture(network: "Callable[..., nn.Module]") -> Architecture:
    """The parts that need torch, of a model with this network."""
    from textclf.models.sequences.batch import collate

    return Architecture(network, collate, sorts_by_length=True)
