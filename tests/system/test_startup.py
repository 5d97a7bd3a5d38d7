import os
import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest

from textclf.errors import ResourceError
from textclf.system import startup
from textclf.system.startup import processors


def test_only_processors_that_may_be_used_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _process: {0, 5}, raising=False)
    assert processors() == 2
    monkeypatch.delattr(os, "sched_getaffinity")
    assert processors() == 64


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, {"OMP_WAIT_POLICY": "PASSIVE", "OPENBLAS_NUM_THREADS": "1", "ARROW_DEFAULT_MEMORY_POOL": "system"}),
        ({"OMP_WAIT_POLICY": "ACTIVE", "OPENBLAS_NUM_THREADS": "7", "ARROW_DEFAULT_MEMORY_POOL": "jemalloc"}, {}),
    ],
)
def test_a_program_of_ours_sets_what_the_user_has_not(given, expected, monkeypatch):
    environment = dict(given)
    monkeypatch.setattr(os, "environ", environment)
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    monkeypatch.setattr(startup.memory, "share_heap", lambda: None)
    startup.configure_program()
    assert environment == given | expected | {"PYTHONSAFEPATH": "1"}


class Torch(SimpleNamespace):
    """The number of threads that torch has."""

    threads = 5

    def get_num_threads(self) -> int:
        return self.threads

    def set_num_threads(self, threads: int) -> None:
        self.threads = threads


@pytest.fixture
def torch(monkeypatch):
    torch = Torch()
    monkeypatch.setitem(sys.modules, "torch", torch)
    monkeypatch.delenv("OMP_WAIT_POLICY", raising=False)
    return torch


def test_torch_that_spins_uses_one_thread_until_the_end(torch):
    startup.let_torch_threads_sleep()
    assert "OMP_WAIT_POLICY" not in os.environ  # too late: it would say what is not so
    with startup.no_spinning():
        assert torch.threads == 1
    assert torch.threads == 5
    with pytest.raises(ValueError, match="nan"), startup.no_spinning():
        int("nan")
    assert torch.threads == 5


def test_torch_that_sleeps_keeps_its_threads(torch, monkeypatch):
    monkeypatch.setenv("OMP_WAIT_POLICY", "PASSIVE")
    with startup.no_spinning():
        assert torch.threads == 5


TRAIN = """
import os, sys
seen = []
def look(event, arguments):
    if event == "import" and arguments[0] == "torch" and "torch" not in sys.modules:
        seen.append(os.environ.get("OMP_WAIT_POLICY"))
sys.addaudithook(look)
if sys.argv[2] == "torch first":
    import torch
    usual = torch.set_num_threads
    torch.set_num_threads = lambda threads: (seen.append(threads), usual(threads))
import textclf
textclf.train(data=sys.argv[1], tier="full", epochs=1, hidden_size=8, device="cpu")
print(seen, os.environ.get("OMP_WAIT_POLICY"), sys.modules["torch"].get_num_threads())
"""


@pytest.mark.parametrize(
    ("order", "expected"),
    [("textclf first", "['PASSIVE'] PASSIVE 2"), ("torch first", "[None, 1, 2] None 2")],
)
def test_training_from_python_does_not_spin_and_leaves_torch_its_threads(order, expected, data_dir: Path):
    environment = {name: value for name, value in os.environ.items() if name != "OMP_WAIT_POLICY"}
    done = subprocess.run(
        [sys.executable, "-c", TRAIN, data_dir, order],
        env=environment | {"OMP_NUM_THREADS": "2"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == expected


def test_a_program_of_ours_looks_for_garbage_rarely_and_not_at_its_end():
    code = (
        "import gc\nfrom textclf.system import startup\nstartup.configure_program()\n"
        "assert gc.get_threshold() == startup.GARBAGE_THRESHOLDS and gc.isenabled()\n"
        "import atexit\natexit._run_exitfuncs()\nassert gc.get_freeze_count() > 0"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_importing_textclf_leaves_the_collector_of_a_program_alone():
    code = "import gc\nbefore = gc.get_threshold()\nimport textclf.training\nassert gc.get_threshold() == before"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_threads_that_cannot_be_started_are_refused_and_none_is_left(monkeypatch):
    left, start = [2], threading.Thread.start

    def refuse(thread):
        if not left[0]:
            raise RuntimeError("can't start new thread")
        left[0] -= 1
        start(thread)

    before = threading.active_count()
    monkeypatch.setattr(threading.Thread, "start", refuse)
    startup.refuse_few_threads(2)
    left[0] = 2
    with pytest.raises(ResourceError, match="no more processes or threads"):
        startup.refuse_few_threads(3)
    assert threading.active_count() == before


ASCII = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}


@pytest.mark.parametrize("locale", [ASCII, {**ASCII, "LC_ALL": "POSIX"}, {"LC_ALL": "C"}, {"LC_ALL": "C.UTF-8"}])
def test_names_and_arguments_beyond_ascii_are_what_they_are_in_any_locale(locale, corpus_csv, tmp_path):
    (tmp_path / "größe-猫.csv").write_bytes(corpus_csv.read_bytes())
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("LC_", "LANG"))}
    for arguments, code, said in (
        (["preprocess", "größe-猫.csv", "--dry-run"], 0, "größe-猫"),
        (["predict", "--run", "läufe/猫", "x"], 2, "no run läufe/猫"),
        (["preprocess", "fort-é.csv"], 2, "no such file or folder: fort-é.csv"),
    ):
        done = subprocess.run(
            [sys.executable, "-m", "textclf", *arguments], env=kept | locale, capture_output=True, check=False
        )
        assert done.returncode == code, done.stderr
        assert said in (done.stdout + done.stderr).decode()
