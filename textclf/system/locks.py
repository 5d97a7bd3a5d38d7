"""Locks of files and folders: held by one process, gone with it however it ends, and not kept by its children.

A lock is a flock on the file or folder itself, https://man7.org/linux/man-pages/man2/flock.2.html, so that no file is
left behind, and what is renamed stays locked. Forked copies of a process share its locks; here each copy lets go of
them at once, or a worker that outlives a killed process would keep them.
"""

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import RLock
from time import sleep
from typing import Final

ATTEMPTS: Final = 10
PAUSE: Final = 0.01
"""Seconds between two attempts: `is_held` takes a lock for a moment, and that must not refuse it to anybody."""

_turns: dict[str, RLock] = {}
"""What threads of this process wait for, by name."""

_held: set[int] = set()
"""Descriptors of the locks of this process."""


@contextmanager
def holding(path: Path) -> Iterator[bool | None]:
    """Hold the lock of a file or folder meanwhile; yields whether it is held.

    False: another process, or another thread of this one, holds it. None: the file system has no locks. Raises
    FileNotFoundError if nothing is there, or if it was removed or replaced before it was locked.
    """
    number = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    _held.add(number)
    try:
        is_held = _lock(number)
        if not os.path.samestat(os.fstat(number), path.stat()):
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))
        yield is_held
    finally:
        if number in _held:  # not in a forked copy, where the descriptor may be another file by now
            _held.remove(number)
            os.close(number)


def is_held(path: Path) -> bool:
    """Whether a process holds the lock of a file or folder."""
    if sys.platform == "win32":
        return False
    import fcntl

    try:
        number = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except OSError:
        return False
    try:
        fcntl.flock(number, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    else:
        return False
    finally:
        os.close(number)


@contextmanager
def one_thread(name: str) -> Iterator[None]:
    """Let one thread of this process do this at a time; others wait for their turn.

    A forked copy starts without threads that have the turn.
    """
    with _turns.setdefault(name, RLock()):
        yield


def _lock(number: int) -> bool | None:
    if sys.platform == "win32":
        return None
    import fcntl

    for attempt in range(ATTEMPTS):
        if attempt:
            sleep(PAUSE)
        try:
            fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            continue
        except OSError:
            return None
        return True
    return False


def _let_go() -> None:
    """In a forked copy: close the locks, which their owner still holds, and forget the turns of other threads."""
    for number in _held:
        os.close(number)
    _held.clear()
    _turns.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_let_go)
