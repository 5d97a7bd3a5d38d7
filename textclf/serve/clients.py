"""The clients of a worker: how many there may be, and which is cut off when there are too many or one does not read.

Each is a connection. They are kept in the order in which they last got on: under attack the one that has kept the
server waiting longest goes, so that a new client always finds room. Knows nothing about HTTP.
"""

from asyncio import AbstractEventLoop
from collections import deque
from collections.abc import Callable
from typing import Final, NamedTuple, Protocol

MOST_CLIENTS: Final = 1_000  # per worker
MOST_CUT_OFF: Final = 50
"""Stalled clients that are cut off at a time: all together would come back together, and hold up the others."""
MOST_UNREAD_BYTES: Final = 8_000_000  # that wait to be read by all clients of a worker together
STALL_SECONDS: Final = 5.0
TURN_SECONDS: Final = 0.001  # between requests that came before the ones before them were answered
LEAST_BYTES: Final = 2_500
"""A client must read, or send of a body, this much in any STALL_SECONDS: 500 bytes a second."""


class Client(Protocol):
    """A connection, as far as it matters here."""

    def is_served(self) -> bool:
        """Whether the next step is the server's: it owes an answer, and nothing waits to be read by the client."""
        ...

    def unread(self) -> int:
        """Bytes of answers that the client has not taken."""
        ...

    def cut_off(self) -> None:
        """End the connection at once."""
        ...


class _Mark(NamedTuple):
    unread: int
    seconds: float


class Clients:
    """All clients of a worker, those first that have kept the server waiting longest."""

    def __init__(self, *, most: int = MOST_CLIENTS, most_unread: int = MOST_UNREAD_BYTES) -> None:
        self._most = most
        self._most_unread = most_unread
        self._clients: dict[Client, None] = {}
        self._unread: dict[Client, int] = {}
        """Bytes of each client that reads more slowly than the server writes, when it became one."""
        self._unread_bytes = 0
        self._marks: dict[Client, _Mark] = {}
        """For each client with unread bytes, how many there were when it last had read enough."""
        self._queue: deque[Callable[[], None]] = deque()

    def add(self, client: Client) -> None:
        """Note a new client; if there are too many, cut off the one that has kept the server waiting longest."""
        self._clients[client] = None
        if len(self._clients) > self._most:
            self._cut_off(next((each for each in self._clients if not each.is_served()), client))

    def remove(self, client: Client) -> None:
        """Forget a client that is gone."""
        self._clients.pop(client, None)
        self._marks.pop(client, None)
        self.has_read(client)

    def got_on(self, client: Client) -> None:
        """Note that a client has done its part: begun a request, sent some of it, or let its answer be finished."""
        if client in self._clients:
            del self._clients[client]
            self._clients[client] = None

    def reads_slowly(self, client: Client) -> None:
        """Note that answers begin to wait for a client; if too many bytes wait, cut off who has waited longest."""
        self.has_read(client)
        self._unread[client] = client.unread()
        self._unread_bytes += self._unread[client]
        while self._unread_bytes > self._most_unread:
            self._cut_off(next(iter(self._unread)))

    def has_read(self, client: Client) -> None:
        """Note that nothing waits for a client any more."""
        self._unread_bytes -= self._unread.pop(client, 0)

    def cut_off_stalled(self, now: float) -> None:
        """Cut off clients that have read too little lately; ``now`` is in seconds. Call it every second or so."""
        stalled = 0
        for client in list(self._clients):
            unread, mark = client.unread(), self._marks.get(client)
            if unread == 0:
                self._marks.pop(client, None)
            elif mark is None or not mark.unread - LEAST_BYTES < unread <= mark.unread:
                self._marks[client] = _Mark(unread, now)
            elif now - mark.seconds >= STALL_SECONDS and stalled < MOST_CUT_OFF:
                stalled += 1
                self._cut_off(client)

    def in_turn(self, go_on: Callable[[], None], loop: AbstractEventLoop) -> None:
        """Have a client's next request begun that came before its last one was answered.

        They are begun one by one with pauses, so that those of other clients come in between.
        """
        self._queue.append(go_on)
        if len(self._queue) == 1:
            loop.call_later(TURN_SECONDS, self._next, loop)

    def _next(self, loop: AbstractEventLoop) -> None:
        self._queue[0]()
        self._queue.popleft()
        if self._queue:
            loop.call_later(TURN_SECONDS, self._next, loop)

    def _cut_off(self, client: Client) -> None:
        self.remove(client)
        client.cut_off()
