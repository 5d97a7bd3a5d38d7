import ctypes
import os
import platform
import subprocess
import sys

import pytest

from textclf.system import startup
from textclf.system.startup import processors, share_freed_memory


def test_only_processors_that_may_be_used_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _process: {0, 5}, raising=False)
    assert processors() == 2
    monkeypatch.delattr(os, "sched_getaffinity")
    assert processors() == 64


FREED_BY_ANOTHER = """
import sys
from pathlib import Path
from threading import Thread
from textclf.system.startup import share_freed_memory

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1])

if sys.argv[1] == "share":
    share_freed_memory()
def take():
    kept = [bytearray(100_000) for _ in range(500)]
    last = bytearray(100_000)  # above what is freed, so that the kernel does not get it
    kept.clear()
    return last
lasts = []
thread = Thread(target=lambda: lasts.append(take()))
thread.start()
thread.join()
before = resident()
lasts.append([bytearray(100_000) for _ in range(400)])
print(resident() - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library keeps memory as it likes")
def test_what_a_thread_has_freed_is_for_others() -> None:
    """Pages that 40 MB take, where another thread has freed 50."""

    def pages(how: str) -> int:
        code = [sys.executable, "-c", FREED_BY_ANOTHER, how]
        return int(subprocess.run(code, stdout=subprocess.PIPE, check=True).stdout)

    needed = 40_000_000 // os.sysconf("SC_PAGE_SIZE")
    assert pages("leave") > 0.9 * needed
    assert pages("share") < 0.1 * needed


def test_another_c_library_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    monkeypatch.setattr(ctypes, "CDLL", lambda name: asked.append(name) or object())
    for platform_name in ("darwin", "win32"):
        monkeypatch.setattr(sys, "platform", platform_name)
        share_freed_memory()
    assert asked == []
    monkeypatch.setattr(sys, "platform", "linux")
    share_freed_memory()  # musl has no mallopt
    assert asked == [None]


def test_a_python_that_cannot_load_its_own_symbols_works(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_name: object) -> None:
        raise OSError

    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(ctypes, "CDLL", refuse)
    share_freed_memory()


@pytest.mark.parametrize(("said", "expected"), [({}, "1"), ({"OPENBLAS_NUM_THREADS": "7"}, "7")])
def test_numpy_has_one_thread_unless_the_user_says_otherwise(said, expected, monkeypatch):
    monkeypatch.setattr(os, "environ", said)
    startup.one_thread()
    assert said["OPENBLAS_NUM_THREADS"] == expected


@pytest.mark.parametrize(("said", "expected"), [({}, "PASSIVE"), ({"OMP_WAIT_POLICY": "ACTIVE"}, "ACTIVE")])
def test_threads_sleep_unless_the_user_says_otherwise(said, expected, monkeypatch):
    monkeypatch.setattr(os, "environ", said)
    startup.let_threads_sleep()
    assert said["OMP_WAIT_POLICY"] == expected
