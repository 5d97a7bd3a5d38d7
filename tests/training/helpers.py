"""What the tests of whole runs share: their settings, a display that can stop them, and how to compare them."""

import json
import time
from copy import deepcopy
from functools import partial
from math import inf

import numpy as np
import torch
from safetensors.numpy import load_file
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from textclf import training
from textclf.artefacts import runs
from textclf.training.batches import BatchSeconds
from textclf.training.checkpoint import Pace
from textclf.training.display import Display

train, resume = (partial(function, pace=Pace(0.0, inf)) for function in (training.train, training.resume))
"""Write a checkpoint after every step."""

ONLY_IN_A_FINISHED_RUN = {
    "checksums.json",
    "metrics.json",
    "model/README.md",
    "model/config.json",
    "model/labels.json",
    "model/model.safetensors",
    "model/tokenizer.json",
}


class Stopped(Exception):  # noqa: N818
    """A test stopped training."""


class Shown(Display):
    """Records what a run shows, and raises Stopped where a test wants it to."""

    def __init__(self, *, stop_after_epoch=None, stop_in_epoch=None, stop_in_refit=None, after_steps=0):
        self.stop_after_epoch, self.stop_in_epoch, self.after_steps = stop_after_epoch, stop_in_epoch, after_steps
        self.stop_in_refit = stop_in_refit
        self.epochs = []
        self.steps = 0
        self.companions = []
        self.refit = None
        self.ended = None

    def begin(self, run, setup, learner, *, first_epoch):
        self.run, self.setup, self.learner, self.first_epoch = run, setup, learner, first_epoch
        self.number = first_epoch - 1
        self.files = files(run.root)
        self.record = read(run.config)

    def watch(self, batches, meter):
        self.number += 1
        for step, batch in enumerate(batches):
            if self.number == (self.stop_in_refit if self.refit else self.stop_in_epoch) and step == self.after_steps:
                raise Stopped
            self.steps += not self.companions
            yield batch

    def epoch(self, epoch):
        self.epochs.append(epoch)
        if epoch.number == self.stop_after_epoch:
            raise Stopped

    def begin_refit(self, *, documents, epochs):
        self.refit = {"documents": documents, "epochs": epochs}

    def begin_companion(self, title, *, documents, epochs):
        self.companions.append(title)

    def end(self, metrics):
        self.ended = metrics


def weights(layout):
    return load_file(layout.model / "model.safetensors")


def same(one, other):
    """Whether two runs ended with the same bits."""
    ours, theirs = weights(one), weights(other)
    return ours.keys() == theirs.keys() and all(np.array_equal(ours[name], theirs[name]) for name in ours)


class Kept(Shown):
    """Keeps the learner as it was after the last epoch before a refit."""

    def epoch(self, epoch):
        super().epoch(epoch)
        self.copy = deepcopy(self.learner)


def read(path):
    return json.loads(path.read_text(encoding="utf-8"))


def without_seconds(value):
    """The record without what a clock measured."""
    if not isinstance(value, dict):
        return value
    return {name: without_seconds(inner) for name, inner in value.items() if name not in {"seconds", "profile"}}


def history(layout):
    return [json.loads(line) for line in layout.history.read_text(encoding="utf-8").splitlines()]


def files(folder):
    names = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    return {"events" if name.startswith("events.out.tfevents.") else name for name in names}


def only_run(folder):
    """The one run in a folder of runs."""
    (root,) = (path for path in folder.iterdir() if path.is_dir())
    return runs.RunLayout(root)


def finite(path):
    state = torch.load(path, weights_only=True)
    return all(weight.isfinite().all() for part in ("model", "average") for weight in state.get(part, {}).values())


class SlowBatches:
    """Mixed into a list of batches: they take time to arrive, a quarter of it to collate."""

    made = 0

    def __iter__(self):
        for batch in super().__iter__():
            time.sleep(0.02)
            self.made += 1
            yield batch

    def seconds(self):
        return BatchSeconds(making=0.02 * self.made, collating=0.005 * self.made)


def read_events(folder):
    events = EventAccumulator(str(folder))
    events.Reload()
    return events
