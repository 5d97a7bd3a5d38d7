"""What the parts of the service hand to each other: ASGI's messages (https://asgi.readthedocs.io), and refusals."""

import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]


class Refused(Exception):  # noqa: N818 - not an error of the server
    """A request that is refused, with its status and the reason."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status, self.why = status, why


FAILED: Final = Refused(500, "the server failed; its log says where")


def refusal(refused: Refused) -> tuple[list[tuple[bytes, bytes]], bytes]:
    """Headers and body of a refusal. It closes the connection: the request may not have been read to its end."""
    content = json.dumps({"error": refused.why}).encode()
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(content)).encode()),
        (b"connection", b"close"),
    ]
    return [*headers, (b"retry-after", b"1")] if refused.status == 503 else headers, content


async def refuse(send: Send, refused: Refused) -> None:
    """Send a refusal."""
    headers, content = refusal(refused)
    await send({"type": "http.response.start", "status": refused.status, "headers": headers})
    await send({"type": "http.response.body", "body": content})
