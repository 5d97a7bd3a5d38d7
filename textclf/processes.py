"""Work spread over several processes, its results in order. Knows nothing about what the work is."""

import multiprocessing
import signal
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import TypeVar

from textclf.errors import ResourceError

Item = TypeVar("Item")
Result = TypeVar("Result")


@contextmanager
def pool(count: int, *, imports: str) -> Iterator[ProcessPoolExecutor]:
    """That many processes, all of them with the module ``imports``; raises ResourceError if one is killed.

    Not by fork: a lock that a thread of ours holds would never open in a copy.
    """
    methods = multiprocessing.get_all_start_methods()
    context = multiprocessing.get_context("forkserver" if "forkserver" in methods else "spawn")
    context.set_forkserver_preload([imports])
    executor = ProcessPoolExecutor(count, mp_context=context, initializer=_leave_ctrl_c_to_the_parent)
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


def _leave_ctrl_c_to_the_parent() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
