"""Something else in the place of a file of ours: a pipe, a socket, a device, a folder, a file that is one hole."""

import os
import shutil
import signal
import socket
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.conftest import small_config
from textclf import training
from textclf.artefacts import runs
from textclf.cli import main

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform != "linux", reason="makes devices and sockets")]

HOLE = 1 << 40  # bytes that a file says it has


def a_pipe(path):
    os.mkfifo(path)


def a_socket(path):
    here = Path.cwd()
    os.chdir(path.parent)  # the address of a socket has at most 107 bytes
    try:
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(path.name)
    finally:
        os.chdir(here)


def a_device(path):
    path.symlink_to("/dev/zero")


def a_folder(path):
    path.mkdir()
    (path / "inside").touch()


def a_hole(path):
    with path.open("wb") as file:
        file.write(b'{"a": 1}')
        file.truncate(HOLE)


KINDS = {kind.__name__: kind for kind in (a_pipe, a_socket, a_device, a_folder, a_hole)}


@pytest.fixture(scope="module")
def finished(data_dir, tmp_path_factory):
    """A finished run, and the data that it was trained on, which tests change and put back."""
    root = tmp_path_factory.mktemp("here")
    data = Path(shutil.copytree(data_dir, root / "data" / "d"))
    run = training.train(small_config("mlp", data, root / "runs", epochs=1))
    run.root.rename(root / "runs" / "r")
    run = runs.RunLayout(root / "runs" / "r")
    runs.set_latest(run)
    runs.seal(run)
    return root


@contextmanager
def replaced(path, kind):
    """Put something else in the place of a file or folder."""
    aside = path.with_name("aside")
    path.rename(aside)
    kind(path)
    try:
        yield
    finally:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
        aside.rename(path)


@contextmanager
def in_time(seconds=60):
    """End a test that hangs."""

    def fail(*_):
        raise AssertionError("it hangs")

    before = signal.signal(signal.SIGALRM, fail)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


PREDICT, INFO, EVALUATE, REPORT = ["predict", "rain"], ["info"], ["evaluate"], ["report", "--output", "out.html"]
EXPORT, EXPLAIN = ["export", "--output", "small", "--max-drop", "100"], ["explain"]
CHECK_RUN, CHECK_MODEL, CHECK_DATA = ["check", "runs/r"], ["check", "runs/r/model"], ["check", "data/d"]
TRAIN = ["train", "--data", "d", "--epochs", "1", "--hidden-size", "8", "--device", "cpu", "--no-test"]
FILES = [*TRAIN, "--store", "files"]
RESUME, VERIFY = ["train", "--resume", "runs/r"], ["verify", "runs/r"]
OF_MODEL = [PREDICT, EVALUATE, CHECK_MODEL, CHECK_RUN, EXPORT, EXPLAIN, ["compare", "runs/r", "runs/r"]]
CASES = {
    **{f"runs/r/model/{name}.json": OF_MODEL for name in ("config", "labels", "tokenizer")},
    "runs/r/model/model.safetensors": OF_MODEL,
    "runs/r/model/README.md": [CHECK_MODEL, CHECK_RUN, ["serve", "--port", "0"]],
    "runs/r/model": [PREDICT, EVALUATE, EXPLAIN],
    "runs/r/config.json": [EVALUATE, REPORT, EXPORT, CHECK_RUN, RESUME, VERIFY],
    "runs/r/metrics.json": [INFO, REPORT, EXPORT, CHECK_RUN],
    "runs/r/history.jsonl": [REPORT, EXPORT, CHECK_RUN],
    "runs/r/checksums.json": [CHECK_RUN, RESUME],
    "runs/r/checkpoints/best.pt": [CHECK_RUN],
    "runs/latest": [PREDICT, INFO],
    "data/d/manifest.json": [TRAIN, CHECK_DATA, ["info", "data/d"], EVALUATE],
    "data/d/documents/part-00000.parquet": [TRAIN, CHECK_DATA, ["info", "data/d"], EVALUATE],
    "data/d/tokenizer.json": [TRAIN, CHECK_DATA, EVALUATE],
    "data/d/report.json": [CHECK_DATA, ["info", "data/d"]],
    "data/d/tensors": [FILES, CHECK_DATA],
    "data/d/packed": [CHECK_DATA],
    "data/d/packed/part-00000.bin": [CHECK_DATA],
}  # fmt: skip
"""Files and folders of ours, and the commands that read them; each must refuse what is in their place."""


@pytest.mark.parametrize("kind", KINDS)
def test_no_command_waits_for_what_is_no_file(kind, finished, monkeypatch):
    monkeypatch.chdir(finished)
    wrong = []
    for place, commands in CASES.items():
        if kind == "a_folder" and ((finished / place).is_dir() or place == "runs/latest"):  # a run may have that name
            continue
        for command in commands:
            with replaced(finished / place, KINDS[kind]), in_time():
                result = CliRunner().invoke(main, command)
            lines = [line for line in result.stderr.splitlines() if line.startswith("textclf: ")]
            if (result.exit_code, len(lines), "Traceback" in result.output) != (4, 1, False):
                wrong.append((place, command, result.exit_code, result.stderr[-300:], repr(result.exception)))
            for left in ("small", "out.html"):
                assert not Path(left).exists(), (place, command)
    assert wrong == []


@pytest.mark.parametrize("kind", KINDS)
def test_a_damaged_packed_copy_is_made_again(kind, finished, monkeypatch):
    monkeypatch.chdir(finished)
    before = {path.name: path.read_bytes() for path in Path("data/d/packed").iterdir()}
    for place in ("packed/part-00000.bin", "packed"):
        path = Path("data/d") / place
        if path.is_dir():
            shutil.rmtree(path)
            if kind != "a_folder":
                KINDS[kind](path)
        else:
            path.unlink()
            KINDS[kind](path)
        with in_time():
            result = CliRunner().invoke(main, EVALUATE)
        assert result.exit_code == 0, result.output
        assert {path.name: path.read_bytes() for path in Path("data/d/packed").iterdir()} == before


UNREADABLE = {
    "half a pair": rb'"\ud800"',
    "the other half": rb'"x\uDFFFy"',
    "in a key": rb'{"\udc00": 1}',
    "not a number": b"NaN",
    "infinity": b"[-Infinity]",
    "too large": b"[1e999]",
}


@pytest.mark.parametrize("content", UNREADABLE.values(), ids=UNREADABLE)
def test_json_that_other_programs_could_not_read_is_refused(content, finished, monkeypatch):
    monkeypatch.chdir(finished)
    places = {"runs/r/metrics.json": INFO, "runs/r/model/labels.json": PREDICT, "data/d/report.json": CHECK_DATA}
    for place, command in places.items():
        with replaced(finished / place, lambda path: path.write_bytes(b'{"x": ' + content + b"}")):
            result = CliRunner().invoke(main, command)
        assert (result.exit_code, result.stderr.count("textclf: ")) == (4, 1), (place, result.output)
