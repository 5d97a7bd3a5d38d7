"""A user's network is made, and tried on two small batches, so that most of its mistakes are found before training.

B documents, T tokens in the longest, V views, C classes.
"""

from copy import deepcopy
from typing import Any, Final

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from textclf.errors import UsageError
from textclf.models.sequences.batch import Batch
from textclf.models.user.code import Code, naming_line
from textclf.system.wording import counted
from textclf.text.tokenizer import PAD_ID, UNK_ID

STORED: Final = {
    torch.float32, torch.float64, torch.float16, torch.int64, torch.int32, torch.int8, torch.uint8, torch.bool,
}  # fmt: skip
"""Types of parameters and buffers that the artefact can hold."""


def build_and_try(code: Code, **arguments: Any) -> nn.Module:
    """A new network; raises UsageError, with the line of the user's file, if it cannot be trained."""
    network = build(code, **arguments)
    for name, tensor in network.state_dict().items():
        if not isinstance(tensor, Tensor) or tensor.dtype not in STORED:
            raise UsageError(f"{_place(code, '__init__')}: {name} is of a type that cannot be saved; use float32")
        if not tensor.isfinite().all():
            remedy = "if it is a mask, register it with persistent=False"
            raise UsageError(f"{_place(code, '__init__')}: {name} is not finite; {remedy}")
    if not any(parameter.requires_grad for parameter in network.parameters()):
        raise UsageError(f"{_place(code, '__init__')}: {code.network.__name__} has no parameters to train")
    with naming_line(code.file, otherwise=code.line("forward")):
        _try(code, deepcopy(network), vocabulary=arguments["vocabulary"], classes=arguments["classes"])
    return network


def build(code: Code, **arguments: Any) -> nn.Module:
    """A new network; raises UsageError, with the line of the user's file, if its constructor fails."""
    with naming_line(code.file, otherwise=code.line("__init__")):
        return code.network(**arguments)


def _try(code: Code, network: nn.Module, *, vocabulary: int, classes: int) -> None:
    """A training step on two documents, and a prediction for a document of one token, as `explain` asks for."""
    tokens = torch.tensor([[UNK_ID, vocabulary - 1, UNK_ID], [UNK_ID, PAD_ID, PAD_ID]])  # (B, T)
    labels = torch.tensor([0, classes - 1])  # (B,)
    logits = checked(code, network.train()(Batch(tokens, torch.tensor([3, 1]), labels)), documents=2, classes=classes)
    cross_entropy(logits.float().mT, labels.expand(len(logits), -1)).backward()
    if any(parameter.grad is not None and parameter.grad.is_sparse for parameter in network.parameters()):
        raise UsageError(f"{_place(code, '__init__')}: gradients must be dense: leave out sparse=True")
    alone = Batch(tokens[:1, :1], torch.tensor([1]), labels[:1])
    checked(code, network.eval()(alone), documents=1, classes=classes)


def checked(code: Code, logits: Any, *, documents: int, classes: int) -> Tensor:
    """What ``forward`` returned, of shape (V, B, C); raises UsageError if that is no logits of these documents."""
    where = f"{_place(code, 'forward')}: forward must return logits of shape ({documents}, {classes})"
    asked = f"for {counted(documents, 'document')} and {counted(classes, 'class', 'classes')}"
    if not isinstance(logits, Tensor) or not logits.is_floating_point():
        given = f"a tensor of {logits.dtype}" if isinstance(logits, Tensor) else f"a {type(logits).__name__}"
        raise UsageError(f"{where} {asked}, and it returned {given}")
    if logits.ndim not in (2, 3) or logits.shape[-2:] != (documents, classes) or not logits.numel():
        raise UsageError(f"{where} {asked}, and it returned the shape {tuple(logits.shape)}")
    return logits.reshape(-1, documents, classes)


def _place(code: Code, method: str) -> str:
    return f"{code.file}:{code.line(method)}"
