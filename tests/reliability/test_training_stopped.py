"""Training that is told to stop, at any moment: its exit code, what it says, what it leaves, and how it goes on."""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from textclf import training
from textclf.artefacts import runs
from textclf.experiments.verify import outcome

CODES = {signal.SIGINT: 130, signal.SIGTERM: 143}
EARLIEST = 0.4  # seconds that Python and click take to start


def start(data_dir, model, workers):
    sizes = ["--hidden-size=8", "--batch-size=8", "--tier=full", "--device=cpu", "--epochs=15", "--patience=15"]
    what = ["--data", data_dir, "--model", model, f"--num-workers={workers}"]
    return subprocess.Popen(
        [sys.executable, "-m", "textclf", "train", *what, *sizes],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,  # a process group of its own, as a terminal gives it
    )


def begun():
    """The run in this folder, if it got so far."""
    found = [path for path in Path("runs").glob("*-*") if (path / "config.json").exists()]
    return runs.RunLayout(found[0]) if found else None


def group_is_alive(process):
    try:
        os.killpg(process.pid, 0)
    except ProcessLookupError:
        return False
    return True


def is_progress(line):
    return not line.startswith("textclf:") and "Traceback" not in line


@pytest.mark.slow
@pytest.mark.parametrize("times", [1, pytest.param(20, marks=pytest.mark.long)])
@pytest.mark.parametrize(("model", "workers"), [("mlp", 0), pytest.param("lstm", 2, marks=pytest.mark.long)])
def test_a_signal_at_any_moment_ends_it_in_order_and_it_goes_on_to_the_same_bits(model, workers, times, data_dir):
    started = time.time()
    straight = start(data_dir, model, workers)
    assert straight.communicate(timeout=120)[1]
    seconds = time.time() - started
    fitted = begun().history.stat().st_mtime - started  # seconds to the end of the last epoch
    expected = outcome(begun())
    shutil.rmtree("runs")
    rng = random.Random(model)
    stopped = 0
    for number in range(times):
        sent, send = rng.choice([signal.SIGINT, signal.SIGTERM]), rng.choice([os.kill, os.killpg])
        process = start(data_dir, model, workers)
        time.sleep(rng.uniform(EARLIEST, seconds if number % 2 else 0.9 * fitted))  # half of them in time
        if process.poll() is None:
            send(process.pid, sent)
        stdout, stderr = process.communicate(timeout=60)
        if stdout:  # it had ended, or was past the last step
            assert process.returncode == 0, stderr
        else:
            stopped += 1
            told = [line for line in stderr.splitlines() if not is_progress(line)]
            assert process.returncode == CODES[sent], stderr
            assert len(told) == 1, stderr
            assert told[0].startswith("textclf: stopped")
        deadline = time.monotonic() + 30
        while group_is_alive(process):
            assert time.monotonic() < deadline, "a process is left"
            time.sleep(0.05)
        if layout := begun():
            assert outcome(training.resume(layout)) == expected
            assert not list(layout.root.rglob(".*.tmp"))
        shutil.rmtree("runs", ignore_errors=True)
    assert stopped >= times / 2


@pytest.mark.slow
@pytest.mark.parametrize("sent", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.long)])
def test_a_second_signal_ends_it_at_once(sent, data_dir):
    process = start(data_dir, "mlp", 0)
    for line in process.stderr:
        if line.split()[:1] == ["1"]:
            break
    process.send_signal(signal.SIGSTOP)  # so that both are there before it can do anything
    process.send_signal(sent)
    process.send_signal(signal.SIGTERM if sent == signal.SIGINT else signal.SIGINT)
    process.send_signal(signal.SIGCONT)
    process.communicate(timeout=30)
    assert process.returncode != 0
    assert outcome(training.resume(begun()))
