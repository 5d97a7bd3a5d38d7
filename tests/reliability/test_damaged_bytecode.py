"""What Python compiled was cut off by a full disk: one line says how to compile it again, and that works."""

import os
import py_compile
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

import textclf

PACKAGE = Path(textclf.__file__).parent


@pytest.mark.parametrize(
    ("module", "bytes_left"), [("cli/__init__.py", 17), ("cli/corpora.py", 1024), ("sources/catalogue.py", 17)]
)
def test_a_compiled_file_that_is_cut_off_is_one_line_whose_remedy_works(
    module: str, bytes_left: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "pycache_prefix", str(tmp_path))
    compiled = Path(py_compile.compile(str(PACKAGE / module), doraise=True))
    os.truncate(compiled, bytes_left)
    done = run([sys.executable, "-m", "textclf", "corpora"], tmp_path)
    assert (done.returncode, done.stdout) == (4, "")
    said = done.stderr.strip().removeprefix("textclf: a file that Python compiled is damaged (")
    assert len(said.splitlines()) == 1
    remedy = shlex.split(said.partition("; compile it again: ")[2])
    assert run([sys.executable, *remedy[1:]], tmp_path).returncode == 0
    done = run([sys.executable, "-m", "textclf", "corpora"], tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "bbc_news" in done.stdout


def run(command: list[str], compiled: Path) -> subprocess.CompletedProcess[str]:
    """Run a command that finds and puts compiled files in a folder of its own."""
    own = {**os.environ, "PYTHONPYCACHEPREFIX": str(compiled)}
    own.pop("PYTHONDONTWRITEBYTECODE", None)
    return subprocess.run(command, env=own, capture_output=True, text=True, timeout=60, check=False)
