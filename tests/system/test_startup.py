import ctypes
import gc
import os
import platform
import subprocess
import sys

import pytest

from textclf.system import startup
from textclf.system.startup import keeping_memory, processors, share_freed_memory


def test_only_processors_that_may_be_used_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _process: {0, 5}, raising=False)
    assert processors() == 2
    monkeypatch.delattr(os, "sched_getaffinity")
    assert processors() == 64


FREED = """
from pathlib import Path
from textclf.system.startup import keeping_memory, share_freed_memory

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1])

def stays():
    before = resident()
    bytearray(50_000_000)
    return resident() - before

share_freed_memory()
outside, before = stays(), resident()
with keeping_memory():
    inside = stays()
print(outside, inside, resident() - before, stays())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library keeps memory as it likes")
def test_freed_memory_is_kept_where_that_is_asked_for_and_not_longer() -> None:
    """Pages that stay when a block of 50 MB is freed: before, meanwhile, of that afterwards, and of another one."""
    block = 50_000_000 // os.sysconf("SC_PAGE_SIZE")
    done = subprocess.run([sys.executable, "-c", FREED], stdout=subprocess.PIPE, check=True)
    before, inside, left, after = (int(pages) / block for pages in done.stdout.split())
    assert inside > 0.9
    assert max(before, left, after) < 0.1


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
    with keeping_memory():  # musl has no mallopt
        pass
    assert set(asked) == {None}


def test_a_python_that_cannot_look_into_itself_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_name: object) -> None:
        raise OSError

    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(ctypes, "CDLL", refuse)
    share_freed_memory()
    with keeping_memory():
        pass


def test_what_is_loaded_to_stay_is_not_looked_through_again():
    before = gc.get_freeze_count()
    try:
        with startup.loading_to_stay():
            assert not gc.isenabled()
            kept = [[] for _ in range(1_000)]
        assert gc.isenabled()
        assert gc.get_freeze_count() >= before + len(kept)
    finally:
        gc.unfreeze()


def test_an_error_while_loading_leaves_the_collector_on():
    with pytest.raises(ValueError, match="damaged"), startup.loading_to_stay():
        raise ValueError("damaged")
    assert gc.isenabled()


def test_a_collector_that_was_off_stays_off():
    gc.disable()
    try:
        with startup.no_collector():
            assert not gc.isenabled()
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_no_garbage_is_looked_for_as_a_command_ends():
    code = (
        "import atexit, gc, sys\nfrom textclf.cli import main\n"
        "atexit.register(lambda: print('frozen', gc.get_freeze_count() > len(gc.get_objects())))\nmain()"
    )
    found = subprocess.run([sys.executable, "-c", code, "corpora"], capture_output=True, text=True, check=True)
    assert found.stdout.endswith("frozen True\n")


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
