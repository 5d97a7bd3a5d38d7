"""What this machine lets us use."""

import gc
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from textclf.errors import ResourceError

_TRIM_THRESHOLD: Final = -1  # names of settings in glibc's malloc.h
_MMAP_MAX: Final = -4
_ARENA_MAX: Final = -8


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


def keep_memory() -> None:
    """Keep freed memory for the next allocation: call before training, once.

    glibc gives each large block back to the kernel, which clears it page by page when the next step asks for as much:
    for the gradient of a large embedding, half the time of a step. What one thread has freed is for the others, too.
    Does nothing with another C library.
    """
    if sys.platform == "linux":
        try:
            import ctypes

            mallopt = ctypes.CDLL(None).mallopt
        except (OSError, AttributeError):
            return
        mallopt(_MMAP_MAX, 0)
        mallopt(_TRIM_THRESHOLD, 2**31 - 1)
        mallopt(_ARENA_MAX, 1)


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


@contextmanager
def loading_to_stay() -> Iterator[None]:
    """Leave what is imported and loaded here to the end of the program, for short ones whose time that is.

    Python would look through it for garbage while it is loaded, and again at the end: a sixth of a prediction's time.
    """
    gc.disable()
    try:
        yield
        gc.freeze()
    finally:
        gc.enable()
