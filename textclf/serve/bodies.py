"""Reads the bodies of requests. A body may take as long as it needs while bytes come, and is cut off when they stop.

All that arrive together may hold only so many bytes: beyond that, the one that has not moved for longest is cut off.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import Final

from textclf.serve.asgi import Receive, Refused
from textclf.serve.clients import LEAST_BYTES, STALL_SECONDS

MOST_ARRIVING_BYTES: Final = 8_000_000  # of all bodies on their way to a worker
DRAINED_BYTES: Final = 8_000_000
"""Bytes of a too long body that are read and discarded, so that its sender reads the response."""
DRAIN_SECONDS: Final = 2.0


class Bodies:
    """The bodies on their way to a worker."""

    def __init__(self, *, most_bytes: int = MOST_ARRIVING_BYTES, stall_seconds: float = STALL_SECONDS) -> None:
        self._most_bytes = most_bytes
        self._stall_seconds = stall_seconds
        self._sizes: dict[asyncio.Timeout, int] = {}
        """Bytes that have come of each, by what cuts it off; first the one that has not moved for longest."""

    async def read(self, receive: Receive, write: Callable[[bytes], object], *, most: int) -> None:
        """Hand a body on, piece by piece; raises Refused if it is longer than ``most`` bytes, stops or ends early."""
        pieces = _pieces(receive)
        try:
            await self._read(pieces, write, most=most)
        except TimeoutError:
            pace = f"{LEAST_BYTES:,} bytes in {self._stall_seconds:g} seconds"
            raise Refused(408, f"the body stopped, or came more slowly than {pace}") from None
        except OverflowError:
            await drain(pieces)
            raise too_long(most) from None

    async def _read(self, pieces: AsyncIterator[bytes], write: Callable[[bytes], object], *, most: int) -> None:
        """As `read`; raises TimeoutError if the body stops, and OverflowError when it is too long."""
        clock = asyncio.get_running_loop().time
        size = moved = 0
        async with asyncio.timeout(self._stall_seconds) as deadline:
            try:
                async for piece in pieces:
                    size += len(piece)
                    if size > most:
                        raise OverflowError
                    write(piece)
                    if size - moved >= LEAST_BYTES:
                        moved = size
                        self._sizes.pop(deadline, None)
                        deadline.reschedule(clock() + self._stall_seconds)
                    self._sizes[deadline] = size
                    if sum(self._sizes.values()) > self._most_bytes:
                        slowest = next(iter(self._sizes))
                        del self._sizes[slowest]
                        slowest.reschedule(clock())
            finally:
                self._sizes.pop(deadline, None)


async def drain(pieces: AsyncIterator[bytes]) -> None:
    """Read and discard a body: a client that is still sending when the connection closes may miss the response."""
    size = 0
    with suppress(TimeoutError, Refused):
        async with asyncio.timeout(DRAIN_SECONDS):
            async for piece in pieces:
                size += len(piece)
                if size > DRAINED_BYTES:
                    return


async def _pieces(receive: Receive) -> AsyncIterator[bytes]:
    """The body of a request as it comes; raises Refused if the connection ends before it."""
    is_more = True
    while is_more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Refused(400, "the connection ended before the body")
        yield message.get("body", b"")
        is_more = message.get("more_body", False)


def too_long(most: int) -> Refused:
    """The refusal of a body of more than ``most`` bytes."""
    return Refused(413, f"the request is longer than {most:,} bytes; send less at a time")
