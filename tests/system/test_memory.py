import ctypes
import os
import platform
import resource
import subprocess
import sys
from collections.abc import Callable

import pytest

from textclf.errors import ResourceError
from textclf.system.memory import refuse_small_limit, return_freed_memory, share_heap

FREED_BY_ANOTHER_THREAD = """
import sys
from pathlib import Path
from threading import Thread
from textclf.system.memory import share_heap

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1])

if sys.argv[1] == "share":
    share_heap()
def take():
    kept = [bytearray(100_000) for _ in range(500)]
    last = bytearray(100_000)  # above the freed blocks, so that they stay in the heap
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

FREED_BELOW_ANOTHER = """
import sys
from pathlib import Path
from textclf.system.memory import return_freed_memory

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1])

before = resident()
blocks = [bytearray(100_000) for _ in range(500)]
last = bytearray(100_000)  # above the freed blocks, so that they stay in the heap
del blocks
if sys.argv[1] == "return":
    return_freed_memory()
print(resident() - before)
"""

GLIBC = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library has its own rules")


def pages(code: str, how: str) -> int:
    return int(subprocess.run([sys.executable, "-c", code, how], stdout=subprocess.PIPE, check=True).stdout)


@GLIBC
def test_memory_that_a_thread_has_freed_is_used_by_others() -> None:
    """Pages that 40 MB take after another thread has freed 50."""
    needed = 40_000_000 // os.sysconf("SC_PAGE_SIZE")
    assert pages(FREED_BY_ANOTHER_THREAD, "keep") > 0.9 * needed
    assert pages(FREED_BY_ANOTHER_THREAD, "share") < 0.1 * needed


@GLIBC
def test_free_parts_of_the_heap_are_returned() -> None:
    freed = 50_000_000 // os.sysconf("SC_PAGE_SIZE")
    assert pages(FREED_BELOW_ANOTHER, "keep") > 0.9 * freed
    assert pages(FREED_BELOW_ANOTHER, "return") < 0.1 * freed


@pytest.mark.parametrize("function", [share_heap, return_freed_memory])
def test_another_c_library_is_left_alone(function: Callable[[], None], monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = []
    monkeypatch.setattr(ctypes, "CDLL", lambda name: loaded.append(name) or object())
    for platform_name in ("darwin", "win32"):
        monkeypatch.setattr(sys, "platform", platform_name)
        function()
    assert loaded == []
    monkeypatch.setattr(sys, "platform", "linux")
    function()  # musl has neither function
    assert loaded == [None]


def test_a_python_that_cannot_load_its_own_symbols_works(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_name: object) -> None:
        raise OSError

    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(ctypes, "CDLL", refuse)
    return_freed_memory()


@pytest.mark.parametrize(
    ("limit", "is_refused"), [(1_000_000, False), (999_999, True), (resource.RLIM_INFINITY, False)]
)
def test_a_limit_below_what_libraries_need_is_refused(limit, is_refused, monkeypatch):
    monkeypatch.setattr(resource, "getrlimit", lambda _kind: (limit, limit))
    if not is_refused:
        refuse_small_limit(1_000_000)
        return
    with pytest.raises(ResourceError, match=r"memory is 999,999 bytes \(ulimit -v\), .* takes 1,000,000; raise it"):
        refuse_small_limit(1_000_000)
