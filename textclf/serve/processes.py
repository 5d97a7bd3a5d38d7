"""The worker processes of a server: one that ends is replaced, and all end with this process, even if it is killed."""

import gc
import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from mmap import mmap
from multiprocessing import connection
from multiprocessing.process import BaseProcess
from threading import Thread
from time import monotonic
from types import FrameType
from typing import Final

from textclf.errors import ResourceError

STOPS: Final = (signal.SIGTERM, signal.SIGINT)
STOP_SECONDS: Final = 6.0  # for the workers to end after a signal, before they are killed
WAIT_SECONDS: Final = 0.5  # at most, between two looks at the workers
FIRST_PAUSE: Final = 0.1
LONGEST_PAUSE: Final = 10.0
"""Seconds before a worker is replaced while another serves: they double with each that lived shorter than this."""
MOST_FAILURES: Final = 5
"""Workers in a row that ended before they could serve, while none serves, after which no other is tried."""


class Workers:
    """Processes that serve: each calls ``serve`` with its number and a function to call once it can serve."""

    def __init__(self, serve: Callable[[int, Callable[[], None]], None], count: int) -> None:
        self._serve = serve
        self._can_serve = mmap(-1, count)  # shared: each worker sets its byte
        self._running: dict[int, tuple[BaseProcess, float]] = {}
        """The workers by number, and when each was started."""
        self._due = dict.fromkeys(range(count), 0.0)
        """When to start each of the others."""
        self._pauses = dict.fromkeys(range(count), FIRST_PAUSE)
        self._failures = 0
        self._stopped: float | None = None
        self._lifeline, self._our_end = os.pipe()
        """A pipe that nobody writes to. It closes when this process ends, which alone has the other end."""

    def run(self) -> None:
        """Serve until SIGTERM or SIGINT; raises ResourceError if no worker can serve."""
        for number in STOPS:
            signal.signal(number, self._stop)
        gc.freeze()  # a collection in a worker would write to the memory that all share, and so copy it
        try:
            while self._stopped is None or self._running:
                self._start_due()
                waiting = [process.sentinel for process, _ in self._running.values()]
                connection.wait(waiting, timeout=min(FIRST_PAUSE if self._due else WAIT_SECONDS, WAIT_SECONDS))
                self._collect()
        finally:
            for process, _ in self._running.values():
                process.kill()

    def _start_due(self) -> None:
        """Start the workers that are to be started by now."""
        for worker in [each for each, due in self._due.items() if due <= monotonic()]:
            del self._due[worker]
            # Forked, to share the models; no other thread holds a lock at this point.
            process = multiprocessing.get_context("fork").Process(target=self._work, args=(worker,))
            try:
                with _holding_signals():
                    process.start()
            except OSError as error:
                self._replace(worker, f"could not be started ({error.strerror})", lived=0)
            else:
                self._running[worker] = process, monotonic()

    def _collect(self) -> None:
        """Take note of the workers that have ended; kill those that do not end after a signal."""
        for worker, (process, began) in list(self._running.items()):
            if self._stopped is not None and monotonic() - self._stopped > STOP_SECONDS:
                process.kill()
            if process.is_alive():
                continue
            process.join()
            del self._running[worker]
            if self._stopped is None:
                self._replace(worker, f"ended with {_reason(process.exitcode)}", lived=monotonic() - began)

    def _replace(self, worker: int, why: str, *, lived: float) -> None:
        """Have another worker started, at once if none serves; raises ResourceError if none ever would."""
        self._failures = 0 if self._can_serve[worker] else self._failures + 1
        self._can_serve[worker] = 0
        if self._failures >= MOST_FAILURES and not any(self._can_serve[:]):
            raise ResourceError(f"no worker can serve: the last {why}; try --num-workers 1")
        self._pauses[worker] = FIRST_PAUSE if lived > LONGEST_PAUSE else min(2 * self._pauses[worker], LONGEST_PAUSE)
        self._due[worker] = monotonic() + (self._pauses[worker] if any(self._can_serve[:]) else FIRST_PAUSE)
        print(f"textclf: worker {worker + 1} {why}; another takes its place", file=sys.stderr, flush=True)

    def _work(self, worker: int) -> None:
        """Serve, in a worker."""
        os.close(self._our_end)
        Thread(target=self._end_with_the_parent, daemon=True).start()
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all processes of a terminal; the parent tells us
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPS)
        self._serve(worker, lambda: self._can_serve.__setitem__(worker, 1))

    def _end_with_the_parent(self) -> None:
        os.read(self._lifeline, 1)
        os._exit(1)

    def _stop(self, number: int, frame: FrameType | None) -> None:
        self._stopped = self._stopped or monotonic()
        self._due.clear()
        for process, _ in self._running.values():
            process.terminate()


@contextmanager
def _holding_signals() -> Iterator[None]:
    """Hold back SIGTERM and SIGINT, so that a process started meanwhile gets them only once it handles them."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, STOPS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _reason(exit_code: int | None) -> str:
    """How a process ended."""
    if exit_code is not None and exit_code < 0:
        return f"signal {-exit_code}"
    return f"exit code {exit_code}"
