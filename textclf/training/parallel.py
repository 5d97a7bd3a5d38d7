"""A run of several processes that torchrun has started: the first trains it, the others take the same steps."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from textclf.artefacts import runs
from textclf.config import TrainConfig
from textclf.training import run as training
from textclf.training.checkpoint import Pace
from textclf.training.display import Display
from textclf.training.distributed import Distributed
from textclf.training.setup import Setup, set_up, started_with


def train(
    config: TrainConfig, ranks: Distributed, *, display: Display, pace: Pace | None = None
) -> runs.RunLayout | None:
    """Train in a new run directory, or in that of these processes before torchrun started them again.

    Returns the run in the process that trained it. Raises UsageError if the processes have other settings, data or
    versions, LostRankError if one has ended, and what `textclf.training.train` raises.
    """
    setup = _prepared(set_up(config), ranks, display)
    if ranks.rank > 0:
        return training.follow(setup, ranks)
    before = ranks.run_before()
    if before is not None:
        return _go_on(setup, runs.RunLayout(before), ranks, display, pace)
    layout = training.train(setup, display=display, pace=pace)
    ranks.wait()
    return layout


def resume(
    layout: runs.RunLayout,
    ranks: Distributed,
    *,
    display: Display,
    pace: Pace | None = None,
    code: Sequence[Path] = (),
) -> runs.RunLayout | None:
    """Train a stopped run to its end; every process reads its settings. Returns and raises what `train` does."""
    runs.refuse_links(layout)
    config, data = started_with(layout, code=code)
    setup = _prepared(set_up(config, data), ranks, display)
    if ranks.rank > 0:
        return training.follow(setup, ranks)
    return _go_on(setup, layout, ranks, display, pace)


def _go_on(
    setup: Setup, layout: runs.RunLayout, ranks: Distributed, display: Display, pace: Pace | None
) -> runs.RunLayout:
    with runs.training(layout):
        runs.clear_temporaries(layout)
        if runs.complete(layout):
            ranks.end()
            return layout
        training.resume(setup, layout, display=display, pace=pace)
    ranks.wait()
    return layout


def _prepared(setup: Setup, ranks: Distributed, display: Display) -> Setup:
    """The setup of ranks that agree about everything that shapes their steps."""
    processor = ranks.pick(setup.config.device)
    ranks.refuse_differences(_shaping(setup, processor))
    display.note(ranks.describe(processor))
    return replace(setup, ranks=ranks)


def _shaping(setup: Setup, processor: torch.device) -> dict[str, Any]:
    """What all ranks must have in common, or they would not keep the same weights."""
    cuda = processor.type == "cuda"
    return {
        "the data's fingerprint": setup.data.manifest.fingerprint,
        **setup.config.shaping_steps(),
        **setup.network_record(),
        **training.versions(),
        "device": processor.type,
        "processor": torch.cuda.get_device_name(processor) if cuda else torch.backends.cpu.get_cpu_capability(),
        "number of threads": torch.get_num_threads(),
    }
