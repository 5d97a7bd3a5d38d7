"""Checkpoints: ``last.pt`` to go on from, ``best.pt`` with the weights of the best epoch. Tensors and numbers only.

Read with ``weights_only=True``, which unpickles nothing but tensors.
"""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from pathlib import Path
from time import perf_counter
from typing import Any, Final, NamedTuple

import torch
from torch import nn

from textclf import atomic
from textclf.errors import ArtefactError, UsageError
from textclf.runs import Layout
from textclf.training.loop import EarlyStopping, Learner

EVERY: Final = 20.0
"""Seconds of training from one checkpoint to the next: writing one takes as long as an epoch of a small corpus."""


class Progress(NamedTuple):
    """How far a run has come."""

    epoch: int
    """Number of the last finished epoch; 0 before the first."""
    seconds: float
    """Spent training until then."""


class Keeper:
    """Holds the weights of the best epoch, and writes both checkpoints now and then.

    A run that is stopped goes on from the last checkpoint, or from the beginning if it was stopped before there was
    one; either way it ends in the same weights.
    """

    def __init__(self, run: Layout, learner: Learner, stopping: EarlyStopping) -> None:
        self.run = run
        self.learner = learner
        self.stopping = stopping
        self.best = deepcopy(learner.average.module)
        self._is_written = True
        self._saved = perf_counter()

    def resume(self) -> Progress:
        """Go back to the last checkpoint, if there is one; raises ArtefactError if it is damaged."""
        if not self.run.last.exists():
            return Progress(epoch=0, seconds=0.0)
        progress = load_last(self.run.last, self.learner, self.stopping)
        load_best(self.run.best, self.best)
        return progress

    def epoch(self, progress: Progress) -> None:
        """An epoch has ended."""
        if self.stopping.best_epoch == progress.epoch:
            self.best.load_state_dict(self.learner.average.module.state_dict())
            self._is_written = False
        if perf_counter() - self._saved >= EVERY:
            self.write_best()  # first: what last.pt counts as best must be there
            save_last(self.run.last, self.learner, self.stopping, progress)
            self._saved = perf_counter()

    def write_best(self) -> None:
        """Write the best weights, unless they are written."""
        if not self._is_written:
            save_best(self.run.best, self.best)
            self._is_written = True


def save_last(path: Path, learner: Learner, stopping: EarlyStopping, progress: Progress) -> None:
    """Write all that is needed to go on after this epoch."""
    state = {
        "model": learner.model.state_dict(),
        "average": learner.average.state_dict(),
        "optimizer": learner.optimizer.state_dict(),
        "best_epoch": stopping.best_epoch,
        "best_loss": stopping.best_loss,
        "epoch": progress.epoch,
        "seconds": progress.seconds,
    }
    _save(path, state)


def load_last(path: Path, learner: Learner, stopping: EarlyStopping) -> Progress:
    """Put the learner and early stopping where they were.

    Raises UsageError if there is no such file, ArtefactError if it is damaged or of another model.
    """
    with _reading(path) as state:
        learner.model.load_state_dict(state["model"])
        learner.average.load_state_dict(state["average"])
        learner.optimizer.load_state_dict(state["optimizer"])
        stopping.best_epoch, stopping.best_loss = state["best_epoch"], state["best_loss"]
        return Progress(state["epoch"], state["seconds"])


def save_best(path: Path, model: nn.Module) -> None:
    """Write the weights of the best epoch so far."""
    _save(path, {"model": model.state_dict()})


def load_best(path: Path, model: nn.Module) -> None:
    """Give the model the weights of the best epoch."""
    with _reading(path) as state:
        model.load_state_dict(state["model"])


def _save(path: Path, state: dict[str, Any]) -> None:
    buffer = io.BytesIO()  # torch.save reports a full disk as RuntimeError; a plain write says what it is
    torch.save(state, buffer)
    atomic.write_bytes(path, buffer.getvalue())


@contextmanager
def _reading(path: Path) -> Iterator[dict[str, Any]]:
    """What a checkpoint holds; raises ArtefactError if it cannot be read, or used."""
    if not path.exists():
        raise UsageError(f"no checkpoint {path}; begin a new run: textclf train")
    try:
        yield torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # of seven kinds for damaged files alone, none of them documented
        raise ArtefactError(f"{path} is damaged or of another model; begin a new run: textclf train") from error
