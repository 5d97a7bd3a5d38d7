"""The server process, or several that share one port: connections, signals and shutdown. Knows no routes.

uvicorn reads and writes HTTP; this adds a maximum size and time for the headers of a request.
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

HEAD_SECONDS: Final = 10.0  # to receive all headers of a request
HEAD_BYTES: Final = 65_536  # of all headers of a request
MOST_CONNECTIONS: Final = 800  # per worker; a process may usually open 1,024 files
IDLE_SECONDS: Final = 30  # between two requests on a connection
STOP_SECONDS: Final = 4  # to finish running requests at shutdown
LEAST_SECONDS: Final = 2.0
"""A worker that ends sooner after its start is not replaced: it would never work."""

STOPS: Final = (signal.SIGTERM, signal.SIGINT)


class Protocol(HttpToolsProtocol):
    """A uvicorn connection with a maximum size and time for the headers of each request."""

    _deadline: TimerHandle | None = None
    _received = 0  # bytes of incomplete headers

    def connection_made(self, transport: Any) -> None:
        """Accept the connection, unless there are too many."""
        super().connection_made(transport)
        if len(self.connections) > MOST_CONNECTIONS:
            transport.abort()
        else:
            self._start_deadline()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting."""
        self._cancel_deadline()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read, unless the headers are too long."""
        super().data_received(data)
        if self._deadline is not None:
            self._received += len(data)
            if self._received > HEAD_BYTES:
                self.transport.abort()

    def on_message_begin(self) -> None:
        """Wait for the headers of a request."""
        super().on_message_begin()
        self._start_deadline()

    def on_headers_complete(self) -> None:
        """Stop waiting: the body follows."""
        self._cancel_deadline()
        super().on_headers_complete()

    def send_400_response(self, msg: str) -> None:
        """Respond in JSON that this is not HTTP."""
        content = b'{"error": "this is not an HTTP request"}'
        head = b"HTTP/1.1 400 Bad Request\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: %d"
        self.transport.write(head % len(content) + b"\r\nx-content-type-options: nosniff\r\n\r\n" + content)
        self.transport.close()

    def _start_deadline(self) -> None:
        if self._deadline is None:
            self._deadline = self.loop.call_later(HEAD_SECONDS, self.transport.abort)

    def _cancel_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
        self._deadline, self._received = None, 0


class Server(uvicorn.Server):
    """A server that exits with code 0 at SIGTERM or SIGINT; uvicorn's would re-raise the signal, which kills it."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """At SIGTERM or SIGINT, finish the running requests and stop."""
        before = {number: signal.signal(number, self.handle_exit) for number in STOPS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; raises UsageError if the address is not of this machine or the port is in use."""
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
        log_level="critical",  # it would log the first line of requests; failures are logged by the guard
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=IDLE_SECONDS,
        timeout_graceful_shutdown=STOP_SECONDS,
    )
    Server(config).run(sockets=[listening])


class _Workers:
    """Processes that serve one socket; one that ends is replaced."""

    def __init__(self, app: Callable[[int], App], listening: socket.socket, count: int) -> None:
        self._app = app
        self._listening = listening
        self._count = count
        self._stopping = False
        self._running: dict[int, tuple[multiprocessing.process.BaseProcess, float]] = {}

    def run(self) -> None:
        """Serve until SIGTERM or SIGINT; raises ResourceError if a worker ends right after its start."""
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
                if monotonic() - began < LEAST_SECONDS:
                    self._stop(signal.SIGTERM, None)
                    raise ResourceError("a worker ended right after its start; try --workers 1")
                self._start(worker)

    def _start(self, worker: int) -> None:
        # Forked, to share the models; no other thread holds a lock at this point.
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
