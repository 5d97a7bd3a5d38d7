"""The processes of a DataLoader: one that dies is reported where training waits for a batch, and nowhere else.

Torch's own handler of SIGCHLD raises RuntimeError at whatever line the main thread is when a process dies: in the
optimizer, in a ``finally``, or while a file is written. Its way of ending the processes waits for locks that a killed
one may still hold.
"""

import signal
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from multiprocessing import connection
from multiprocessing.process import BaseProcess
from threading import current_thread, main_thread
from typing import Any, Final, NamedTuple

from torch._C import _remove_worker_pids
from torch.utils.data._utils import signal_handling
from torch.utils.data.dataloader import _MultiProcessingDataLoaderIter

from textclf.errors import ResourceError

DEATH_SECONDS: Final = 1.0
"""Seconds to wait, after any other failure, for the death of a process."""


class LoaderError(ResourceError):
    """A loader process died, hung or failed; training can be resumed."""


class Watch:
    """Notices that a process died: at once in the main thread, else when it is next waited for."""

    def __init__(self) -> None:
        self.processes: Sequence[BaseProcess] = ()
        """Those that are watched."""
        self._is_waiting = False
        self._before: tuple[Any, bool] | None = None  # the handler, and whether torch had set its own

    def begin(self) -> None:
        """Notice deaths in place of torch; call it before processes are started."""
        if self._before is None and hasattr(signal, "SIGCHLD") and current_thread() is main_thread():
            self._before = signal.signal(signal.SIGCHLD, self._look), signal_handling._SIGCHLD_handler_set
            signal_handling._SIGCHLD_handler_set = True  # so that torch does not set it

    def end(self) -> None:
        """Leave deaths to torch again."""
        self.processes = ()
        if self._before is not None and current_thread() is main_thread():
            handler, signal_handling._SIGCHLD_handler_set = self._before
            signal.signal(signal.SIGCHLD, handler)
            self._before = None

    def watch(self, iterator: Any) -> None:
        """Watch the processes of a DataLoader's iterator while it waits for their batches."""
        self.processes = iterator._workers
        if not isinstance(iterator._data_queue, _WatchedQueue):
            iterator._data_queue = _WatchedQueue(iterator._data_queue, self)

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Raise RuntimeError if a process has died, or dies meanwhile."""
        self._is_waiting = True  # first, so that no death falls between the two lines
        try:
            self._refuse_dead()
            yield
        finally:
            self._is_waiting = False

    @contextmanager
    def naming_dead(self) -> Iterator[None]:
        """Raise RuntimeError with the process that has died, not with what that caused, such as a lost connection."""
        try:
            yield
        except Exception:
            ended = connection.wait([process.sentinel for process in self.processes], timeout=DEATH_SECONDS)
            for process in self.processes:
                if process.sentinel in ended:
                    process.join()  # as its exit code comes a moment later
            self._refuse_dead()
            raise

    def _look(self, *_signal_and_frame: object) -> None:
        if self._is_waiting and any(process.exitcode is not None for process in self.processes):
            self._is_waiting = False  # here, because a ``finally`` is left out if this is raised where it begins
            self._refuse_dead()

    def _refuse_dead(self) -> None:
        for process in self.processes:
            if (code := process.exitcode) is not None:
                how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
                raise RuntimeError(f"process {process.pid} {how}")


class _WatchedQueue(NamedTuple):
    """The queue of finished batches, which only their receiver sees.

    Torch does more than wait before it gives out a batch, and logs with a traceback what is raised in some of it.
    """

    queue: Any
    watch: Watch

    def get(self, timeout: float) -> Any:
        """The next batch; raises what `Watch.waiting` raises, and queue.Empty after so many seconds."""
        with self.watch.waiting():
            return self.queue.get(timeout=timeout)


@contextmanager
def beginning() -> Iterator[None]:
    """End the processes of an iterator whose constructor fails, as when no more can be started.

    Torch would leave them to the garbage collector, and print a traceback there about what the iterator lacks.
    """
    try:
        yield
    except Exception as error:
        for frame, _ in traceback.walk_tb(error.__traceback__):
            made = frame.f_locals.get("self")
            if isinstance(made, _MultiProcessingDataLoaderIter):
                made._shutdown = True
                for process in getattr(made, "_workers", ()):
                    process.kill()
                    process.join()
        raise


def end(iterator: Any) -> None:
    """Kill the processes of a DataLoader's iterator; they have nothing that would be lost.

    Batches in pinned memory are read by a thread, which must end first: that is left to torch.
    """
    if hasattr(iterator, "_pin_memory_thread"):
        iterator._shutdown_workers()
    iterator._shutdown = True
    _remove_worker_pids(id(iterator))
    iterator._worker_pids_set = False
    for process in iterator._workers:
        process.kill()
    for process in iterator._workers:
        process.join()
    for queue in iterator._index_queues:
        queue.cancel_join_thread()
        queue.close()
