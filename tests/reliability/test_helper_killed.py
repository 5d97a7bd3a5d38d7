"""A helper process of preprocess, predict or train, killed at any moment: exit code 5, one line, no process left."""

import random
import shutil
import sys
import time
from pathlib import Path

import pytest

from tests.reliability.killing import Command, kill_one, only_line
from tests.reliability.test_preprocess_killed import digest

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform != "linux", reason="finds processes in /proc")]

OFTEN = pytest.param(50, marks=pytest.mark.long)  # tests/system/test_workers.py shows in every run what these repeat
WORDS = [f"word{number}" for number in range(3_000)]
KILLED = "textclf: a process was killed, for want of memory perhaps; "


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """Large enough for helpers to be started: 4.5 MB."""
    path = tmp_path_factory.mktemp("corpus") / "films.csv"
    draw = random.Random(0)
    rows = (f"{' '.join(draw.choices(WORDS, k=320))},{draw.choice('abc')}\n" for _ in range(2_000))
    path.write_text("text,label\n" + "".join(rows), encoding="utf-8")
    return path


def ended(command, draw, *, within):
    """Kill a child of a command at a random moment after it has one; returns its exit code and its error line."""
    command.wait_for_children(1)
    time.sleep(draw.uniform(0, within))
    kill_one(command, draw)
    code, errors = command.end()
    return code, only_line(errors) if code else ""


def seconds_with_children(*arguments):
    """How long a command that nobody disturbs has helpers; the first one waits for imports."""
    for _ in range(2):
        command = Command(*arguments)
        command.wait_for_children(1)
        started = time.monotonic()
        while command.children():
            time.sleep(0.002)
        seconds = time.monotonic() - started
        code, errors = command.end()
        assert code == 0, errors
        shutil.rmtree("runs", ignore_errors=True)
    return seconds


@pytest.mark.parametrize("times", [OFTEN])
def test_a_tokenizer_process_killed_at_any_moment_ends_preprocess_in_order(times, corpus):
    arguments = ("preprocess", corpus, "--num-workers", "2", "--overwrite")
    within = seconds_with_children(*arguments)
    expected, draw, killed = digest(Path()), random.Random(times), 0
    for _ in range(times):
        code, line = ended(Command(*arguments), draw, within=within)
        if code:
            killed += 1
            assert (code, line) == (5, f"{KILLED}try --num-workers 1")
        assert digest(Path()) == expected  # the directory from before, or the same made again
        shutil.rmtree("data")
        again = Command(*arguments)
        assert again.end()[0] == 0
        assert digest(Path()) == expected
    print(f"{killed} of {times} had work left")
    assert killed >= times // 10


@pytest.mark.parametrize("times", [OFTEN])
def test_a_helper_of_predict_killed_at_any_moment_ends_it_in_order(times, corpus, run_of_one_model):
    arguments = ("predict", "--run", run_of_one_model, "--input", corpus, "--num-workers", "3", "--output", "out.txt")
    within = seconds_with_children(*arguments)
    expected, draw, killed = Path("out.txt").read_bytes(), random.Random(times), 0
    for _ in range(times):
        Path("out.txt").unlink()
        code, line = ended(Command(*arguments), draw, within=within)
        if code:
            killed += 1
            assert (code, line) == (5, f"{KILLED}try --num-workers 1")
            assert not Path("out.txt").exists()
            assert Command(*arguments).end()[0] == 0
        assert Path("out.txt").read_bytes() == expected
    print(f"{killed} of {times} had work left")
    assert killed >= times // 10


@pytest.mark.parametrize("times", [2, OFTEN])
def test_the_process_that_sets_training_up_killed_at_any_moment_ends_it_in_order(times, data_dir):
    arguments = ("train", "--data", data_dir, "--hidden-size=8", "--device=cpu", "--epochs=1", "--no-test")
    within = seconds_with_children(*arguments)
    draw, killed = random.Random(times), 0
    for _ in range(times):
        code, line = ended(Command(*arguments), draw, within=within)
        if code:
            killed += 1
            assert (code, line) == (5, f"{KILLED}free some and run it again")
            assert not Path("runs").exists()
        shutil.rmtree("runs", ignore_errors=True)
    print(f"{killed} of {times} had work left")
    assert killed >= times // 10


@pytest.fixture(scope="module")
def run_of_one_model(data_dir, tmp_path_factory):
    from tests.conftest import small_config
    from textclf import training

    return training.train(small_config("mlp", data_dir, tmp_path_factory.mktemp("runs"), epochs=1)).root
