"""Nothing is written through a link that somebody has put where textclf will write."""

import os
import shutil
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.conftest import invoke, small_config
from textclf import training
from textclf.artefacts import runs

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")

MINE = b"what the user has written\n"


@pytest.fixture(scope="module")
def finished(data_dir, tmp_path_factory):
    return training.train(small_config("mlp", data_dir, tmp_path_factory.mktemp("runs"), epochs=1))


@pytest.fixture
def victim(finished, data_dir, corpus_csv, tmp_path):
    """A file and a folder of the user, outside of where textclf works; here are data, a run and a source."""
    shutil.copytree(finished.root, "runs/r")
    shutil.copytree(data_dir, "data/d")
    shutil.copy(corpus_csv, "some.csv")
    runs.set_latest(runs.RunLayout(Path("runs/r")))
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "file").write_bytes(MINE)
    return tmp_path / "home" / "file"


WRITES = {
    "out.csv": ["predict", "--input", "some.csv", "--format", "csv", "--output", "out.csv"],
    "out.parquet": ["predict", "--input", "some.csv", "--format", "parquet", "--output", "out.parquet"],
    "out.html": ["report", "--output", "out.html"],
    "runs/r/report.html": ["report"],
    "runs/latest": ["train", "--data", "d", "--epochs", "1", "--hidden-size", "8", "--device", "cpu"],
    "small": ["export", "--output", "small", "--max-drop", "100"],
    "data/some": ["preprocess", "some.csv", "--num-workers", "1"],
}


def names(place):
    """Those that a temporary file or folder of this process had, or would have if somebody knew it."""
    return [place.with_name(f".{place.name}.{number}{ending}.tmp") for number in (os.getpid(), 1, "0" * 16)
            for ending in ("", ".old")]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("place", WRITES)
def test_a_link_at_the_name_that_temporary_files_had_is_not_written_through(place, victim):
    for name in names(Path(place)):
        name.symlink_to(victim if "." in place or place == "runs/latest" else victim.parent)
    result = invoke(CliRunner(), *WRITES[place])
    assert result.exit_code == 0, result.output
    assert Path(place).exists()
    assert not Path(place).is_symlink()
    assert victim.read_bytes() == MINE
    assert list(victim.parent.iterdir()) == [victim]


@pytest.mark.parametrize("command", [WRITES["out.html"], WRITES["out.csv"]], ids=lambda command: command[0])
@pytest.mark.parametrize("kind", ["device", "pipe"])
def test_a_device_or_a_pipe_is_not_replaced(kind, command, victim):
    path = Path(command[-1])
    os.mkfifo("pipe")
    path.symlink_to("/dev/null" if kind == "device" else "pipe")
    result = invoke(CliRunner(), *command)
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
    assert path.is_symlink()
