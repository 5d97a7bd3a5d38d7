"""Checks each request before anything reads it, and adds security headers to each response. Raw ASGI.

Every page in a browser can send requests to a server on the same machine. So the Host header must name this server,
which stops DNS rebinding (a foreign name that resolves to this machine); and a request must be JSON, which a page may
send to another site only with permission (CORS), which this server never gives. Bodies are read here, up to a maximum.
"""

import asyncio
import json
import sys
import traceback
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from time import perf_counter
from typing import Any, Final

from textclf.serve.counting import Counts

MOST_BYTES: Final = 1_000_000  # per body
READ_SECONDS: Final = 10.0  # to receive a body
MOST_AT_ONCE: Final = 128  # requests with a body at the same time in a worker
DRAINED_BYTES: Final = 8_000_000
"""Bytes of a too long body that are read and discarded, so that its sender reads the response."""
DRAIN_SECONDS: Final = 2.0

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]

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


class Refused(Exception):  # noqa: N818 - not an error of the server
    """A request that is refused, with its status and the reason."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status, self.why = status, why


FAILED: Final = Refused(500, "the server failed; its log says where")


class Guard:
    """Passes requests that are allowed on to the inner app."""

    def __init__(self, app: App, *, hosts: Iterable[str], counts: Counts, most_at_once: int = MOST_AT_ONCE) -> None:
        self._app = app
        self._most_at_once = most_at_once
        self._hosts = {host.lower() for host in hosts} | LOCAL
        self._counts = counts
        self._running = 0

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
            await _refuse(send_secured, refused)
        except Exception as error:
            _log(error)
            if not status:
                await _refuse(send_secured, FAILED)
        finally:
            self._counts.add_request(status or 500, perf_counter() - began)

    async def _answer(self, scope: Message, receive: Receive, send: Send) -> None:
        headers = scope["headers"]
        self._check_host([value for name, value in headers if name == b"host"])
        if scope["method"] in {"GET", "HEAD"}:
            await self._app(scope, receive, send)
            return
        by_name = dict(headers)
        if scope["method"] == "POST" and scope["path"] == "/predict":
            _check_type(by_name)
        if self._running >= self._most_at_once:
            raise Refused(503, "too many requests at once; try again")
        self._running += 1
        try:
            body = await _read_body(by_name, receive)
            await self._app(scope, _replaying(body, receive), send)
        finally:
            self._running -= 1

    def _check_host(self, hosts: list[bytes]) -> None:
        """Raise Refused unless there is exactly one Host header and it names this server, at any port."""
        host = hosts[0].decode("latin-1").lower() if len(hosts) == 1 else ""
        name, colon, port = host.rpartition(":")
        if not colon or not port.isdecimal():
            name = host
        if name not in self._hosts:
            raise Refused(421, "the Host header does not name this server; see --allowed-host")


def _check_type(headers: dict[bytes, bytes]) -> None:
    kind, _, parameter = headers.get(b"content-type", b"").decode("latin-1").lower().partition(";")
    if kind.strip() != "application/json" or parameter.replace(" ", "") not in {"", "charset=utf-8"}:
        raise Refused(415, "send JSON: Content-Type: application/json")
    if b"content-encoding" in headers:
        raise Refused(415, "send the JSON uncompressed, without Content-Encoding")


async def _read_body(headers: dict[bytes, bytes], receive: Receive) -> bytes:
    """The body of a request; raises Refused if it is too long or does not arrive in time."""
    if int(headers.get(b"content-length", b"0")) > MOST_BYTES and b"expect" in headers:
        raise _too_long()
    body = bytearray()
    try:
        async with asyncio.timeout(READ_SECONDS):
            while True:
                message = await receive()
                body += message.get("body", b"")
                if message["type"] == "http.disconnect":
                    raise Refused(400, "the connection ended before the body")
                if len(body) > MOST_BYTES:
                    break
                if not message.get("more_body", False):
                    return bytes(body)
    except TimeoutError:
        raise Refused(408, f"the body did not arrive within {READ_SECONDS:g} seconds") from None
    await _drain(len(body), receive)
    raise _too_long()


def _too_long() -> Refused:
    return Refused(413, f"the request is longer than {MOST_BYTES:,} bytes; send fewer texts at a time")


async def _drain(size: int, receive: Receive) -> None:
    """Read and discard a body: a client that is still sending when the connection closes may miss the response."""
    try:
        async with asyncio.timeout(DRAIN_SECONDS):
            while size <= DRAINED_BYTES:
                message = await receive()
                size += len(message.get("body", b""))
                if not message.get("more_body", False):
                    return
    except TimeoutError:
        return


def _replaying(body: bytes, receive: Receive) -> Receive:
    """A receive function that first returns the body that was read."""
    is_replayed = False

    async def replay() -> Message:
        nonlocal is_replayed
        if is_replayed:
            return await receive()
        is_replayed = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay


def refusal(refused: Refused) -> tuple[list[tuple[bytes, bytes]], bytes]:
    """Headers and body of a refusal. It closes the connection: the request may not have been read to its end."""
    content = json.dumps({"error": refused.why}).encode()
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(content)).encode()),
        (b"connection", b"close"),
    ]
    return [*headers, (b"retry-after", b"1")] if refused.status == 503 else headers, content


async def _refuse(send: Send, refused: Refused) -> None:
    headers, content = refusal(refused)
    await send({"type": "http.response.start", "status": refused.status, "headers": headers})
    await send({"type": "http.response.body", "body": content})


def _log(error: Exception) -> None:
    """Log the place of an error but not its message, which could hold parts of a text."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    print(f"textclf: a request failed: {type(error).__name__} in {last.filename}, line {last.lineno}", file=sys.stderr)
