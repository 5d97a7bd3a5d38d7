"""The server process, or several that share one port: connections, signals, and the end. Knows no routes.

uvicorn reads and writes HTTP; what it leaves open, how long a head may take and how long it may be, is closed here.
"""

import multiprocessing
import signal
import socket
from asyncio import TimerHandle
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import connection
from time import monotonic
from types import FrameType
from typing import Any, Final

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from textclf.errors import ResourceError, UsageError
from textclf.serve.guard import App

HEAD_SECONDS: Final = 10.0  # for all headers of a request
HEAD_BYTES: Final = 65_536
MOST_CONNECTIONS: Final = 800  # of a worker; usually a process may open 1,024 files
IDLE_SECONDS: Final = 30  # between two requests of a connection
STOP_SECONDS: Final = 4  # that requests under way have to end
TOO_SOON: Final = 2.0  # seconds after which a worker may end and be replaced: one that never works is a failure

STOPS: Final = (signal.SIGTERM, signal.SIGINT)


class Protocol(HttpToolsProtocol):
    """A connection of uvicorn's with bounds for the head of each request."""

    _due: TimerHandle | None = None
    _head = 0  # bytes of a head that is not complete

    def connection_made(self, transport: Any) -> None:
        """Wait for a first request, unless there are too many connections."""
        super().connection_made(transport)
        if len(self.connections) > MOST_CONNECTIONS:
            transport.abort()
        else:
            self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for nothing any more."""
        self._head_is_there()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read on, unless a head has no end."""
        super().data_received(data)
        if self._due is not None:
            self._head += len(data)
            if self._head > HEAD_BYTES:
                self.transport.abort()

    def on_message_begin(self) -> None:
        """Wait for the head of a request."""
        super().on_message_begin()
        self._await_head()

    def on_headers_complete(self) -> None:
        """Go on to the body."""
        self._head_is_there()
        super().on_headers_complete()

    def send_400_response(self, msg: str) -> None:
        """Say in JSON that this is no HTTP."""
        content = b'{"error": "this is no HTTP request"}'
        head = b"HTTP/1.1 400 Bad Request\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: %d"
        self.transport.write(head % len(content) + b"\r\nx-content-type-options: nosniff\r\n\r\n" + content)
        self.transport.close()

    def _await_head(self) -> None:
        if self._due is None:
            self._due = self.loop.call_later(HEAD_SECONDS, self.transport.abort)

    def _head_is_there(self) -> None:
        if self._due is not None:
            self._due.cancel()
        self._due, self._head = None, 0


class Server(uvicorn.Server):
    """A server that ends well when it is asked to end: uvicorn's would then be killed by the signal it was sent."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Stop at SIGTERM or SIGINT, once requests under way are answered."""
        before = {number: signal.signal(number, self.handle_exit) for number in STOPS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def listen(host: str, port: int) -> socket.socket:
    """A socket that takes connections; raises UsageError if the address is not ours or the port is taken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=1024)
    except (OSError, OverflowError) as error:
        raise UsageError(f"cannot listen on {host}, port {port} ({error}); try another one: --port 0") from error


def run(app: Callable[[int], App], listening: socket.socket, *, workers: int) -> None:
    """Serve until SIGTERM or SIGINT. ``app`` builds the service of a worker, given its number."""
    if workers == 1:
        _serve(app, listening, 0)
    else:
        _Workers(app, listening, workers).run()


def _serve(app: Callable[[int], App], listening: socket.socket, worker: int) -> None:
    config = uvicorn.Config(
        app(worker),
        http=Protocol,
        ws="none",
        lifespan="off",
        log_config=None,
        log_level="critical",  # it logs the first line of requests; what fails, the guard tells
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=IDLE_SECONDS,
        timeout_graceful_shutdown=STOP_SECONDS,
    )
    Server(config).run(sockets=[listening])


class _Workers:
    """Processes that serve one socket; whichever ends is replaced."""

    def __init__(self, app: Callable[[int], App], listening: socket.socket, count: int) -> None:
        self._app = app
        self._listening = listening
        self._count = count
        self._stopping = False
        self._running: dict[int, tuple[multiprocessing.process.BaseProcess, float]] = {}

    def run(self) -> None:
        """Serve until SIGTERM or SIGINT; raises ResourceError if workers end as soon as they begin."""
        for number in STOPS:
            signal.signal(number, self._stop)
        for worker in range(self._count):
            self._start(worker)
        while self._running:
            connection.wait([process.sentinel for process, _ in self._running.values()], timeout=0.5)
            for worker, (process, began) in list(self._running.items()):
                if process.is_alive():
                    continue
                del self._running[worker]
                if self._stopping:
                    continue
                if monotonic() - began < TOO_SOON:
                    self._stop(signal.SIGTERM, None)
                    raise ResourceError("a worker ended as soon as it began; try --workers 1")
                self._start(worker)

    def _start(self, worker: int) -> None:
        # By fork, which shares the models; no thread of ours holds a lock by now.
        process = multiprocessing.get_context("fork").Process(target=self._work, args=(worker,))
        process.start()
        self._running[worker] = process, monotonic()

    def _work(self, worker: int) -> None:
        for number in STOPS:
            signal.signal(number, signal.SIG_DFL)
        _serve(self._app, self._listening, worker)

    def _stop(self, number: int, frame: FrameType | None) -> None:
        self._stopping = True
        for process, _ in self._running.values():
            process.terminate()
