import json
import os
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


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252", "utf-8"])
def test_what_an_encoding_lacks_is_escaped_as_in_json(encoding):
    text = '"n\u00e9 \u5929\U0001f436 \udc80"'
    code = f"from textclf.system import streams; streams.escape_unencodable(); print({text!a})"
    done = subprocess.run(
        [sys.executable, "-c", code],
        check=True,
        capture_output=True,
        env={**os.environ, "PYTHONIOENCODING": encoding},
    )
    shown = done.stdout.decode(encoding)
    assert json.loads(shown) == text.strip('"')
    assert ("\\u5929" in shown) == (encoding != "utf-8")


@pytest.mark.parametrize("run_dir", ["mlp"], indirect=True)
def test_a_command_prints_in_any_encoding(run_dir):
    given = {"capture_output": True, "env": {**os.environ, "PYTHONIOENCODING": "latin-1"}}
    command = [sys.executable, "-m", "textclf", "predict", "--explain", "--run", str(run_dir), "\u5929 rain"]
    done = subprocess.run(command, check=False, **given)
    assert done.returncode == 0, done.stderr
    assert b"\\u5929" in done.stdout
    wrong = subprocess.run([*command, "--run", "\u5929"], check=False, **given)
    assert (wrong.returncode, wrong.stderr.count(b"\n")) == (2, 1)
    assert b"\\u5929" in wrong.stderr
