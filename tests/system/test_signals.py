import signal
import subprocess
import sys
import time

import pytest

ENDING = """
import atexit, os, sys
from textclf.cli import main
atexit.register(lambda: os.kill(os.getpid(), int(sys.argv.pop())))
sys.argv[1:1] = ["--version"]
main({arguments})
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_while_python_exits_changes_nothing(number):
    command = [sys.executable, "-c", ENDING.format(arguments=""), str(int(number))]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("textclf, version ")


def test_a_call_from_python_leaves_signals_as_they_are():
    command = [sys.executable, "-c", ENDING.format(arguments='["--version"]'), str(int(signal.SIGTERM))]
    assert subprocess.run(command, capture_output=True, check=False).returncode == -signal.SIGTERM


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.parametrize("run_dir", ["mlp"], indirect=True)
def test_a_prediction_that_waits_for_its_reader_ends_with_its_workers(number, code, run_dir, tmp_path):
    texts = tmp_path / "texts.txt"
    texts.write_text(f"the cat and the dog {'x' * 100}\n" * 40_000)  # enough for workers to be started at once
    command = [sys.executable, "-m", "textclf", "predict", "--run", run_dir, "--num-workers", "2", "--input", texts]
    program = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    program.stdout.readline()
    time.sleep(1)  # it waits, because nobody reads
    program.send_signal(number)
    _, said = program.communicate(timeout=20)  # the workers hold the pipes, too
    assert (program.returncode, said) == (code, "textclf: stopped\n")
