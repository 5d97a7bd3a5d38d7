"""Every command on a terminal of 80 columns, and in a pipe: no line of ours is wider, so that none is wrapped."""

import contextlib
import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from textclf.cli import main
from textclf.cli.display import columns_of

COLUMNS = 80
COLOURS = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
DATA = ["--data", "data/tickets"]
TINY = ["--tier", "tiny", "--epochs", "2", *DATA]
TEXT = "the cat sat on the mat, the dog barked, and rain and wind came over bread and butter " * 3

CALLS = {
    "": [[], ["--help"]],
    "preprocess": [["tickets.csv", "--overwrite"], ["tickets.csv", "--dry-run"], ["nothing.csv"]],
    "train": [[*TINY, "--model", "mlp"], [*TINY, "--model", "lstm", "--seeds", "2"], ["--tier", "huge"]],
    "tune": [[*DATA, "--tier", "tiny", "--trials", "2"], ["--metric", "acuracy", *DATA], ["--resume", "nothing"]],
    "predict": [
        ["--top-k", "2", TEXT],
        ["--explain", "the cat sat"],
        ["--input", "tickets.csv", "--output", "labels.txt"],
    ],
    "explain": [["--top-words", "food"]],
    "evaluate": [[], ["--input", "tickets.csv"], ["--min", "accuracy=1.1"]],
    "compare": [["runs/first", "runs/latest"]],
    "report": [["--output", "report.html"]],
    "export": [["--output", "exported"], ["--output", "model.pyz", "--format", "pyz"]],
    "suspects": [["data/tickets", "--folds", "2", "--limit", "5", "--output", "suspects.csv"]],
    "select": [["--input", "tickets.csv", "--n", "5", "--output", "next.csv"]],
    "check": [["data/tickets"], ["data/tickets", "--list", "problems.csv"], ["runs/first"]],
    "info": [[], ["data/tickets"]],
    "runs": [[]],
    "data": [[]],
    "corpora": [[]],
    "verify": [["runs/first"]],
    "learning-curve": [["--epochs", "1", *DATA]],
    "encoder": [[], ["remove", "nothing"], ["add", "data"]],
    "vectors": [[], ["remove", "nothing"], ["add", "data"]],
    "init": [[]],
    "completion": [],  # prints a program for the shell
    "serve": [["--port", "70000"]],  # what it prints besides has an address of its own
}
"""Arguments of each command."""


@pytest.fixture(autouse=True)
def _in_short_paths(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEXTCLF_ENCODERS", "encoders")
    monkeypatch.setenv("TEXTCLF_VECTORS", "vectors")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, corpus_csv: Path) -> Path:
    """A folder with a corpus that has a long label and long texts, its data directory, and two runs."""
    folder = tmp_path_factory.mktemp("width")
    long = "a label of many words, and of a few more"
    content = corpus_csv.read_text().replace(",weather", f',"{long}"').replace("rain", f"{'rain ' * 40}")
    (folder / "tickets.csv").write_text(content)
    run(folder, "preprocess", "tickets.csv", "--name", "tickets")
    run(folder, "train", *TINY, "--run-dir", "runs")
    next((folder / "runs").glob("tickets-*")).rename(folder / "runs" / "first")
    run(folder, "train", *TINY, "--seed", "1")
    return folder


def run(folder: Path, *arguments: str) -> str:
    """What a command prints into pipes."""
    done = subprocess.run(
        [sys.executable, "-m", "textclf", *arguments],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return done.stdout


def on_terminal(folder: Path, *arguments: str) -> str:
    """What a command prints on a terminal of 80 columns."""
    leader, follower = pty.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 24, COLUMNS, 0, 0))
    environment = {name: value for name, value in os.environ.items() if name != "COLUMNS"} | {"TERM": "xterm"}
    process = subprocess.Popen(
        [sys.executable, "-m", "textclf", *arguments],
        cwd=folder,
        stdin=follower,
        stdout=follower,
        stderr=follower,
        env=environment,
    )
    os.close(follower)
    printed = b"".join(_pieces(leader))
    os.close(leader)
    process.wait(timeout=60)
    return printed.decode()


def _pieces(leader: int) -> Iterator[bytes]:
    with contextlib.suppress(OSError):  # the terminal is closed with the last process that has it
        while piece := os.read(leader, 65_536):
            yield piece


def too_wide(printed: str) -> list[str]:
    lines = (COLOURS.sub("", line) for line in re.split(r"[\r\n]", printed))
    return [line for line in lines if columns_of(line) > COLUMNS]


def test_every_command_is_tried() -> None:
    assert isinstance(main, click.Group)
    assert set(CALLS) - {""} == set(main.list_commands(click.Context(main)))


@pytest.mark.parametrize("name", CALLS)
def test_help_has_no_line_that_is_wrapped(name: str, folder: Path) -> None:
    assert too_wide(on_terminal(folder, *filter(None, [name]), "--help")) == []


@pytest.mark.slow
@pytest.mark.parametrize("name", CALLS)
def test_no_line_on_a_terminal_is_wrapped(name: str, folder: Path) -> None:
    for arguments in CALLS[name]:
        printed = on_terminal(folder, *filter(None, [name]), *arguments)
        assert printed.strip()
        assert too_wide(printed) == []


@pytest.mark.slow
@pytest.mark.parametrize("name", CALLS)
def test_no_line_in_a_pipe_is_wide_but_an_error(name: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Errors and warnings are one line each in a pipe, whose readers look for lines."""
    monkeypatch.chdir(folder)
    for arguments in CALLS[name]:
        printed = CliRunner().invoke(main, [*filter(None, [name]), *arguments]).output
        assert printed.strip()
        assert [line for line in too_wide(printed) if not line.startswith(("textclf: ", "warning: "))] == []
