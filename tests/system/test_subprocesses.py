import ast
import os
from pathlib import Path
from threading import Event, Thread

import pytest

import textclf
from textclf.system import subprocesses

ROOT = Path(textclf.__file__).parent
OWNERS = {
    "system/subprocesses.py",
    "system/workers.py",
    "serve/processes.py",
    "training/loader_processes.py",
    "training/shared_memory.py",
}
"""Modules that know processes: programs, workers, copies of the server, and those of a DataLoader."""
STARTS = {"os.system", "os.popen", "os.fork", "os.posix_spawn", "subprocess.run", "subprocess.Popen"}


def test_a_module_of_the_current_folder_is_not_run():
    Path("platform.py").write_text("raise SystemExit('code of the current folder was run')")
    done = subprocesses.run_module("platform", timeout=60)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_module_that_takes_too_long_is_ended():
    with pytest.raises(TimeoutError, match=r"^no answer in 0\.1 s$"):
        subprocesses.run_module("timeit", "import time; time.sleep(60)", timeout=0.1)


@pytest.mark.parametrize("before", [None, "", "1"])
def test_what_is_started_meanwhile_searches_safely(before, monkeypatch):
    monkeypatch.delenv("PYTHONSAFEPATH", raising=False)
    if before is not None:
        monkeypatch.setenv("PYTHONSAFEPATH", before)
    with subprocesses.searching_safely():
        assert os.environ["PYTHONSAFEPATH"] == "1"
    assert os.environ.get("PYTHONSAFEPATH") == before


def test_threads_leave_the_environment_as_it_was(monkeypatch):
    monkeypatch.delenv("PYTHONSAFEPATH", raising=False)

    def start():
        with subprocesses.searching_safely():
            together.wait(timeout=0.02)

    together = Event()
    threads = [Thread(target=start) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert "PYTHONSAFEPATH" not in os.environ


@pytest.mark.parametrize("path", sorted(ROOT.rglob("*.py")), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_nobody_else_starts_a_process(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    if path.relative_to(ROOT).as_posix() in OWNERS:
        return
    names = {
        alias.name.split(".")[0] for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names
    }
    names |= {(node.module or "").split(".")[0] for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    calls = {ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    assert not names & {"subprocess", "multiprocessing"}
    assert not calls & STARTS
