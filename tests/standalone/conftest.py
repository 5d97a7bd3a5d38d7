"""How the tests run a model in one file: as users do, with Python and numpy and nothing else."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run(numpy_alone: Path) -> Run:
    """Runs ``python FILE ...``; ``packages`` is the folder with all that are installed, None for those of the tests."""

    def run_file(
        *arguments: object, given: str = "", packages: Path | None = numpy_alone, folder: Path | None = None
    ) -> subprocess.CompletedProcess[str]:
        others = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        paths = {} if packages is None else {"PYTHONPATH": str(packages)}
        return subprocess.run(
            [sys.executable, *([] if packages is None else ["-S"]), *map(str, arguments)],
            env={**others, **paths, "COLUMNS": "80"},
            cwd=folder,
            input=given,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    return run_file
