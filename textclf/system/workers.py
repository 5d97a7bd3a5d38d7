"""Work spread over several processes, its results in order. Knows nothing about what the work is."""

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
from typing import Any, Final, TypeVar, TypeVarTuple

from textclf.errors import ResourceError

Given = TypeVarTuple("Given")
Item = TypeVar("Item")
Result = TypeVar("Result")

PATIENCE: Final = 0.2  # seconds of work before others are started, which is then done while this process works on
TURN: Final = 1e-4
"""Seconds that a thread may hold Python's lock while others wait: with the usual 5 ms, a thread that has sent work, or
part of it, waits so long for its turn to go on, and its process with it."""
AHEAD: Final = 3  # items under way for each process: one at work, one waiting, one on its way


class Pool:
    """Processes that work for this one, each with a thread that sends it work, waits, and takes the result.

    Each has a pipe of its own. A `ProcessPoolExecutor` has one for all results, and waits for ever for the rest of one
    if the process that was sending it is killed: that pipe does not close as long as the others live.
    """

    def __init__(self, count: int, *, imports: str) -> None:
        self._are_copies = _can_be_copied()
        self._context: Any = multiprocessing.get_context("fork") if self._are_copies else _context(imports)
        self._started: list[tuple[BaseProcess, Connection]] = []
        self._free: deque[Connection] = deque()
        self._threads = ThreadPoolExecutor(count)
        self._of_thread = local()
        self._count = count

    def copy(self) -> None:
        """Start copies, if there are to be some: they must be there before threads are."""
        with _naming_lack_of_memory():
            self._free.extend(self._start() for _ in range(self._count if self._are_copies else 0))

    def submit(self, function: Callable[[*Given], Result], *given: *Given) -> Future[Result]:
        """Have a process call a function; the future raises what it raises, or ResourceError if it is killed."""
        return self._threads.submit(self._ask, function, given)

    def close(self) -> None:
        """Wait for what is at work, leave what is not, and end the processes."""
        self._threads.shutdown(cancel_futures=True)
        for _, pipe in self._started:
            pipe.close()
        for process, _ in self._started:
            process.join()

    def _ask(self, function: Callable[..., Result], given: tuple[Any, ...]) -> Result:
        with _naming_lack_of_memory():
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
        copied = [ours, *(pipe for _, pipe in self._started)] if self._are_copies else []
        process = self._context.Process(target=_work, args=(theirs, copied))
        with _deaf_to_signals():
            process.start()
            self._started.append((process, ours))
        theirs.close()  # so that only the process holds it, and ours tells when that is gone
        return ours


def _can_be_copied() -> bool:
    """Whether a copy of this process works: a lock that another thread holds, ours or a library's, would never open."""
    threads = Path("/proc/self/task")  # as Linux has it; elsewhere a copy is not safe
    for _ in range(10 if threads.is_dir() else 0):
        if len(list(threads.iterdir())) == 1:
            return True
        if active_count() > 1:
            return False
        sleep(0.001)  # one that has just ended is there for a moment yet
    return False


def _context(imports: str) -> Any:
    """How else processes are started: by one that has imported the module, where there can be such."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([imports])
    _start_the_forkserver()
    return context


def _work(pipe: Connection, copied: list[Connection]) -> None:
    """Answer what comes through a pipe until it is closed.

    ``copied``: pipes of the process that this is a copy of, which would stay open with them.
    """
    gc.freeze()  # looking through the copy for garbage would write to what is shared, and so take memory
    for other in copied:
        other.close()
    _live_as_long_as_the_parent()
    with suppress(EOFError, OSError):
        while True:
            pipe.send(_answer(*pipe.recv()))


def _answer(function: Callable[..., Any], given: tuple[Any, ...]) -> tuple[Exception | None, Any]:
    """What a function raises, or returns."""
    try:
        return None, function(*given)
    except Exception as error:  # raised where it was asked for
        error.add_note(traceback.format_exc())
        return error, None


@contextmanager
def _naming_lack_of_memory() -> Iterator[None]:
    try:
        yield
    except (EOFError, OSError) as gone:
        raise ResourceError("a process was killed, for want of memory perhaps; try --num-workers 1") from gone


@contextmanager
def pool(count: int, *, imports: str) -> Iterator[Pool]:
    """That many processes: copies of this one, which know all that it does, where that is safe.

    Else they have the module ``imports``, and are started when there is work for them.
    """
    pool = Pool(count, imports=imports)
    usual = sys.getswitchinterval()
    try:
        pool.copy()
        sys.setswitchinterval(TURN)
        yield pool
    finally:
        pool.close()
        sys.setswitchinterval(usual)


def in_order(pool: Pool, function: Callable[[Item], Result], items: Iterable[Item], *, ahead: int) -> Iterator[Result]:
    """The results of a function, in the order of the items, of which at most ``ahead`` are under way at a time."""
    waiting: deque[Future[Result]] = deque()
    for item in items:
        waiting.append(pool.submit(function, item))
        while waiting and (len(waiting) >= ahead or waiting[0].done()):
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


class Crew:
    """This process alone, and others in its place once there has been enough work to pay for their start."""

    def __init__(self, count: int, *, imports: str, patience: float, stack: ExitStack) -> None:
        self.count = count
        self._patience = patience
        self._imports = imports
        self._stack = stack
        self._worked = 0.0  # seconds
        self._pool: Pool | None = None
        self._ready: Future[int] | None = None

    def map(self, function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        """The results of a function, in the order of the items; few of these are read ahead."""
        items = iter(items)
        for item in items:
            if (others := self._others()) is not None:
                yield from in_order(others, function, chain((item,), items), ahead=AHEAD * self.count)
                return
            start = perf_counter()
            result = function(item)
            self._worked += perf_counter() - start  # without the wait for items
            yield result

    def _others(self) -> Pool | None:
        """The other processes, once they are ready; they are started when that pays. None: this one works alone."""
        if self.count > 1 and self._pool is None and self._worked >= self._patience:
            self._pool = self._stack.enter_context(pool(self.count, imports=self._imports))
            self._ready = self._pool.submit(int)
        is_ready = self._ready is not None and self._ready.done() and self._ready.exception() is None
        return self._pool if is_ready else None


@contextmanager
def crew(count: int, *, imports: str, is_long: bool = False) -> Iterator[Crew]:
    """That many processes, as `pool` makes them, if there is work for them; raises ResourceError if one is killed.

    ``is_long``: it is known that there is, so they are started at once.
    """
    with ExitStack() as stack:
        yield Crew(count, imports=imports, patience=0.0 if is_long else PATIENCE, stack=stack)


def _start_the_forkserver() -> None:
    """Start the process that starts the others, deaf to the two signals from its first moment on, as they will be."""
    resource_tracker.ensure_running()  # which it would start, and that lets the signals through again
    with _deaf_to_signals():
        forkserver.ensure_running()


@contextmanager
def _deaf_to_signals() -> Iterator[None]:
    """Hold back the two signals, here until the end, in a process that is started meanwhile until it ignores them."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _live_as_long_as_the_parent() -> None:
    """Leave Ctrl-C and SIGTERM, which reach every process of a terminal or container, to the parent; end if it is gone.

    Of itself a process would first finish what it is at.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    Thread(target=_end_with_the_parent, daemon=True).start()


def _end_with_the_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os._exit(1)
