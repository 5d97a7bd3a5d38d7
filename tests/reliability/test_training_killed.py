"""Training that is killed at any moment goes on, and ends in the same bits as if it had not been."""

import multiprocessing
import random
import shutil
import time
from math import inf

import pytest

from tests.conftest import small_config
from textclf.artefacts import runs
from textclf.experiments.verify import outcome

FRESH = multiprocessing.get_context("forkserver")
"""Starts processes as new ones, from one that has loaded torch and done nothing with it."""
FRESH.set_forkserver_preload(["textclf.training.run"])

TIMES = pytest.mark.parametrize("times", [2, pytest.param(50, marks=pytest.mark.long)])


def train(settings, again=None):
    """Train, or go on with a run; a checkpoint is written every few steps."""
    import torch

    from textclf import training
    from textclf.models.bag_mlp import network
    from textclf.training.checkpoint import Pace

    torch.set_num_threads(1)
    network.HEAD_START = 0.25  # or the mlp would know this corpus before the first epoch
    pace = Pace(seconds=0.03, share=inf)
    if again is None:
        training.train(settings, pace=pace)
    else:
        training.resume(again, pace=pace)


def run_for(seconds, *task):
    """Run a task in a new process, and kill it when the time is over; returns whether it had to be killed."""
    process = FRESH.Process(target=train, args=task)
    process.start()
    process.join(seconds)
    was_killed = process.is_alive()
    process.kill()
    process.join()
    assert was_killed or process.exitcode == 0
    return was_killed


def begun(folder):
    """The run in a folder of runs, if it got so far."""
    found = [path for path in folder.glob("*-*") if (path / "config.json").exists()]
    return runs.RunLayout(found[0]) if found else None


@pytest.fixture(scope="module", params=["mlp", "lstm"])
def straight(request, data_dir, tmp_path_factory):
    """The settings of a run, how it ends, and the seconds to its metrics and to its end, of the fastest of three."""
    folder = tmp_path_factory.mktemp("straight")
    given = {"epochs": 6, "patience": 6, "refit": request.param == "mlp"}
    settings = small_config(request.param, data_dir, folder, **given)
    run_for(None, settings)  # the first one waits for the imports
    took = []
    for _ in range(3):
        shutil.rmtree(folder)
        started = time.time()
        run_for(None, settings)
        took.append((begun(folder).metrics.stat().st_mtime - started, time.time() - started))
    return request.param, given, outcome(begun(folder)), min(took)


@pytest.mark.slow
@TIMES
def test_a_run_that_is_killed_at_any_moment_goes_on_to_the_same_bits(times, straight, data_dir, tmp_path):
    model, given, expected, (to_metrics, to_end) = straight
    rng = random.Random(times)
    went_on = 0
    for number in range(times):
        folder = tmp_path / str(number)
        settings = small_config(model, data_dir, folder, **given)
        latest = to_end if number % 2 else to_metrics  # half of them while there is something to go on with
        run_for(rng.uniform(0, latest), settings)
        for _ in range(rng.choice([0, 0, 1, 2])):  # it may be killed again
            if run := begun(folder):
                run_for(rng.uniform(0, latest), settings, run)
        run = begun(folder)
        went_on += run is not None and run.last.exists() and not run.metrics.exists()
        run_for(None, settings, *([run] if run else []))
        run = begun(folder)
        assert outcome(run) == expected
        assert not list(run.root.rglob(".*.tmp"))  # one killed before its config.json was there has not begun
        shutil.rmtree(folder)
    assert times < 50 or went_on >= times // 4  # from a checkpoint, not from the beginning
