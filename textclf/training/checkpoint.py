"""Checkpoints: ``last.pt`` to resume a run from, ``best.pt`` with the weights of the best epoch.

They hold tensors, numbers and text only, and are read with ``weights_only=True``, which unpickles nothing else.
"""

import json
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from pathlib import Path
from time import perf_counter
from typing import Any, Final, NamedTuple

import torch
from torch import nn

from textclf.artefacts.runs import RunLayout
from textclf.config import changes
from textclf.errors import ArtefactError, UsageError
from textclf.system import failures, files
from textclf.training import device
from textclf.training.learner import Learner
from textclf.training.loop import Batches, EarlyStopping, Epoch, MidEpoch
from textclf.training.meters import Meter


class Pace(NamedTuple):
    """How often a checkpoint is written, whichever of the two is rarer."""

    seconds: float = 20.0
    """Between two checkpoints: writing one takes as long as an epoch of a small corpus."""
    share: float = 0.05
    """Largest share of the time that is spent on writing: checkpoints of a large model are rarer."""


PACE: Final = Pace()


class Progress(NamedTuple):
    """How far a run has come."""

    epoch: int
    """Number of the last finished epoch; 0 before the first."""
    seconds: float
    """Spent training so far."""
    mid_epoch: MidEpoch | None = None
    """State of the next epoch, if it has begun."""


class Checkpointer:
    """Writes the weights of each epoch that is the best so far and, every few seconds, all that a resume needs.

    The best weights are kept on disk only: in memory they would take as much room as the model. They are written to a
    file of their own and renamed to best.pt when they are needed: no epoch waits for the disk, and best.pt is whole at
    any moment.

    As a context manager it keeps the best weights however training ends.

    A stopped run continues from its last checkpoint, or from the beginning if it has none; either way it ends in the
    same weights. One file holds all that it continues from, the history included.
    """

    def __init__(
        self,
        run: RunLayout,
        learner: Learner,
        stopping: EarlyStopping,
        *,
        settings: Mapping[str, Any],
        pace: Pace = PACE,
    ) -> None:
        self.run = run
        self.learner = learner
        self.stopping = stopping
        self.settings = settings
        self.processor = learner.device
        self.pace = pace
        self.progress = Progress(epoch=0, seconds=0.0)
        self._newest = run.best.with_name(".newest.pt.tmp")  # if present, better than best.pt
        self._saved = self._started = perf_counter()
        self._writing_took = 0.0

    def resume(self) -> Progress:
        """Return to the last checkpoint, if there is one; raises ArtefactError if it is damaged."""
        history = ""
        if self.run.last.exists():
            self.progress, history = load_last(self.run.last, self.learner, self.stopping, settings=self.settings)
            if self.stopping.best_epoch:
                self.best()  # report damage now, not after hours of training
        files.write_text(self.run.history, history)
        self._started = perf_counter() - self.progress.seconds
        return self.progress

    def __enter__(self) -> "Checkpointer":
        return self

    def __exit__(self, *_: object) -> None:
        self.keep_best()

    def epoch(self, epoch: Epoch) -> None:
        """Add an epoch that has just ended to the history, and keep its weights if they are the best."""
        with self.run.history.open("a", encoding="utf-8") as file:
            file.write(json.dumps(_record(epoch)) + "\n")
        self.progress = Progress(epoch.number, perf_counter() - self._started)
        if epoch.is_best:
            save_best(self._newest, self.learner.average.module, durable=False)
        if self._is_due():
            self.save(self.progress)

    def watch(self, batches: Batches, meter: Meter) -> Iterator[Any]:
        """Pass training batches through, and write a checkpoint between two steps when it is due."""
        for batch in batches:
            if self._is_due():
                self.save_mid_epoch(meter)
            yield batch

    def save_mid_epoch(self, meter: Meter) -> None:
        """Write a checkpoint in the middle of an epoch."""
        mid_epoch = MidEpoch(meter.state_dict(), device.random_state(self.processor))
        self.save(self.progress._replace(seconds=perf_counter() - self._started, mid_epoch=mid_epoch))

    def save(self, progress: Progress) -> None:
        """Write a checkpoint, unless a weight is not finite: the next step will report that."""
        started = perf_counter()
        if not all(parameter.detach().sum().isfinite() for parameter in self.learner.model.parameters()):
            return
        self.keep_best()  # first, because last.pt refers to it
        history = self.run.history.read_text(encoding="utf-8")
        save_last(self.run.last, self.learner, self.stopping, progress, history=history, settings=self.settings)
        self._saved = perf_counter()
        self._writing_took = self._saved - started

    def best(self) -> nn.Module:
        """A model with the weights of best.pt; on a CPU they are memory-mapped."""
        module = self.learner.average.module
        shapes = {id(weight): nn.Parameter(weight.to("meta")) for weight in module.parameters()}
        model: nn.Module = deepcopy(module, shapes)  # which copies no weights
        load_best(self.run.best, model, assign=True)
        return model.to(self.processor)

    def keep_best(self) -> None:
        """Rename the best weights to best.pt, once the disk and not only the kernel's memory has them."""
        if self._newest.exists():
            with failures.naming(self.run.best):
                files.sync(self._newest)
                self._newest.replace(self.run.best)

    def _is_due(self) -> bool:
        passed = perf_counter() - self._saved
        return passed >= self.pace.seconds and passed * self.pace.share >= self._writing_took


def save_last(
    path: Path,
    learner: Learner,
    stopping: EarlyStopping,
    progress: Progress,
    *,
    history: str = "",
    settings: Mapping[str, Any] | None = None,
) -> None:
    """Write all that a resume needs."""
    state = {
        "model": learner.model.state_dict(),
        "average": learner.average.state_dict(),
        "optimizer": learner.optimizer.state_dict(),
        "best_epoch": stopping.best_epoch,
        "best_loss": stopping.best_loss,
        "epoch": progress.epoch,
        "seconds": progress.seconds,
        "mid_epoch": progress.mid_epoch and progress.mid_epoch._asdict(),
        "history": history,
        "settings": dict(settings or {}),
    }
    _save(path, state)


def load_last(
    path: Path, learner: Learner, stopping: EarlyStopping, *, settings: Mapping[str, Any] | None = None
) -> tuple[Progress, str]:
    """Restore the learner and early stopping; returns the progress and the history until then.

    Raises UsageError if there is no such file or its settings differ, ArtefactError if it is damaged or of another
    model.
    """
    with _reading(path) as state:
        _refuse_other_settings(path, state["settings"], settings or {})
        learner.model.load_state_dict(state["model"])
        learner.average.load_state_dict(state["average"])
        learner.optimizer.load_state_dict(state["optimizer"])
        stopping.best_epoch, stopping.best_loss = state["best_epoch"], state["best_loss"]
        mid_epoch = MidEpoch(**state["mid_epoch"]) if state["mid_epoch"] else None
        return Progress(state["epoch"], state["seconds"], mid_epoch), str(state["history"])


def save_best(path: Path, model: nn.Module, *, durable: bool = True) -> None:
    """Write the weights of the best epoch so far; if not durable, a power cut may lose them."""
    _save(path, {"model": model.state_dict()}, durable=durable)


def load_best(path: Path, model: nn.Module, *, assign: bool = False) -> None:
    """Load the weights of the best epoch; with ``assign`` they stay in the file, memory-mapped."""
    with _reading(path) as state:
        model.load_state_dict(state["model"], assign=assign)


def read_best(path: Path) -> dict[str, torch.Tensor]:
    """The weights of the best epoch by name, which stay in the file, memory-mapped."""
    with _reading(path) as state:
        return dict(state["model"])


def _refuse_other_settings(path: Path, before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Raise UsageError, listing the differences, if the settings are not those that the run started with."""
    if changed := changes(before, now):
        raise UsageError(
            f"{path} was written with other settings ({', '.join(changed)}); start a new run: textclf train"
        )


def _save(path: Path, state: Mapping[str, Any], *, durable: bool = True) -> None:
    """Write tensor by tensor: a copy of the whole checkpoint in memory would be as large as what trains."""
    with files.replacing(path, durable=durable, needed=_size(state)) as file:
        try:
            torch.save(state, file)
        except RuntimeError as error:  # after any error torch closes its archive, which fails as well
            raise error.__context__ if isinstance(error.__context__, OSError) else error  # noqa: B904


def _size(value: Any) -> int:
    """Bytes of the tensors in a checkpoint, which are nearly all of it."""
    if isinstance(value, torch.Tensor):
        return value.nbytes
    inner = value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ()
    return sum(map(_size, inner))


@contextmanager
def _reading(path: Path) -> Iterator[dict[str, Any]]:
    """The content of a checkpoint; raises ArtefactError if it cannot be read or used."""
    if not path.exists():
        raise UsageError(f"no checkpoint {path}; start a new run: textclf train")
    try:
        files.refuse_other_kind(path)
        with zipfile.ZipFile(path) as archive:
            # Torch checks neither: it would decompress without a limit, and ignores the checksums.
            if any(member.compress_type for member in archive.infolist()) or archive.testzip():
                raise ArtefactError(f"{path} is damaged")
        yield torch.load(path, map_location="cpu", mmap=True, weights_only=True)
    except UsageError:
        raise
    except Exception as error:  # damaged files alone raise seven types, none of them documented
        raise failures.refused(error, path) or ArtefactError(
            f"{path} is damaged, or of another model or version; start a new run: textclf train"
        ) from error


def _record(epoch: Epoch) -> dict[str, Any]:
    """A line of history.jsonl."""
    return {**epoch._asdict(), "train": epoch.train._asdict(), "validation": epoch.validation._asdict()}
