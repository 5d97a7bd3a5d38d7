"""Work spread over several processes, its results in order. Knows nothing about what the work is."""

import multiprocessing
import os
import signal
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack, contextmanager, suppress
from itertools import chain
from multiprocessing import connection, forkserver, resource_tracker
from threading import Thread
from time import perf_counter
from typing import Final, TypeVar

from textclf.errors import ResourceError

Item = TypeVar("Item")
Result = TypeVar("Result")

PATIENCE: Final = 0.2  # seconds of work before others are started, which is then done while this process works on
AHEAD: Final = 3  # items under way for each process: one at work, one waiting, one on its way


@contextmanager
def pool(count: int, *, imports: str) -> Iterator[ProcessPoolExecutor]:
    """That many processes, all of them with the module ``imports``; raises ResourceError if one is killed.

    Not by fork: a lock that a thread of ours holds would never open in a copy.
    """
    methods = multiprocessing.get_all_start_methods()
    context = multiprocessing.get_context("forkserver" if "forkserver" in methods else "spawn")
    if "forkserver" in methods:
        context.set_forkserver_preload([imports])
        _start_the_forkserver()
    executor = ProcessPoolExecutor(count, mp_context=context, initializer=_live_as_long_as_the_parent)
    try:
        yield executor
    except BrokenProcessPool as error:
        raise ResourceError("a process was killed, for want of memory perhaps; try --num-workers 1") from error
    finally:
        executor.shutdown(cancel_futures=True)


def in_order(
    executor: ProcessPoolExecutor, function: Callable[[Item], Result], items: Iterable[Item], *, ahead: int
) -> Iterator[Result]:
    """The results of a function, in the order of the items, of which at most ``ahead`` are under way at a time.

    ``map`` of the executor would first read all items, however many there are.
    """
    waiting: deque[Future[Result]] = deque()
    for item in items:
        waiting.append(executor.submit(function, item))
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
        self._pool: ProcessPoolExecutor | None = None
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

    def _others(self) -> ProcessPoolExecutor | None:
        """The other processes, once they are ready; they are started when that pays."""
        if self.count > 1 and self._pool is None and self._worked >= self._patience:
            self._pool = self._stack.enter_context(pool(self.count, imports=self._imports))
            starting = Thread(target=self._start, args=(self._pool,))  # which would otherwise wait for their imports
            starting.start()
            self._stack.callback(starting.join)
        return self._pool if self._ready is not None and self._ready.done() else None

    def _start(self, others: ProcessPoolExecutor) -> None:
        with suppress(OSError, EOFError, RuntimeError):  # stopped meanwhile, or killed: this process works on alone
            self._ready = others.submit(int)


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
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    try:
        forkserver.ensure_running()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _live_as_long_as_the_parent() -> None:
    """Leave Ctrl-C and SIGTERM, which reach every process of a terminal or container, to the parent; end if it is gone.

    Of itself a process would wait for work for ever, as it holds both ends of the pipe from which work comes.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    Thread(target=_end_with_the_parent, daemon=True).start()


def _end_with_the_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os._exit(1)
