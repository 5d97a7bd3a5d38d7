"""Checks each request before anything reads it, and adds security headers to each response. Raw ASGI.

Every page in a browser can send requests to a server on the same machine. So the Host header must name this server,
which stops DNS rebinding (a foreign name that resolves to this machine); and a body must be of a type that a page may
send to another site only with permission (CORS), which this server never gives. Bodies are read here, up to a maximum.
"""

import sys
import traceback
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from time import perf_counter
from typing import Final

from textclf.serve.asgi import FAILED, App, Message, Receive, Refused, Send, refuse
from textclf.serve.bodies import Bodies, too_long
from textclf.serve.counting import Counts

MOST_BYTES: Final = 1_000_000  # per body
MOST_AT_ONCE: Final = 256  # requests at work in a worker; their bodies are there
LARGE_BYTES: Final = 65_536  # of a body that counts as large
MOST_LARGE_BYTES: Final = 8_000_000  # of all large bodies at work in a worker

KINDS: Final = {"/predict": "application/json", "/file": "application/octet-stream"}
"""Content types by path. A page of another site may send none of them without permission."""
READ_BY_APP: Final = frozenset({"/file"})
"""Paths whose bodies go to disk; all others are read here."""
FOR_PROBES: Final = frozenset({"/health"})
"""Paths that answer under any Host: probes ask by the address of a pod. A foreign page learns nothing from them."""

SECURITY_HEADERS: Final = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}
_SECURITY: Final = [(name.encode(), value.encode()) for name, value in SECURITY_HEADERS.items()]
LOCAL: Final = frozenset({"localhost", "127.0.0.1", "[::1]"})


class Guard:
    """Passes requests that are allowed on to the inner app."""

    def __init__(
        self,
        app: App,
        *,
        hosts: Iterable[str],
        counts: Counts,
        most_at_once: int = MOST_AT_ONCE,
        bodies: Bodies | None = None,
    ) -> None:
        self._app = app
        self._most_at_once = most_at_once
        self._hosts = {host.lower() for host in hosts} | LOCAL
        self._counts = counts
        self._bodies = bodies or Bodies()
        self._running = 0
        self._large_bytes = 0

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, status = perf_counter(), 0

        async def send_secured(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message = {**message, "headers": [*message["headers"], *_SECURITY]}
            await send(message)

        try:
            await self._answer(scope, receive, send_secured)
        except Refused as refused:
            await refuse(send_secured, refused)
        except Exception as error:
            _log(error)
            if not status:
                await refuse(send_secured, FAILED)
        finally:
            self._counts.add_request(status or 500, perf_counter() - began)

    async def _answer(self, scope: Message, receive: Receive, send: Send) -> None:
        headers = scope["headers"]
        is_read = scope["method"] in {"GET", "HEAD"}
        if not (is_read and scope["path"] in FOR_PROBES):
            self._check_host([value for name, value in headers if name == b"host"])
        if is_read:
            await self._app(scope, receive, send)
            return
        by_name = dict(headers)
        if scope["method"] == "POST" and scope["path"] in KINDS:
            _check_type(by_name, KINDS[scope["path"]])
        if scope["path"] in READ_BY_APP:
            await self._app(scope, receive, send)
            return
        body = await self._read_body(by_name, receive)
        size, receive = len(body), _replaying(body, receive)
        del body  # of which the app makes its own copy
        with self._at_work(size):
            await self._app(scope, receive, send)

    async def _read_body(self, headers: dict[bytes, bytes], receive: Receive) -> bytearray:
        if int(headers.get(b"content-length", b"0")) > MOST_BYTES and b"expect" in headers:
            raise too_long(MOST_BYTES)
        body = bytearray()
        await self._bodies.read(receive, body.extend, most=MOST_BYTES)
        return body

    @contextmanager
    def _at_work(self, size: int) -> Iterator[None]:
        """Count a request whose body is there; raises Refused if there are too many, or too many large ones."""
        large = size if size > LARGE_BYTES else 0
        if self._running >= self._most_at_once or (large and self._large_bytes + large > MOST_LARGE_BYTES):
            raise Refused(503, "too many requests at once; try again")
        self._running += 1
        self._large_bytes += large
        try:
            yield
        finally:
            self._running -= 1
            self._large_bytes -= large

    def _check_host(self, hosts: list[bytes]) -> None:
        """Raise Refused unless there is exactly one Host header and it names this server, at any port."""
        host = hosts[0].decode("latin-1").lower() if len(hosts) == 1 else ""
        name, colon, port = host.rpartition(":")
        if not colon or not port.isdecimal():
            name = host
        if name not in self._hosts:
            raise Refused(421, "the Host header does not name this server; see --allowed-host")


def _check_type(headers: dict[bytes, bytes], wanted: str) -> None:
    kind, _, parameter = headers.get(b"content-type", b"").decode("latin-1").lower().partition(";")
    if kind.strip() != wanted or parameter.replace(" ", "") not in {"", "charset=utf-8"}:
        what = "JSON" if wanted == KINDS["/predict"] else "the file"
        raise Refused(415, f"send {what}: Content-Type: {wanted}")
    if b"content-encoding" in headers:
        raise Refused(415, "send it uncompressed, without Content-Encoding")


def _replaying(body: bytearray, receive: Receive) -> Receive:
    """A receive function that first returns the body that was read, and does not keep it."""
    bodies = [body]

    async def replay() -> Message:
        if not bodies:
            return await receive()
        return {"type": "http.request", "body": bytes(bodies.pop()), "more_body": False}

    return replay


def _log(error: Exception) -> None:
    """Log the place of an error but not its message, which could hold parts of a text."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    print(f"textclf: a request failed: {type(error).__name__} in {last.filename}, line {last.lineno}", file=sys.stderr)
