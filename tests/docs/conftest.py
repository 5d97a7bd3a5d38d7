"""What the tests of the documentation share, also between processes: a folder of corpora and runs, and the site."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import FileLock

from tests.docs import world
from tests.docs.pages import DOCS


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], None]) -> Path:
    """A folder that the first process of this run of the tests fills, and the others wait for."""
    base = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        base = base.parent
    folder, done = base / name, base / f"{name}.done"
    with FileLock(base / f"{name}.lock"):
        if not done.exists():
            folder.mkdir()
            make(folder)
            done.touch()
    return folder


@pytest.fixture(scope="session")
def small_world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files, data directories and runs; each page works on a copy."""
    return made_once(tmp_path_factory, "world", world.make)


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pages, built as by scripts/docs: any warning is an error, and so is a cell of a notebook that fails."""
    return made_once(tmp_path_factory, "site", build)


def build(output: Path) -> None:
    """Build the site."""
    options = ["--builder", "html", "--fail-on-warning", "--nitpicky", "--quiet"]
    done = subprocess.run(
        [sys.executable, "-m", "sphinx", *options, DOCS, output],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
