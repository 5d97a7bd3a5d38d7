import signal
import subprocess
import sys

import pytest

ENDING = """
import atexit, os, sys
from textclf.cli import main
atexit.register(lambda: os.kill(os.getpid(), int(sys.argv.pop())))
sys.argv[1:1] = ["--version"]
main({arguments})
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_while_the_program_ends_changes_nothing(number):
    command = [sys.executable, "-c", ENDING.format(arguments=""), str(int(number))]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("textclf, version ")


def test_a_call_from_python_leaves_signals_as_they_are():
    command = [sys.executable, "-c", ENDING.format(arguments='["--version"]'), str(int(signal.SIGTERM))]
    assert subprocess.run(command, capture_output=True, check=False).returncode == -signal.SIGTERM
