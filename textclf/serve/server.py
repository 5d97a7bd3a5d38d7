"""The server: where it listens, its process or processes, signals and shutdown. Knows no routes."""

import gc
import resource
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from time import monotonic
from typing import Final

import uvicorn

from textclf.errors import UsageError
from textclf.serve.asgi import App
from textclf.serve.clients import MOST_CLIENTS, Clients
from textclf.serve.processes import STOPS, Workers
from textclf.serve.protocol import Protocol
from textclf.system import memory

IDLE_SECONDS: Final = 30  # between two requests on a connection
STOP_SECONDS: Final = 4  # to finish running requests at shutdown
SOCKET_BYTES: Final = 65_536
"""The kernel's memory for what a client sends or does not read: asked for, as it would grow to megabytes."""
GARBAGE_THRESHOLDS: Final = (2_000, 10, 10)
"""A connection that is cut off is a circle of objects. With the program's usual thresholds, thousands would stay."""
TICKS_PER_LOOK: Final = 10
TICKS_PER_RETURN: Final = 100
OTHER_FILES: Final = 64  # that a worker may open besides its connections
FEWEST_CLIENTS: Final = 16
SWITCH_SECONDS: Final = 0.001
"""For which a thread that predicts may keep Python's lock while the one that reads and writes waits for it."""


class Server(uvicorn.Server):
    """A server that exits with code 0 at SIGTERM or SIGINT; uvicorn's would re-raise the signal, which kills it."""

    def __init__(self, config: uvicorn.Config, clients: Clients, is_ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._clients = clients
        self._is_ready = is_ready

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """At SIGTERM or SIGINT, finish the running requests and stop; one that is ignored stays ignored."""
        handled = [number for number in STOPS if signal.getsignal(number) is not signal.SIG_IGN]
        before = {number: signal.signal(number, self.handle_exit) for number in handled}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, and say so."""
        await super().startup(sockets)
        self._is_ready()

    async def on_tick(self, counter: int) -> bool:
        """Every tenth of a second; look for clients that do not read, and return memory that large answers took."""
        if counter % TICKS_PER_LOOK == 0:
            self._clients.cut_off_stalled(monotonic())
        if counter % TICKS_PER_RETURN == 0:
            memory.return_freed_memory()
        return await super().on_tick(counter)


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; raises UsageError if the address is not of this machine or the port is in use."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listening = socket.create_server((host, port), family=family, backlog=1024)
    except (OSError, OverflowError) as error:
        raise UsageError(f"cannot listen on {host}, port {port} ({error}); try another one: --port 0") from error
    for buffer in (socket.SO_SNDBUF, socket.SO_RCVBUF):  # connections inherit them
        listening.setsockopt(socket.SOL_SOCKET, buffer, SOCKET_BYTES)
    return listening


def run(app: Callable[[int], App], listening: socket.socket, *, workers: int) -> None:
    """Serve until SIGTERM or SIGINT. ``app`` builds the service of a worker, given its number."""
    most = most_clients()
    sys.setswitchinterval(SWITCH_SECONDS)
    gc.set_threshold(*GARBAGE_THRESHOLDS)
    memory.return_freed_memory()  # that loading a model took
    if workers == 1:
        _serve(app, listening, most, 0)
    else:
        Workers(partial(_serve, app, listening, most), workers).run()


def most_clients() -> int:
    """How many clients a worker can have at a time, after more open files were asked for if they are few."""
    few, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_CLIENTS + OTHER_FILES
    if few != resource.RLIM_INFINITY and few < wanted:
        few = wanted if most == resource.RLIM_INFINITY else min(wanted, most)
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (few, most))
    few, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return MOST_CLIENTS if few == resource.RLIM_INFINITY else max(min(MOST_CLIENTS, few - OTHER_FILES), FEWEST_CLIENTS)


def _serve(
    app: Callable[[int], App],
    listening: socket.socket,
    most: int,
    worker: int,
    is_ready: Callable[[], None] = lambda: None,
) -> None:
    clients = Clients(most=most)
    config = uvicorn.Config(
        app(worker),
        http=partial(Protocol, clients=clients),  # type: ignore[arg-type]  # it is only called
        ws="none",
        lifespan="off",
        log_config=None,
        log_level="critical",  # it would log the first line of requests; failures are logged by the guard
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=IDLE_SECONDS,
        timeout_graceful_shutdown=STOP_SECONDS,
    )
    Server(config, clients, is_ready).run(sockets=[listening])
