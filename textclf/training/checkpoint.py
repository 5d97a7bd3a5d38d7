"""Checkpoints: ``last.pt`` to go on from, ``best.pt`` with the weights of the best epoch.

Tensors, numbers and text only, read with ``weights_only=True``, which unpickles nothing but these.
"""

import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from pathlib import Path
from time import perf_counter
from typing import Any, Final, NamedTuple

import torch
from torch import nn

from textclf.artefacts.runs import Layout
from textclf.config import changes
from textclf.errors import ArtefactError, UsageError
from textclf.system import files
from textclf.training import device
from textclf.training.loop import Batches, EarlyStopping, Halfway, Learner, Meter

EVERY: Final = 20.0
"""Seconds of training from one checkpoint to the next: writing one takes as long as an epoch of a small corpus."""

SHARE: Final = 0.05
"""Most of the time that is spent on writing checkpoints; of a large model they come less often."""


class Progress(NamedTuple):
    """How far a run has come."""

    epoch: int
    """Number of the last finished epoch; 0 before the first."""
    seconds: float
    """Spent training until then."""
    halfway: Halfway | None = None
    """Of the next epoch, if it was begun."""


class Keeper:
    """Writes the weights of each epoch that is the best so far, and now and then all that it takes to go on.

    The best weights are on disk alone: in memory they would take as much as the model. They are written beside best.pt,
    and take its place when they are needed: an epoch need not wait for the disk, and best.pt is whole at any moment.

    A run that is stopped goes on from the last checkpoint, or from the beginning if it was stopped before there was
    one; either way it ends in the same weights. All that it goes on from is in one file: the history is in it, too.
    """

    def __init__(
        self,
        run: Layout,
        learner: Learner,
        stopping: EarlyStopping,
        *,
        settings: Mapping[str, Any],
        processor: torch.device,
    ) -> None:
        self.run = run
        self.learner = learner
        self.stopping = stopping
        self.settings = settings
        self.processor = processor
        self.progress = Progress(epoch=0, seconds=0.0)
        self._newest = run.best.with_name(".newest.pt.tmp")  # better weights than those of best.pt, if it is there
        self._saved = self._begun = perf_counter()
        self._took = 0.0

    def resume(self) -> Progress:
        """Go back to the last checkpoint, if there is one; raises ArtefactError if it is damaged."""
        history = ""
        if self.run.last.exists():
            self.progress, history = load_last(self.run.last, self.learner, self.stopping, settings=self.settings)
            if self.stopping.best_epoch:
                self.best()  # now, not after hours of training, tell that it is damaged
        files.write_text(self.run.history, history)
        self._begun = perf_counter() - self.progress.seconds
        return self.progress

    def epoch(self, progress: Progress) -> None:
        """An epoch has ended."""
        self.progress = progress
        if self.stopping.best_epoch == progress.epoch:
            save_best(self._newest, self.learner.average.module, durable=False)
        if self._is_due():
            self.save(progress)

    def watch(self, batches: Batches, meter: Meter) -> Iterator[Any]:
        """Pass training batches through, and save between two steps when it is time."""
        for batch in batches:
            if self._is_due():
                self.save_halfway(meter)
            yield batch

    def save_halfway(self, meter: Meter) -> None:
        """Write all it takes to go on in the middle of an epoch."""
        halfway = Halfway(meter.state_dict(), device.random_state(self.processor))
        self.save(self.progress._replace(seconds=perf_counter() - self._begun, halfway=halfway))

    def save(self, progress: Progress) -> None:
        """Write all it takes to go on, unless the weights are no numbers any more: the next step will find that out."""
        begun = perf_counter()
        if not all(parameter.detach().sum().isfinite() for parameter in self.learner.model.parameters()):
            return
        self.keep_best()  # first: what last.pt counts as best must be there
        history = self.run.history.read_text(encoding="utf-8")
        save_last(self.run.last, self.learner, self.stopping, progress, history=history, settings=self.settings)
        self._saved = perf_counter()
        self._took = self._saved - begun

    def best(self) -> nn.Module:
        """A model with the weights of the best epoch that best.pt knows of; on a CPU they stay there, mapped."""
        module = self.learner.average.module
        shapes = {id(weight): nn.Parameter(weight.to("meta")) for weight in module.parameters()}
        model: nn.Module = deepcopy(module, shapes)  # which copies no weights
        load_best(self.run.best, model, assign=True)
        return model.to(self.processor)

    def keep_best(self) -> None:
        """Put the best weights into best.pt, when they are on the disk and not only in the kernel's memory."""
        if self._newest.exists():
            with files.naming_full_disk(self.run.best):
                files.sync(self._newest)
                self._newest.replace(self.run.best)

    def _is_due(self) -> bool:
        passed = perf_counter() - self._saved
        return passed >= EVERY and passed * SHARE >= self._took


def save_last(
    path: Path,
    learner: Learner,
    stopping: EarlyStopping,
    progress: Progress,
    *,
    history: str = "",
    settings: Mapping[str, Any] | None = None,
) -> None:
    """Write all that is needed to go on from there."""
    state = {
        "model": learner.model.state_dict(),
        "average": learner.average.state_dict(),
        "optimizer": learner.optimizer.state_dict(),
        "best_epoch": stopping.best_epoch,
        "best_loss": stopping.best_loss,
        "epoch": progress.epoch,
        "seconds": progress.seconds,
        "halfway": progress.halfway and progress.halfway._asdict(),
        "history": history,
        "settings": dict(settings or {}),
    }
    _save(path, state)


def load_last(
    path: Path, learner: Learner, stopping: EarlyStopping, *, settings: Mapping[str, Any] | None = None
) -> tuple[Progress, str]:
    """Put the learner and early stopping where they were; returns how far that is, and the history until then.

    Raises UsageError if there is no such file or it is of other settings, ArtefactError if it is damaged or of another
    model.
    """
    with _reading(path) as state:
        _refuse_other_settings(path, state["settings"], settings or {})
        learner.model.load_state_dict(state["model"])
        learner.average.load_state_dict(state["average"])
        learner.optimizer.load_state_dict(state["optimizer"])
        stopping.best_epoch, stopping.best_loss = state["best_epoch"], state["best_loss"]
        halfway = Halfway(**state["halfway"]) if state["halfway"] else None
        return Progress(state["epoch"], state["seconds"], halfway), str(state["history"])


def save_best(path: Path, model: nn.Module, *, durable: bool = True) -> None:
    """Write the weights of the best epoch so far; not durable: a power cut may take them."""
    _save(path, {"model": model.state_dict()}, durable=durable)


def load_best(path: Path, model: nn.Module, *, assign: bool = False) -> None:
    """Give the model the weights of the best epoch; those of the file itself, if they are to be assigned."""
    with _reading(path) as state:
        model.load_state_dict(state["model"], assign=assign)


def _refuse_other_settings(path: Path, before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Raise UsageError, listing what differs, if a run would go on with other settings than it began with."""
    if changed := changes(before, now):
        raise UsageError(
            f"{path} was written with other settings ({', '.join(changed)}); begin a new run: textclf train"
        )


def _save(path: Path, state: Mapping[str, Any], *, durable: bool = True) -> None:
    """Write it piece by piece: a copy of all of it in memory would be as large as what trains."""
    with files.replacing(path, durable=durable, needed=_size(state)) as temporary, temporary.open("wb") as file:
        try:
            torch.save(state, file)
        except RuntimeError as error:  # torch closes its archive whatever happened, and that fails, too
            raise error.__context__ if isinstance(error.__context__, OSError) else error  # noqa: B904


def _size(value: Any) -> int:
    """Bytes of the tensors in a checkpoint, which are nearly all of it."""
    if isinstance(value, torch.Tensor):
        return value.nbytes
    inner = value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ()
    return sum(map(_size, inner))


@contextmanager
def _reading(path: Path) -> Iterator[dict[str, Any]]:
    """What a checkpoint holds; raises ArtefactError if it cannot be read, or used."""
    if not path.exists():
        raise UsageError(f"no checkpoint {path}; begin a new run: textclf train")
    try:
        with zipfile.ZipFile(path) as archive:
            # What torch does not look at: it would inflate without a bound, and knows no checksum.
            if any(member.compress_type for member in archive.infolist()) or archive.testzip():
                raise ArtefactError(f"{path} is damaged")
        yield torch.load(path, map_location="cpu", mmap=True, weights_only=True)
    except UsageError:
        raise
    except Exception as error:  # of seven kinds for damaged files alone, none of them documented
        raise ArtefactError(f"{path} is damaged or of another model; begin a new run: textclf train") from error
