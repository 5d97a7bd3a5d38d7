import subprocess
import sys

import pytest

from textclf.errors import ClosedPipeError
from textclf.system import streams

OPENED = """
import os, sys
from textclf.errors import UsageError
from textclf.system import streams
try:
    streams.occupy_closed()
    said = "open"
except UsageError as error:
    said = str(error)
number = os.open("x", os.O_CREAT | os.O_WRONLY)
print("lost if stderr is closed", file=sys.stderr)
os.write(number, f"{number} {said}".encode())
"""


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        ("", "3 open"),
        ("<&-", "3 open"),
        ("2>&-", "3 open"),
        (">&-", "3 stdout is closed, and results are written to it; redirect it: textclf ... > results.txt"),
        ("<&- >&- 2>&-", "3 stdout is closed, and results"),
    ],
)
def test_no_file_takes_the_place_of_a_closed_stream(how, expected, tmp_path):
    subprocess.run(["sh", "-c", f'"$0" -c "$1" {how}', sys.executable, OPENED], check=True, capture_output=True)
    assert (tmp_path / "x").read_text().startswith(expected)


READ = """
import sys
from textclf.system import streams
streams.occupy_closed()
try:
    sys.stdin.buffer.read(1)
except OSError as error:
    print(error.strerror)
"""


def test_a_closed_stdin_is_no_empty_file():
    done = subprocess.run(["sh", "-c", '"$0" -c "$1" <&-', sys.executable, READ], capture_output=True, check=True)
    assert done.stdout == b"Bad file descriptor\n"


def test_a_closed_pipe_is_an_error_of_ours():
    with pytest.raises(ClosedPipeError), streams.naming_closed_pipe():
        raise BrokenPipeError
