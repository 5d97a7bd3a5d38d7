import ctypes
import gc
import os
import platform
import subprocess
import sys

import pytest

from textclf import machine
from textclf.machine import keep_memory, processors


def test_only_processors_that_may_be_used_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _process: {0, 5}, raising=False)
    assert processors() == 2
    monkeypatch.delattr(os, "sched_getaffinity")
    assert processors() == 64


FREED = """
import sys
from pathlib import Path
from textclf.machine import keep_memory

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1])

if sys.argv[1] == "keep":
    keep_memory()
before = resident()
bytearray(50_000_000)
print(resident() - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library keeps memory as it likes")
def test_freed_memory_is_kept_if_asked_for() -> None:
    def pages(*argument: str) -> int:
        """Pages that stay when a block of 50 MB is freed."""
        return int(subprocess.run([sys.executable, "-c", FREED, *argument], stdout=subprocess.PIPE, check=True).stdout)

    block = 50_000_000 // os.sysconf("SC_PAGE_SIZE")
    assert pages("leave") < 0.1 * block
    assert pages("keep") > 0.9 * block


def test_another_c_library_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    monkeypatch.setattr(ctypes, "CDLL", lambda name: asked.append(name) or object())
    for platform_name in ("darwin", "win32"):
        monkeypatch.setattr(sys, "platform", platform_name)
        keep_memory()
    assert asked == []
    monkeypatch.setattr(sys, "platform", "linux")
    keep_memory()  # musl has no mallopt
    assert asked == [None]


def test_a_python_that_cannot_look_into_itself_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_name: object) -> None:
        raise OSError

    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(ctypes, "CDLL", refuse)
    keep_memory()


def test_what_is_loaded_to_stay_is_not_looked_through_again():
    before = gc.get_freeze_count()
    try:
        with machine.loading_to_stay():
            assert not gc.isenabled()
            kept = [[] for _ in range(1_000)]
        assert gc.isenabled()
        assert gc.get_freeze_count() >= before + len(kept)
    finally:
        gc.unfreeze()


def test_an_error_while_loading_leaves_the_collector_on():
    with pytest.raises(ValueError, match="damaged"), machine.loading_to_stay():
        raise ValueError("damaged")
    assert gc.isenabled()


@pytest.mark.parametrize(("said", "expected"), [({}, "1"), ({"OPENBLAS_NUM_THREADS": "7"}, "7")])
def test_numpy_has_one_thread_unless_the_user_says_otherwise(said, expected, monkeypatch):
    monkeypatch.setattr(os, "environ", said)
    machine.one_thread()
    assert said["OPENBLAS_NUM_THREADS"] == expected


@pytest.mark.parametrize(("said", "expected"), [({}, "PASSIVE"), ({"OMP_WAIT_POLICY": "ACTIVE"}, "ACTIVE")])
def test_threads_sleep_unless_the_user_says_otherwise(said, expected, monkeypatch):
    monkeypatch.setattr(os, "environ", said)
    machine.let_threads_sleep()
    assert said["OMP_WAIT_POLICY"] == expected
