"""Rules for the whole process, set in one place: threads, freed memory, and the search for garbage.

Two callers set them. `textclf.cli` calls `configure_program` before it runs a command: the process is ours. The package
`textclf.training` calls `let_torch_threads_sleep` when it is imported, in a program of whoever calls it from Python.
"""

import atexit
import codecs
import gc
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

from textclf.system import failures, memory
from textclf.system.search_path import SAFE

_WAIT_POLICY: Final = "OMP_WAIT_POLICY"

_forked_with_torch: set[int] = set()
"""This process, and those it was forked from, if they are copies of one that had imported torch."""

GARBAGE_THRESHOLDS: Final = (100_000, 50, 100)
"""New objects before Python looks for garbage among them, and how often it does before it looks among older ones."""


def configure_program() -> None:
    """Set the rules of a program of our own; call it first, before numpy, torch or Arrow is imported.

    The user's own environment variables win. Numpy multiplies in one thread: our matrices are small, starting more
    threads takes a third of the time of importing numpy, and a process with several threads cannot be forked safely.
    Python looks for garbage less often, as importing torch makes much and drops none, and not again at the end: that
    is a tenth of training on 20newsgroups, on an idle machine. Python that is started from here does not import code of
    the current folder.
    """
    speak_utf8()
    os.environ[SAFE] = "1"
    gc.set_threshold(*GARBAGE_THRESHOLDS)
    atexit.register(gc.freeze)
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")  # its own allocator keeps 30 MB after a table
    let_torch_threads_sleep()
    memory.share_heap()


def speak_utf8() -> None:
    """Start this program again in Python's UTF-8 mode, if names of files and arguments could only be ASCII.

    That is so in the locale C or POSIX when the mode is turned off, by ``PYTHONUTF8=0``: arguments then lose what is
    not ASCII, and no file with such a name can be written.
    """
    if not sys.flags.utf8_mode and codecs.lookup(sys.getfilesystemencoding()).name == "ascii":
        with suppress(OSError):
            os.execv(sys.executable, [sys.executable, "-X", "utf8", *sys.orig_argv[1:]])  # noqa: S606


def hide_progress_bars() -> None:
    """Let the libraries of the Hub, and copies of remote files, show no progress bar; call it before they begin."""
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    os.environ.setdefault("HF_DATASETS_DISABLE_PROGRESS_BARS", "1")


def let_torch_threads_sleep() -> None:
    """Let torch's threads sleep while they wait for each other, if torch is not imported yet.

    By default they spin, which keeps other busy threads and programs from the processor: training on 20newsgroups next
    to one busy program then takes four times the CPU time. OpenMP reads the variable once, when torch is imported; it
    stays set, as the policy does, until the process ends.
    """
    if "torch" not in sys.modules:
        os.environ.setdefault(_WAIT_POLICY, "PASSIVE")


@contextmanager
def no_spinning() -> Iterator[None]:
    """Use one torch thread here if torch was imported before `let_torch_threads_sleep`; the number is restored after.

    That takes as long as two threads that sleep (12 s on 20newsgroups), at half the CPU time of two that spin. So does
    a forked copy of a process that has torch: OpenMP would wait for threads that the copy does not have.
    """
    torch = sys.modules.get("torch")
    if torch is None or (_WAIT_POLICY in os.environ and not _forked_with_torch):
        yield
        return
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def sound_after_fork() -> None:
    """Use one torch thread from now on in a forked copy of a process that had torch, as `no_spinning` does."""
    if _forked_with_torch:
        sys.modules["torch"].set_num_threads(1)


def refuse_few_threads(count: int) -> None:
    """Raise ResourceError if this number of threads cannot be started.

    OpenMP, which torch computes with, ends the process where it cannot start its own.
    """
    from threading import Event, Thread

    done = Event()
    threads = [Thread(target=done.wait, daemon=True) for _ in range(count)]
    started = []
    try:
        for thread in threads:
            thread.start()
            started.append(thread)
    except RuntimeError as error:
        raise failures.explain(error) or error from error
    finally:
        done.set()
        for thread in started:
            thread.join()


def _remember_torch() -> None:
    if "torch" in sys.modules:
        _forked_with_torch.add(os.getpid())


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_remember_torch)


def processors() -> int:
    """Number of processors this process may run on: in a container often fewer than the machine has."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
