"""A process that textclf started, killed at any moment: exit code 5, one line, no process left, and the run goes on."""

import contextlib
import multiprocessing
import os
import random
import re
import shutil
import signal
import sys
import time
from pathlib import Path

import pytest

from textclf import training
from textclf.artefacts import runs
from textclf.experiments.verify import outcome

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform != "linux", reason="finds processes in /proc")]

FRESH = multiprocessing.get_context("forkserver")
"""Starts processes as new ones, from one that has loaded torch and done nothing with it."""
FRESH.set_forkserver_preload(["textclf.training.run", "textclf.cli.train", "matplotlib.backends.backend_agg"])

TIMES = pytest.mark.parametrize("times", [5, pytest.param(50, marks=pytest.mark.long)])
SIZES = ["--hidden-size=8", "--batch-size=8", "--tier=full", "--device=cpu", "--epochs=3", "--patience=3", "--no-test"]


def textclf(*arguments):
    """Run a command in a session of its own, with its output in the files stdout and stderr."""
    import torch

    from textclf.cli import main

    multiprocessing.set_start_method("fork", force=True)  # as in a program of its own
    os.setsid()
    for number, name in enumerate(("stdout", "stderr"), start=1):
        os.dup2(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
    torch.set_num_threads(1)
    main(list(map(str, arguments)))


class Command:
    """A command that runs."""

    def __init__(self, *arguments):
        self._process = FRESH.Process(target=textclf, args=arguments)
        self._process.start()

    def children(self):
        """Its processes that have not ended."""
        with contextlib.suppress(FileNotFoundError):
            return [
                int(child)
                for child in Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text().split()
            ]
        return []

    def has_ended(self):
        return not self._process.is_alive()

    def wait_for_children(self, count):
        while not self.has_ended() and len(self.children()) < count:
            time.sleep(0.002)

    def end(self):
        """Wait for its end; returns its exit code and stderr. No process of its session may be left."""
        self._process.join(60)
        assert not self._process.is_alive(), "it hangs"
        deadline = time.monotonic() + 6
        while any(session == self._process.pid for session in sessions()):
            assert time.monotonic() < deadline, "a process is left"
            time.sleep(0.02)
        return self._process.exitcode, Path("stderr").read_text()


def sessions():
    """The session of each process that has not ended."""
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            fields = path.read_text().rpartition(")")[2].split()
            if fields[0] not in "ZX":
                yield int(fields[3])


def kill_one(command, draw):
    """Kill one of the processes that a command has started; returns whether there was one."""
    children = command.children()
    if children:
        os.kill(draw.choice(children), signal.SIGKILL)
    return bool(children)


def only_line(errors):
    """What is said on the one line of an error."""
    assert "Traceback" not in errors, errors
    (line,) = (line for line in errors.splitlines() if line.startswith("textclf: "))
    assert errors.endswith(f"{line}\n")
    return line


def begun():
    """The run in this folder, if it got so far."""
    found = [path.parent for path in Path("runs").glob("*/config.json")]
    return runs.RunLayout(found[0]) if found else None


@pytest.fixture(scope="module", params=["mlp", pytest.param("lstm", marks=pytest.mark.long)])
def straight(request, data_dir, tmp_path_factory):
    """The arguments of a run, how it ends, and the seconds for which it has loader processes."""
    arguments = ["train", "--data", data_dir, "--model", request.param, "--num-workers", "2", *SIZES]
    arguments += ["--refit", "--store", "files"] if request.param == "mlp" else []
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("straight"))
        for _ in range(2):  # the first one waits for the imports
            shutil.rmtree("runs", ignore_errors=True)
            command = Command(*arguments)
            command.wait_for_children(2)
            started = time.monotonic()
            while not command.has_ended() and len(command.children()):
                time.sleep(0.002)
            seconds = time.monotonic() - started
            code, errors = command.end()
            assert code == 0, errors
        return arguments, outcome(begun()), seconds


@TIMES
def test_a_loader_process_killed_at_any_moment_ends_training_in_order(times, straight):
    arguments, expected, seconds = straight
    draw = random.Random(times)
    killed = ended = 0
    while killed < times and ended < 2 * times:
        command = Command(*arguments)
        command.wait_for_children(2)
        time.sleep(draw.uniform(0, seconds))
        kill_one(command, draw)
        code, errors = command.end()
        run, ended = begun(), ended + 1
        if code != 0:
            killed += 1
            assert code == 5, errors
            line = only_line(errors)
            what = r"textclf: a loader process died, hung or failed before it had made (train|validation)-.* "
            why = r"\(process \d+ was killed by SIGKILL\); try --num-workers 0"
            advice = "" if run is None else f", or resume it: textclf train --resume {run.root}"
            assert re.fullmatch(what + why + re.escape(advice), line), line
        if run is not None:
            assert outcome(training.resume(run)) == expected
        shutil.rmtree("runs", ignore_errors=True)
    print(f"{killed} of {ended} were killed before their last batch")
    assert killed >= times // 2
