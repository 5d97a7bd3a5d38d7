"""Files that clients send: on disk while they are worked on, and gone after that."""

import os
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from textclf.serve.asgi import Receive, Refused
from textclf.serve.bodies import Bodies

MOST_BYTES: Final = 50_000_000  # per file
MOST_ARRIVING_BYTES: Final = 200_000_000  # of all files on their way to a worker


class Uploads:
    """The files of a worker, in the system's folder for temporary files."""

    def __init__(self, *, most_bytes: int = MOST_BYTES) -> None:
        self._most_bytes = most_bytes
        self._bodies = Bodies(most_bytes=MOST_ARRIVING_BYTES)

    @asynccontextmanager
    async def receive(self, receive: Receive, ending: str) -> AsyncIterator[Path]:
        """Yield the path of a file with the body of a request, which is there until the end.

        Raises Refused if it is too long or stops coming, or if there is no room for it.
        """
        try:
            with tempfile.NamedTemporaryFile(prefix="textclf-", suffix=ending) as file:
                await self._bodies.read(receive, file.write, most=self._most_bytes)
                file.flush()
                yield Path(file.name)
        except OSError as error:
            raise Refused(507, f"no room for the file: {os.strerror(error.errno or 0)}") from error
