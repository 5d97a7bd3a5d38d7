"""What this machine lets us use."""

import ctypes
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Final

from textclf.errors import ResourceError

_GLIBC_SETTINGS: Final = (
    (-8, 1),  # M_ARENA_MAX: one heap for all threads
    (-3, 16 << 20),  # M_MMAP_THRESHOLD: larger blocks are returned as soon as they are freed
    (-1, 16 << 20),  # M_TRIM_THRESHOLD: at most this much is kept free at the end of the heap
)
"""By https://man7.org/linux/man-pages/man3/mallopt.3.html."""


def processors() -> int:
    """Processors that this process may run on: in a container often fewer than the machine has."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def refuse_full_disk(path: Path, *, needed: int, files: int) -> None:
    """Raise ResourceError if the disk of a folder has too little room for so many bytes, or for so many new files."""
    if not hasattr(os, "statvfs"):
        return
    disk = os.statvfs(path)
    free = disk.f_bavail * disk.f_frsize
    if free < needed:
        raise ResourceError(
            f"too little space to write {path}: about {needed:,} bytes are needed and {free:,} are free; free some, "
            "or choose another --data-dir"
        )
    if disk.f_files and disk.f_favail < files:  # some file systems have no such limit, and say 0
        raise ResourceError(
            f"too few files can be made to write {path}: {files:,} are needed and {disk.f_favail:,} are free (inodes); "
            "remove some, or choose another --data-dir"
        )


def share_freed_memory() -> None:
    """Return freed memory to the kernel: call before Arrow is imported and before threads start.

    Otherwise Arrow keeps 30 MB, glibc gives each thread a heap of its own, and raises the size from which it returns a
    block to 32 MB: training on 20newsgroups then takes 600 MB instead of 500.
    """
    os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):  # another C library than glibc
            mallopt = ctypes.CDLL(None).mallopt
            for name, value in _GLIBC_SETTINGS:
                mallopt(name, value)


def let_threads_sleep() -> None:
    """Let the threads of torch sleep while they wait for each other: call before torch is imported.

    By default they spin, which beside another busy program, or a thread of ours that makes the next batch, keeps from
    the processor whom they wait for: an epoch of a small model then takes up to ten times as long.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def one_thread() -> None:
    """Let numpy multiply in one thread, unless the user says otherwise: call before numpy is imported.

    Starting its threads takes a third of the time of importing it, and for small matrices they wait for each other:
    beside another busy program two of them take twice as long as one.
    """
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
