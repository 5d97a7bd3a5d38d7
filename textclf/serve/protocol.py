"""One HTTP connection: how long the head of a request may be and take, and how many requests may wait in it.

uvicorn reads and writes HTTP; this bounds what a client can make it hold.
"""

import json
from asyncio import TimerHandle
from typing import Any, Final, NamedTuple

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from textclf.serve.clients import Clients

HEAD_SECONDS: Final = 10.0  # to receive the head of a request: its first line and headers
HEAD_BYTES: Final = 16_384
MOST_HEADERS: Final = 100
SLICE_BYTES: Final = 4_096  # that are read at a time, so that a head is refused soon after its maximum
MOST_URL_BYTES: Final = 2_048
MOST_HEADER_BYTES: Final = 1_024  # that are kept of one header
MOST_QUEUED: Final = 4
"""Requests that a client may send before it has the answer to an earlier one; it must send more of them again."""
UNREAD_BYTES: Final = 4_096
"""Bytes that may wait for a client before the next request of its connection does."""

KEPT_HEADERS: Final = frozenset(
    (
        b"host",
        b"content-type",
        b"content-encoding",
        b"content-length",
        b"transfer-encoding",
        b"expect",
        b"connection",
        b"upgrade",
    )
)
"""The headers that something here reads; the others are not kept, so that a request takes little memory."""


class Unacceptable(NamedTuple):
    """Why a request is not read to its end."""

    status: bytes
    why: str


NO_HTTP: Final = Unacceptable(b"400 Bad Request", "this is not an HTTP request")
LONG_URL: Final = Unacceptable(b"414 URI Too Long", f"the address is longer than {MOST_URL_BYTES:,} bytes")
LONG_HEAD: Final = Unacceptable(
    b"431 Request Header Fields Too Large", f"at most {MOST_HEADERS} headers of {HEAD_BYTES:,} bytes in all are read"
)
TOO_MANY: Final = Unacceptable(b"503 Service Unavailable", "too many requests at once on this connection")


class StopParsing(Exception):  # noqa: N818 - not an error of the server
    """Raised through the parser, which then calls `send_400_response`."""


class Protocol(HttpToolsProtocol):
    """A uvicorn connection that bounds the heads of its requests, and how many wait."""

    def __init__(self, *given: Any, clients: Clients, **named: Any) -> None:
        super().__init__(*given, **named)
        self._clients = clients
        self._deadline: TimerHandle | None = None
        self._head_bytes = 0
        self._header_count = 0
        self._refused: Unacceptable | None = None
        self._finishes_later = False
        """Whether an answer is written but not read, so that what follows an answer is still to be done."""

    # What uvicorn's transport and parser call

    def connection_made(self, transport: Any) -> None:
        """Accept the connection, in place of another if there are too many."""
        super().connection_made(transport)
        transport.set_write_buffer_limits(high=UNREAD_BYTES)
        self._start_deadline()
        self._clients.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting."""
        self._cancel_deadline()
        self._clients.remove(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read, until the head of a request is too long or a request is refused."""
        view = memoryview(data)
        for start in range(0, len(data), SLICE_BYTES):
            if self._refused is not None or self.transport.is_closing():
                return
            self._read(view[start : start + SLICE_BYTES])

    def _read(self, data: memoryview) -> None:
        super().data_received(data)  # type: ignore[arg-type]  # what the parser takes
        if self._deadline is not None:
            self._head_bytes += len(data)
            if self._head_bytes > HEAD_BYTES and self._refused is None:
                self._refused = LONG_HEAD
                self.send_400_response("")
        elif self._is_idle() and self.timeout_keep_alive_task is None:  # it sent bytes that begin no request
            self._start_deadline()

    def eof_received(self) -> bool:  # type: ignore[override]  # what asyncio allows
        """Answer a client that sends nothing more but may still read; without a whole request, close."""
        is_answering = not self._is_idle() and not self.cycle.more_body
        if is_answering:
            self.cycle.keep_alive = False
        return is_answering

    def on_message_begin(self) -> None:
        """Wait for the head of a request."""
        super().on_message_begin()
        self._header_count = 0
        self._clients.got_on(self)
        self._start_deadline()

    def on_url(self, url: bytes) -> None:
        """Keep the address, up to its maximum."""
        super().on_url(url)
        if len(self.url) > MOST_URL_BYTES:
            self._stop_parsing(LONG_URL)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header that something reads; one that comes after the body is not."""
        self._header_count += 1
        if self._header_count > MOST_HEADERS:
            self._stop_parsing(LONG_HEAD)
        if self._deadline is not None and name.lower() in KEPT_HEADERS:
            super().on_header(name, value[:MOST_HEADER_BYTES])

    def on_headers_complete(self) -> None:
        """Queue the request, unless too many wait; its body follows."""
        self._cancel_deadline()
        if len(self.pipeline) >= MOST_QUEUED:
            self._stop_parsing(TOO_MANY)
        super().on_headers_complete()
        if self.scope["method"] in {"GET", "HEAD"} and _has_body(self.headers):
            self.cycle.keep_alive = False  # nobody reads that body

    def on_response_complete(self) -> None:
        """Go on to the next request once the client has read the answer."""
        self._clients.got_on(self)
        if self.flow.write_paused and not self.transport.is_closing():
            self.flow.pause_reading()
            self._finishes_later = True
            return
        if self.pipeline:
            self._clients.in_turn(self._finish, self.loop)
        else:
            self._finish()

    def _finish(self) -> None:
        super().on_response_complete()
        if self._refused is not None:
            self.flow.pause_reading()

    def pause_writing(self) -> None:
        """Note that answers wait to be read."""
        super().pause_writing()
        self._clients.reads_slowly(self)

    def resume_writing(self) -> None:
        """Note that they are read."""
        super().resume_writing()
        self._clients.has_read(self)
        if self._finishes_later:
            self._finishes_later = False
            self.on_response_complete()

    def send_400_response(self, msg: str) -> None:
        """Refuse what cannot be read. Answers to earlier requests come first, and then only the end of the connection.

        A client that sends several requests at once must expect that, and repeat those without an answer.
        """
        refused = self._refused = self._refused or NO_HTTP
        if self.pipeline or not (self._is_idle() or self.cycle.more_body):
            self.cycle.keep_alive = False
            return
        content = json.dumps({"error": refused.why}).encode()
        head = b"HTTP/1.1 %s\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: %d"
        self.transport.write(head % (refused.status, len(content)))
        self.transport.write(b"\r\nx-content-type-options: nosniff\r\n\r\n" + content)
        self.transport.close()

    def _stop_parsing(self, refused: Unacceptable) -> None:
        """Refuse a request from within the parser, which calls `send_400_response` when it ends."""
        self._refused = refused
        raise StopParsing

    def _start_deadline(self) -> None:
        if self._deadline is None:
            self._deadline = self.loop.call_later(HEAD_SECONDS, self.transport.abort)

    def _cancel_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
        self._deadline, self._head_bytes = None, 0

    # What `Clients` calls

    def is_served(self) -> bool:
        """Whether the next step is the server's."""
        if self.flow.write_paused:
            return False
        return bool(self.pipeline) or not (self._is_idle() or self.cycle.more_body)

    def unread(self) -> int:
        """Bytes of answers that the client has not taken."""
        return int(self.transport.get_write_buffer_size())

    def cut_off(self) -> None:
        """End the connection at once."""
        self.transport.abort()

    def _is_idle(self) -> bool:
        return self.cycle is None or self.cycle.response_complete


def _has_body(headers: list[tuple[bytes, bytes]]) -> bool:
    """Whether a request says that a body follows its head."""
    return any(name == b"transfer-encoding" or (name == b"content-length" and value != b"0") for name, value in headers)
