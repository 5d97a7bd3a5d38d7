"""Checkpoints: ``last.pt`` to go on from, ``best.pt`` with the weights of the best epoch. Tensors and numbers only.

Read with ``weights_only=True``, which unpickles nothing but tensors.
"""

import io
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import nn
from torch.optim import Optimizer

from textclf import atomic
from textclf.errors import ArtefactError, UsageError
from textclf.training.loop import EarlyStopping


class Progress(NamedTuple):
    """How far a run has come."""

    epoch: int
    """Number of the last finished epoch; 0 before the first."""
    seconds: float
    """Spent training until then."""


def save_last(path: Path, model: nn.Module, optimizer: Optimizer, stopping: EarlyStopping, progress: Progress) -> None:
    """Write all that is needed to go on after this epoch."""
    state = {
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "best_epoch": stopping.best_epoch,
        "best_loss": stopping.best_loss,
        "epoch": progress.epoch,
        "seconds": progress.seconds,
    }
    _save(path, state)


def load_last(path: Path, model: nn.Module, optimizer: Optimizer, stopping: EarlyStopping) -> Progress:
    """Put model, optimizer and early stopping where they were; raises UsageError if there is no such file."""
    state = _load(path)
    model.load_state_dict(state["model"])
    optimizer.load_state_dict(state["optimizer"])
    stopping.best_epoch, stopping.best_loss = state["best_epoch"], state["best_loss"]
    return Progress(state["epoch"], state["seconds"])


def save_best(path: Path, model: nn.Module) -> None:
    """Write the weights of the best epoch so far."""
    _save(path, {"model": model.state_dict()})


def load_best(path: Path, model: nn.Module) -> None:
    """Give the model the weights of the best epoch."""
    model.load_state_dict(_load(path)["model"])


def _save(path: Path, state: dict[str, Any]) -> None:
    buffer = io.BytesIO()  # torch.save reports a full disk as RuntimeError; a plain write says what it is
    torch.save(state, buffer)
    atomic.write_bytes(path, buffer.getvalue())


def _load(path: Path) -> dict[str, Any]:
    if not path.exists():
        raise UsageError(f"no checkpoint {path}; begin a new run: textclf train")
    try:
        return dict(torch.load(path, map_location="cpu", weights_only=True))
    except Exception as error:  # seven kinds for damaged files, none of them documented
        raise ArtefactError(f"{path} is damaged; begin a new run: textclf train") from error
