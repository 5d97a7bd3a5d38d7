"""A run that a process is training: no other process trains it, and what other commands say of it."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

import textclf
from tests.conftest import invoke, small_config
from textclf import training
from textclf.artefacts import runs
from textclf.errors import ResourceError
from textclf.experiments.verify import outcome
from textclf.system import locks

WAIT = "it is being trained just now: wait until it has ended"


@pytest.fixture(scope="module")
def finished(data_dir, tmp_path_factory):
    return training.train(small_config("mlp", data_dir, tmp_path_factory.mktemp("runs"), epochs=2))


@pytest.fixture
def unfinished(finished):
    """A run that was stopped before its end, in runs/ of this folder."""
    run = runs.RunLayout(Path(shutil.copytree(finished.root, "runs/r")))
    run.metrics.unlink()
    run.checksums.unlink()
    shutil.rmtree(run.model)
    (run.last.parent / ".newest.pt.tmp").write_bytes(b"half of it")
    return run


def test_a_run_that_is_being_trained_is_not_resumed(unfinished):
    before = {path: path.read_bytes() for path in unfinished.root.rglob("*") if path.is_file()}
    with locks.holding(unfinished.root):
        result = invoke(CliRunner(), "train", "--resume", "runs/r")
        line = "another textclf is training runs/r just now; wait until it has ended"
        assert (result.exit_code, result.stderr) == (5, f"textclf: {line}\n")
        with pytest.raises(ResourceError, match=line):
            textclf.resume("runs/r")
    assert {path: path.read_bytes() for path in unfinished.root.rglob("*") if path.is_file()} == before


def test_it_is_resumed_once_it_is_free(unfinished, finished):
    textclf.resume("runs/r")
    assert outcome(unfinished) == outcome(finished)
    assert not locks.is_held(unfinished.root)


@pytest.mark.parametrize(
    ("command", "code", "begins"),
    [
        (["check", "runs/r"], 0, "unfinished; "),
        (["evaluate", "--run", "runs/r"], 2, "textclf: no model in runs/r/model (it has no config.json); "),
        (["predict", "--run", "runs/r", "rain"], 2, "textclf: no model in runs/r/model (it has no config.json); "),
        (["report", "--run", "runs/r"], 2, "textclf: runs/r has no metrics.json; "),
        (["info", "runs/r"], 2, "textclf: runs/r has no metrics.json; "),
        (["verify", "runs/r"], 2, "textclf: runs/r has not ended; "),
    ],
    ids=lambda command: command[0] if isinstance(command, list) else None,
)
def test_other_commands_say_that_it_is_being_trained(command, code, begins, unfinished):
    with locks.holding(unfinished.root):
        result = invoke(CliRunner(), *command)
        assert (result.exit_code, result.output.splitlines()[-1]) == (code, f"{begins}{WAIT}")
    result = invoke(CliRunner(), *command)
    assert (result.exit_code, result.output.splitlines()[-1]) == (
        code,
        f"{begins}finish it: textclf train --resume runs/r",
    )


def children(number):
    return [int(child) for child in Path(f"/proc/{number}/task/{number}/children").read_text().split()]


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="finds loader processes in /proc")
def test_the_lock_ends_with_its_process_though_loader_processes_live_on(data_dir):
    sizes = ["--hidden-size=8", "--batch-size=4", "--tier=full", "--device=cpu", "--epochs=30", "--patience=30"]
    process = subprocess.Popen(
        [sys.executable, "-m", "textclf", "train", "--data", data_dir, "--model=lstm", "--num-workers=2", *sizes],
        stderr=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        while process.poll() is None and not any(path.stat().st_size for path in Path("runs").glob("*/history.jsonl")):
            time.sleep(0.01)  # until an epoch has ended
        os.kill(process.pid, signal.SIGSTOP)
        loaders = children(process.pid)
        for number in loaders:
            os.kill(number, signal.SIGSTOP)  # so that they cannot end with it
        assert len(loaders) == 2
        (root,) = (path.parent for path in Path("runs").glob("*/history.jsonl"))
        assert invoke(CliRunner(), "train", "--resume", root).exit_code == 5
        process.kill()
        process.wait()
        assert not locks.is_held(root)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
