"""A Ray cluster: `map` a function over items as tasks on its nodes, with the results in order.

The only file that knows Ray, https://docs.ray.io/en/latest/ray-core/tasks.html. A task whose worker or node dies is run
again, up to RETRIES times, on any node; so a function must write its files whole, by rename, and give the same bytes
each time. A task has the current folder of this process, where its node has that folder, and leaves Ctrl-C and SIGTERM
to this process.
"""

import logging
import os
import socket
import traceback
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from itertools import islice
from typing import Any, Final, NamedTuple, TypeVar

from textclf import __version__
from textclf.errors import ResourceError, UsageError
from textclf.system import failures, requirements, signals, startup
from textclf.system.wording import counted

Item = TypeVar("Item")
Result = TypeVar("Result")

RETRIES: Final = 3
"""How often a task is run again after its worker or its node died."""
PER_PROCESSOR: Final = 2
"""Unfinished tasks per processor of the cluster: one at work, one waiting."""
AHEAD: Final = 16
"""Tasks, per unfinished one, that may wait for an earlier one to end."""
PAUSE: Final = 0.5
"""Seconds after which a wait for tasks looks for signals."""
GRACE: Final = 3
"""Seconds for tasks that are stopped to remove their temporary files."""
REACHING: Final = 10
"""Seconds to reach the address of a cluster."""
_LONGEST: Final = 200
"""Characters of an error of Ray in a message."""


class Cluster:
    """The tasks of a cluster that this process is connected to: a `workers.Mapper`."""

    def __init__(self, ray: Any, *, most: int | None = None) -> None:
        self._ray = ray
        self._most = most
        """Maximum number of tasks at once; None: as many as there are processors."""

    def map(self, function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        """The results in the order of the items, a task for each; `str` of an item names it in messages.

        ``function`` is sent to each node once. Raises what it raises, if that is an error of ours, ResourceError if the
        worker or the node of a task dies too often, UsageError if a node cannot run it.
        """
        items, waiting, running = iter(items), deque[tuple[Item, Any]](), list[Any]()
        task = self._ray.remote(_call).options(max_retries=RETRIES, scheduling_strategy="SPREAD")
        with self._naming("the tasks"):
            shipped = self._ray.put(function)
        try:
            while True:
                room = self._room()
                for item in islice(items, max(min(room - len(running), AHEAD * room - len(waiting)), 0)):
                    waiting.append((item, task.remote(self._caller(), shipped, item)))
                    running.append(waiting[-1][1])
                if not waiting:
                    return
                if running:
                    _, running = self._ray.wait(running, timeout=PAUSE)
                while waiting and waiting[0][1] not in running:
                    yield self._result(*waiting.popleft())
        finally:
            self._cancel(running)

    def _room(self) -> int:
        """Maximum number of unfinished tasks; nodes may come and go."""
        if self._most is not None:
            return self._most
        processors = int(self._ray.cluster_resources().get("CPU", 0))
        if not processors:
            raise UsageError("no node of the Ray cluster has a processor for tasks; add one: ray start --address=…")
        return PER_PROCESSOR * processors

    def _caller(self) -> "_Caller":
        return _Caller(__version__, os.getcwd(), self._ray.get_runtime_context().get_node_id())  # noqa: PTH109

    def _result(self, item: Item, of_task: Any) -> Any:
        with self._naming(str(item)):
            error, result = self._ray.get(of_task)
        if error is not None:
            raise error
        return result

    @contextmanager
    def _naming(self, what: str) -> Iterator[None]:
        """Turn an error of Ray into one of ours; those of the function are results, and pass."""
        from ray import exceptions

        try:
            yield
        except (exceptions.RayTaskError, exceptions.RuntimeEnvSetupError) as error:  # before the function was called
            raise UsageError(
                f"a node cannot run textclf ({_short(error)}); install textclf {__version__} there, as it is here"
            ) from error
        except (exceptions.ObjectStoreFullError, exceptions.OutOfDiskError) as error:
            raise ResourceError(f"{what}: the object store of Ray is full ({_short(error)})") from error
        except exceptions.OutOfMemoryError as error:
            raise ResourceError(f"{what}: its node ran out of memory; try --num-workers 1") from error
        except exceptions.RayError as error:
            raise ResourceError(
                f"{what}: its worker or its node died {counted(RETRIES + 1, 'time')}; the same command resumes"
            ) from error

    def _cancel(self, running: list[Any]) -> None:
        """Stop tasks as Ctrl-C would; the end of the connection kills those that are not done within GRACE.

        They are not cancelled by force as well: if a task ends in that moment, Ray aborts this process
        (https://github.com/ray-project/ray/pull/54798).
        """
        for task in running:
            with suppress(Exception):  # it has ended, or the cluster has
                self._ray.cancel(task)
        if running:
            with suppress(Exception):
                self._ray.wait(running, num_returns=len(running), timeout=GRACE)


@contextmanager
def connected(address: str | None = None, *, most: int | None = None) -> Iterator[Cluster]:
    """The cluster at an address, ``auto`` for the one that this machine belongs to; None: one of this machine alone.

    The last is started, and ended afterwards; of any other, only this process's own tasks are. If this process is
    connected to a cluster already, it is that one. ``most``: maximum number of tasks at once. Raises UsageError if Ray
    is not installed or the address is wrong, ResourceError if Ray cannot be started.
    """
    requirements.need("--engine ray", requirements.CLUSTER)
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # read by Ray when it is imported, as the other is
    if address is not None:
        os.environ.setdefault("RAY_NUM_REDIS_GET_RETRIES", "1")  # or it asks whatever is there for a quarter of an hour
    import ray

    if ray.is_initialized():
        yield Cluster(ray, most=most)
        return
    _refuse_address(address)
    quiet = logging.getLogger("ray")
    level = quiet.level
    quiet.setLevel(logging.CRITICAL)
    try:
        with signals.kept():  # Ray would set a handler of its own
            _connect(ray, address, processors=most or startup.processors())
        yield Cluster(ray, most=most)
    finally:
        ray.shutdown()
        quiet.setLevel(level)


def _connect(ray: Any, address: str | None, *, processors: int) -> None:
    started = {} if address else {"num_cpus": processors, "include_dashboard": False}
    try:
        ray.init(address=address or "local", configure_logging=False, log_to_driver=False, **started)
    except (OSError, RuntimeError, ValueError) as error:
        if explained := failures.refused(error, "a file of Ray"):
            raise explained from error
        if address is None:
            raise ResourceError(f"Ray cannot be started: {_short(error)}") from error
        if address == "auto" and isinstance(error, ConnectionError):
            raise UsageError(
                "no Ray cluster runs on this machine: start one (ray start --head), name its head node with "
                "--ray-address HOST:PORT, or leave out --ray-address"
            ) from error
        raise UsageError(f"cannot connect to Ray at {address}: {_short(error)}") from error


def _refuse_address(address: str | None) -> None:
    """Raise UsageError for an address that nothing answers at: Ray would wait long, or end this process."""
    if address in (None, "auto"):
        return
    host, _, port = str(address).rpartition(":")
    if "://" in str(address) or not host or not port.isdigit():
        raise UsageError(f"--ray-address {address}: give auto, or HOST:PORT of the head node, such as 10.0.0.1:6379")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=REACHING).close()
    except (OSError, OverflowError) as error:
        why = getattr(error, "strerror", None) or error
        raise UsageError(f"cannot connect to Ray at {address}: {why}") from error


def _short(error: BaseException) -> str:
    """The last line of an error: before it Ray may have the trace of a worker."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    return lines[-1][:_LONGEST]


# In a task


class _Caller(NamedTuple):
    """The process that a task is for."""

    version: str
    folder: str
    node: str


def _call(caller: _Caller, function: Callable[[Item], Result], item: Item) -> tuple[Exception | None, Result | None]:
    """The error that a function raises, and its result."""
    import ray

    node = ray.get_runtime_context().get_node_id()
    where = "" if node == caller.node else f" (on node {socket.gethostname()})"
    try:
        if caller.version != __version__:
            raise UsageError(f"textclf is {__version__}, not {caller.version} as where the command runs; install that")
        with suppress(OSError):  # not shared: paths that begin at the root may still be
            os.chdir(caller.folder)
        return None, function(item)
    except Exception as error:
        return _portable(error, where), None


def _portable(error: Exception, where: str) -> Exception:
    """An error that another process can be sent, with the node where something is missing."""
    explained = failures.explain(error)
    if explained is None:
        error.add_note(traceback.format_exc())
        return error
    return type(explained)(f"{explained}{where}") if isinstance(explained, UsageError | ResourceError) else explained
