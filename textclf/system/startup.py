"""What this machine lets us use."""

import gc
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from textclf.errors import ResourceError

_TRIM_THRESHOLD: Final = -1  # numbers of settings in glibc's malloc.h
_MMAP_THRESHOLD: Final = -3
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


def share_freed_memory() -> None:
    """Let everyone take what another has freed: call before threads are started, and before Arrow is imported.

    glibc gives each thread a part of the memory to itself, where a hundred megabytes can lie idle; and it may keep
    blocks of up to 32 MB, of which parts are then in use. Arrow has an allocator of its own, which keeps thirty once it
    has read a table.
    """
    os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
    mallopt, _ = _glibc()
    mallopt(_ARENA_MAX, 1)
    mallopt(_MMAP_THRESHOLD, 16 << 20)


@contextmanager
def keeping_memory() -> Iterator[None]:
    """Keep memory that is freed for the next allocation, as the steps of training free and take the same each time.

    glibc gives each large block back to the kernel, which clears it page by page when the next step asks for as much:
    for the gradient of a large embedding, half the time of a step. What is free before, or at the end, goes back.
    """
    mallopt, _ = _glibc()
    give_back_memory()
    mallopt(_MMAP_MAX, 0)
    mallopt(_TRIM_THRESHOLD, 2**31 - 1)
    try:
        yield
    finally:
        mallopt(_MMAP_MAX, 65_536)  # both as glibc begins
        mallopt(_TRIM_THRESHOLD, 128 << 10)
        give_back_memory()


def give_back_memory() -> None:
    """Give the kernel what is free at the moment, page by page."""
    _, trim = _glibc()
    trim(0)


def _glibc() -> tuple[Callable[[int, int], int], Callable[[int], int]]:
    """Its functions mallopt and malloc_trim; where there is no glibc, functions that do nothing."""
    if sys.platform == "linux":
        import ctypes

        with suppress(OSError, AttributeError):
            library = ctypes.CDLL(None)
            return library.mallopt, library.malloc_trim
    return lambda _name, _value: 0, lambda _kept: 0


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
def no_collector() -> Iterator[None]:
    """Look for no garbage meanwhile, as while modules are loaded: Python would, again and again, and find none."""
    is_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if is_on:
            gc.enable()


@contextmanager
def loading_to_stay() -> Iterator[None]:
    """Leave what is imported and loaded here to the end of the program: the collector does not look at it again."""
    with no_collector():
        yield
        gc.freeze()


def leave_garbage() -> None:
    """Look for no garbage as the program ends, which after training takes 0.4 s; its memory is freed anyway."""
    gc.freeze()
