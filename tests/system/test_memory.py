import ctypes
import os
import platform
import subprocess
import sys

import pytest

from textclf.system.memory import return_freed_memory

FREED_BY_ANOTHER_THREAD = """
import sys
from pathlib import Path
from threading import Thread
from textclf.system.memory import return_freed_memory

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1])

if sys.argv[1] == "return":
    return_freed_memory()
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

FREED_BLOCKS = """
import sys
from pathlib import Path
from textclf.system.memory import return_freed_memory

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1])

if sys.argv[1] == "return":
    return_freed_memory()
bytearray(24 << 20)  # after the first free, glibc takes blocks of this size from its heap
before = resident()
blocks = [bytearray(20 << 20) for _ in range(3)]
end = bytearray(100_000)
del blocks
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
    assert pages(FREED_BY_ANOTHER_THREAD, "return") < 0.1 * needed


@GLIBC
def test_large_blocks_are_returned_as_soon_as_they_are_freed() -> None:
    freed = (60 << 20) // os.sysconf("SC_PAGE_SIZE")
    assert pages(FREED_BLOCKS, "keep") > 0.9 * freed
    assert pages(FREED_BLOCKS, "return") < 0.1 * freed


def test_another_c_library_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = []
    monkeypatch.setattr(ctypes, "CDLL", lambda name: loaded.append(name) or object())
    for platform_name in ("darwin", "win32"):
        monkeypatch.setattr(sys, "platform", platform_name)
        return_freed_memory()
    assert loaded == []
    monkeypatch.setattr(sys, "platform", "linux")
    return_freed_memory()  # musl has no mallopt
    assert loaded == [None]


def test_a_python_that_cannot_load_its_own_symbols_works(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_name: object) -> None:
        raise OSError

    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(ctypes, "CDLL", refuse)
    return_freed_memory()
