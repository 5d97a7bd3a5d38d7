"""What a request must be before anything looks into it, and what every answer says about itself. Raw ASGI.

A server on one's own machine is reached by every page in its browser. So the name it is called by must be ours, which
stops rebinding (a foreign name that resolves to this machine), and a request must be JSON, which no page may send to
another site without asking; we never say yes. Bodies are read here, as far as they are allowed to be long.
"""

import asyncio
import json
import sys
import traceback
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from time import perf_counter
from typing import Any, Final

from textclf.serve.counting import Counts

MOST_BYTES: Final = 1_000_000  # of a body
READ_SECONDS: Final = 10.0  # until a body is there
MOST_AT_ONCE: Final = 128  # requests with a body under way in a worker
DRAINED_BYTES: Final = 8_000_000  # of a body that is too long, thrown away so that its sender reads our answer
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


class Refused(Exception):  # noqa: N818 - not an error of ours
    """A request that is not answered, with its status and why."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status, self.why = status, why


FAILED: Final = Refused(500, "the server failed; its log says where")


class Guard:
    """An app that reaches the inner one only with requests that may pass."""

    def __init__(self, app: App, *, hosts: Iterable[str], counts: Counts) -> None:
        self._app = app
        self._hosts = {host.lower() for host in hosts} | LOCAL
        self._counts = counts
        self._under_way = 0

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, status = perf_counter(), 0

        async def send_ours(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message = {**message, "headers": [*message["headers"], *_SECURITY]}
            await send(message)

        try:
            await self._answer(scope, receive, send_ours)
        except Refused as refused:
            await _refuse(send_ours, refused)
        except Exception as error:
            _log(error)
            if not status:
                await _refuse(send_ours, FAILED)
        finally:
            self._counts.add_request(status or 500, perf_counter() - began)

    async def _answer(self, scope: Message, receive: Receive, send: Send) -> None:
        headers = scope["headers"]
        self._check_host([value for name, value in headers if name == b"host"])
        if scope["method"] in {"GET", "HEAD"}:
            await self._app(scope, receive, send)
            return
        given = dict(headers)
        if scope["method"] == "POST" and scope["path"] == "/predict":
            _check_type(given)
        if self._under_way >= MOST_AT_ONCE:
            raise Refused(503, "too many requests at once; try again")
        self._under_way += 1
        try:
            body = await _read(given, receive)
            await self._app(scope, _handing_over(body, receive), send)
        finally:
            self._under_way -= 1

    def _check_host(self, given: list[bytes]) -> None:
        """Raise Refused unless there is one Host header and it names this server, at any port."""
        host = given[0].decode("latin-1").lower() if len(given) == 1 else ""
        name, colon, port = host.rpartition(":")
        if not colon or not port.isdecimal():
            name = host
        if name not in self._hosts:
            raise Refused(421, "this server goes by another name; see --allowed-host")


def _check_type(given: dict[bytes, bytes]) -> None:
    kind, _, parameter = given.get(b"content-type", b"").decode("latin-1").lower().partition(";")
    if kind.strip() != "application/json" or parameter.replace(" ", "") not in {"", "charset=utf-8"}:
        raise Refused(415, "send JSON: Content-Type: application/json")
    if b"content-encoding" in given:
        raise Refused(415, "send the JSON as it is, without Content-Encoding")


async def _read(given: dict[bytes, bytes], receive: Receive) -> bytes:
    """The body of a request; raises Refused if it is too long, or not there in time."""
    if int(given.get(b"content-length", b"0")) > MOST_BYTES and b"expect" in given:
        raise _too_long()
    body = bytearray()
    try:
        async with asyncio.timeout(READ_SECONDS):
            while True:
                message = await receive()
                body += message.get("body", b"")
                if message["type"] == "http.disconnect":
                    raise Refused(400, "the request ended before its body did")
                if len(body) > MOST_BYTES:
                    break
                if not message.get("more_body", False):
                    return bytes(body)
    except TimeoutError:
        raise Refused(408, f"the body was not there within {READ_SECONDS:g} seconds") from None
    await _drain(len(body), receive)
    raise _too_long()


def _too_long() -> Refused:
    return Refused(413, f"the request is longer than {MOST_BYTES:,} bytes; send fewer texts at a time")


async def _drain(size: int, receive: Receive) -> None:
    """Throw a body away: whoever still sends when a connection is closed may never see why it was."""
    try:
        async with asyncio.timeout(DRAIN_SECONDS):
            while size <= DRAINED_BYTES:
                message = await receive()
                size += len(message.get("body", b""))
                if not message.get("more_body", False):
                    return
    except TimeoutError:
        return


def _handing_over(body: bytes, receive: Receive) -> Receive:
    given = False

    async def hand_over() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return hand_over


def refusal(refused: Refused) -> tuple[list[tuple[bytes, bytes]], bytes]:
    """Head and content of an answer that says no, and closes the connection: the request may not be read to its end."""
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
    """Say where an error came from, not what it says: that could be a part of a text."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    print(f"textclf: a request failed: {type(error).__name__} in {last.filename}, line {last.lineno}", file=sys.stderr)
