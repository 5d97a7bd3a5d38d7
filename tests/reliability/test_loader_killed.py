"""A process that textclf started, killed at any moment: exit code 5, one line, no process left, and the run goes on."""

import random
import re
import shutil
import sys
import time
from pathlib import Path

import pytest

from tests.reliability.killing import Command, kill_one, only_line
from textclf import training
from textclf.artefacts import runs
from textclf.experiments.verify import outcome

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform != "linux", reason="finds processes in /proc")]

TIMES = pytest.mark.parametrize("times", [2, pytest.param(50, marks=pytest.mark.long)])
SIZES = ["--hidden-size=8", "--batch-size=8", "--tier=full", "--device=cpu", "--epochs=3", "--patience=3", "--no-test"]


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
