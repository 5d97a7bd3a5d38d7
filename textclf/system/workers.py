"""Worker processes: `map` a function over items, with the results in order.

A worker that is killed is reported as a ResourceError, and nobody waits for it. Workers leave Ctrl-C and SIGTERM to the
process that started them, and end when it ends.
"""

import gc
import multiprocessing
import os
import signal
import sys
import traceback
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from itertools import chain
from multiprocessing import connection, forkserver, resource_tracker
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from threading import Thread, active_count, local
from time import perf_counter, sleep
from typing import Any, Final, Protocol, TypeVar, TypeVarTuple

from textclf.errors import ResourceError
from textclf.system import failures
from textclf.system.subprocesses import searching_safely

Given = TypeVarTuple("Given")
Item = TypeVar("Item")
Result = TypeVar("Result")

ALONE_SECONDS: Final = 0.2
"""Seconds of work before workers are started: less than their start takes."""
SWITCH_SECONDS: Final = 1e-4
"""Seconds for which a thread may keep Python's lock while others wait. With the usual 5 ms a thread that has sent part
of its item waits long before it can send the rest, and its worker with it."""
QUEUED: Final = 3
"""Items per worker that are not finished: one at work, one waiting, one on its way."""


class Mapper(Protocol):
    """Whatever can apply a function to many items: this process, worker processes, or a cluster."""

    def map(self, function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        """The results in the order of the items, of which only a few are read ahead."""
        ...


class Pool:
    """Worker processes, each with a thread here that sends it items and waits for the results.

    Each has its own pipe. A `ProcessPoolExecutor` has one pipe for all results, and waits forever for the rest of one
    if the worker is killed while it sends: the pipe stays open as long as other workers live.
    """

    def __init__(self, count: int, *, imports: str, advice: str) -> None:
        self.count = count
        self._advice = advice
        self._forks = can_fork()
        self._context: Any = multiprocessing.get_context("fork") if self._forks else _context(imports)
        self._started: list[tuple[BaseProcess, Connection]] = []
        self._free: deque[Connection] = deque()
        self._threads = ThreadPoolExecutor(count)
        self._of_thread = local()

    def fork(self) -> None:
        """Start the workers if they are forked copies: before there are threads."""
        with _naming_lack_of_memory(self._advice):
            self._free.extend(self._start() for _ in range(self.count if self._forks else 0))

    def submit(self, function: Callable[[*Given], Result], *given: *Given) -> Future[Result]:
        """Have a worker call a function; the future raises what it raises, or ResourceError if it is killed."""
        return self._threads.submit(self._ask, function, given)

    def map(self, function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        """The results in the order of the items, of which at most QUEUED per worker are read ahead."""
        waiting: deque[Future[Result]] = deque()
        for item in items:
            waiting.append(self.submit(function, item))
            while waiting and (len(waiting) >= QUEUED * self.count or waiting[0].done()):
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()

    def kill(self) -> None:
        """End the workers in the middle of their items."""
        for process, _ in self._started:
            process.kill()

    def close(self) -> None:
        """Wait for the items at work, drop those that wait, and end the workers."""
        self._threads.shutdown(cancel_futures=True)
        for _, pipe in self._started:
            pipe.close()
        for process, _ in self._started:
            process.join()

    def _ask(self, function: Callable[..., Result], given: tuple[Any, ...]) -> Result:
        with _naming_lack_of_memory(self._advice):
            if not hasattr(self._of_thread, "pipe"):
                self._of_thread.pipe = self._free.popleft() if self._free else self._start()
            self._of_thread.pipe.send((function, given))
            error, result = self._of_thread.pipe.recv()
        if error is not None:
            raise error
        return result  # type: ignore[no-any-return]

    def _start(self) -> Connection:
        ours: Connection
        ours, theirs = self._context.Pipe()
        inherited = [ours, *(pipe for _, pipe in self._started)] if self._forks else []
        process = self._context.Process(target=_work, args=(theirs, inherited))
        with _holding_signals(), searching_safely():
            process.start()
            self._started.append((process, ours))
        theirs.close()  # so that only the worker holds it, and ours reports its end
        return ours


class LazyPool:
    """This process alone at first; workers take over once there was enough work to pay for their start."""

    def __init__(self, count: int, *, imports: str, alone_seconds: float, stack: ExitStack) -> None:
        self._count = count
        self._imports = imports
        self._alone_seconds = alone_seconds
        self._stack = stack
        self._worked = 0.0  # seconds
        self._pool: Pool | None = None
        self._ready: Future[int] | None = None

    def map(self, function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        """The results in the order of the items, of which only a few are read ahead."""
        items = iter(items)
        for item in items:
            if (workers := self._workers()) is not None:
                yield from workers.map(function, chain((item,), items))
                return
            start = perf_counter()
            result = function(item)
            self._worked += perf_counter() - start  # without the wait for items
            yield result

    def _workers(self) -> Pool | None:
        """The workers once they are ready, started once that pays; None: this process works alone."""
        if self._count > 1 and self._pool is None and self._worked >= self._alone_seconds:
            self._pool = self._stack.enter_context(pool(self._count, imports=self._imports))
            self._ready = self._pool.submit(int)
        is_ready = self._ready is not None and self._ready.done() and self._ready.exception() is None
        return self._pool if is_ready else None


@contextmanager
def pool(count: int, *, imports: str, advice: str = "try --num-workers 1") -> Iterator[Pool]:
    """Worker processes: forked copies of this one where that is safe, with everything that it has in memory.

    Otherwise they have imported the module ``imports``, and start when there is work for them. ``advice`` ends the
    message of the ResourceError if one is killed.
    """
    pool = Pool(count, imports=imports, advice=advice)
    usual = sys.getswitchinterval()
    try:
        pool.fork()
        sys.setswitchinterval(SWITCH_SECONDS)
        yield pool
    finally:
        pool.close()
        sys.setswitchinterval(usual)


@contextmanager
def lazy_pool(count: int, *, imports: str, alone_seconds: float = ALONE_SECONDS) -> Iterator[LazyPool]:
    """Workers as of `pool`, started after ``alone_seconds`` of work; raises ResourceError if one is killed."""
    with ExitStack() as stack:
        yield LazyPool(count if may_start() else 1, imports=imports, alone_seconds=alone_seconds, stack=stack)


def may_start() -> bool:
    """Whether this process may start others: a worker of a ``multiprocessing.Pool`` may not."""
    return not multiprocessing.current_process().daemon


def can_fork() -> bool:
    """Whether a forked copy would work: one thread, on Linux. A lock that another thread holds would stay locked."""
    if not may_start():
        return False
    threads = Path("/proc/self/task")
    for _ in range(10 if threads.is_dir() else 0):
        if len(list(threads.iterdir())) == 1:
            return True
        if active_count() > 1:
            return False
        sleep(0.001)  # a thread that has just ended is still listed for a moment
    return False


def _context(imports: str) -> Any:
    """How workers start if not as forked copies: from a server process that has imported the module, if possible."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([imports])
    with searching_safely():
        resource_tracker.ensure_running()  # the forkserver would start it, and that lets the signals through again
        with _holding_signals():
            forkserver.ensure_running()
    return context


@contextmanager
def _naming_lack_of_memory(advice: str) -> Iterator[None]:
    try:
        yield
    except (EOFError, OSError) as gone:
        killed = ResourceError(f"a process was killed, for want of memory perhaps; {advice}")
        raise failures.refused(gone, "a pipe") or killed from gone


@contextmanager
def _holding_signals() -> Iterator[None]:
    """Hold back Ctrl-C and SIGTERM meanwhile; a process started here gets them only after it ignores them."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


# In a worker


def _work(pipe: Connection, inherited: list[Connection]) -> None:
    """Answer calls from a pipe until it is closed; ``inherited`` pipes of a fork would stay open with this process."""
    gc.freeze()  # a collection would write to the memory that is shared with the parent, and so copy it
    for other in inherited:
        other.close()
    for number in (signal.SIGINT, signal.SIGTERM):  # they reach every process of a terminal or container
        signal.signal(number, signal.SIG_IGN)
    with suppress(EOFError, OSError):
        try:
            Thread(target=_end_with_the_parent, daemon=True).start()
        except RuntimeError as error:  # no more threads: this is the answer to the first call
            pipe.send((failures.explain(error) or error, None))
            return
        while True:
            pipe.send(_call(*pipe.recv()))


def _call(function: Callable[..., Any], given: tuple[Any, ...]) -> tuple[Exception | None, Any]:
    """The error that a function raises, and its result."""
    try:
        return None, function(*given)
    except Exception as error:  # raised again in the parent
        error.add_note(traceback.format_exc())
        return error, None


def _end_with_the_parent() -> None:
    """End at once when the parent is gone; otherwise the worker would first finish its item."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os._exit(1)
