"""Training: setup -> fit -> finish. `train` starts a run and `resume` continues one; only then is torch imported."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from textclf.artefacts import runs
from textclf.config import TrainConfig
from textclf.system import locks, requirements, startup
from textclf.training.display import Display
from textclf.training.setup import set_up, set_up_while_torch_loads, started_with
from textclf.training.source_run import adopted as adopted

if TYPE_CHECKING:
    from textclf.training.checkpoint import Pace

startup.let_torch_threads_sleep()  # here, because this package is imported before any module of it imports torch


def train(config: TrainConfig, *, display: Display | None = None, pace: "Pace | None" = None) -> runs.RunLayout:
    """Train a model in a new run directory; threads of one process train in turns, as torch has one random state.

    Raises UsageError, DataError or ArtefactError if the data or the device cannot be used, and what `resume` raises.
    """
    requirements.need("training", requirements.TRAINING, install=requirements.ALL)
    with locks.one_thread("training"):
        setup = set_up_while_torch_loads(config)
        from textclf.training import run

        return run.train(setup, display=display, pace=pace)


def resume(
    layout: runs.RunLayout,
    *,
    display: Display | None = None,
    pace: "Pace | None" = None,
    code: Sequence[Path] = (),
) -> runs.RunLayout:
    """Train a run to its end from its last checkpoint, to the same bits as if it had never been stopped.

    A user's class comes from one of the files ``code``. Raises UsageError if data or code have changed, ArtefactError
    if a file of the run is damaged, DivergedError if the loss is not a number, ResourceError if disk, memory or loader
    processes give out or another process is training the run, InterruptedRunError or TerminatedRunError on a signal.
    """
    requirements.need("training", requirements.TRAINING, install=requirements.ALL)
    runs.refuse_links(layout)
    with locks.one_thread("training"), runs.training(layout):
        return _resume(layout, display=display, pace=pace, code=code)


def _resume(
    layout: runs.RunLayout, *, display: Display | None, pace: "Pace | None", code: Sequence[Path]
) -> runs.RunLayout:
    config, data = started_with(layout, code=code)
    runs.clear_temporaries(layout)
    if runs.complete(layout):
        return layout
    setup = set_up(config, data)
    from textclf.training import run

    return run.resume(setup, layout, display=display, pace=pace)
