"""Files that clients send: on disk while they are worked on, and gone after that, however the process ends."""

import os
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import IO, Final

from textclf.serve.asgi import Receive, Refused
from textclf.serve.bodies import Bodies

MOST_BYTES: Final = 50_000_000  # per file
DESCRIPTORS: Final = Path("/proc/self/fd")
MOST_ARRIVING_BYTES: Final = 200_000_000  # of all files on their way to a worker


class Uploads:
    """The files of a worker, in the system's folder for temporary files."""

    def __init__(self, *, most_bytes: int = MOST_BYTES) -> None:
        self._most_bytes = most_bytes
        self._bodies = Bodies(most_bytes=MOST_ARRIVING_BYTES)

    @asynccontextmanager
    async def receive(self, receive: Receive) -> AsyncIterator[Path]:
        """Yield the path of a file with the body of a request, which is there until the end.

        Raises Refused if it is too long or stops coming, or if there is no room for it.
        """
        try:
            with _file() as file:
                await self._bodies.read(receive, file.write, most=self._most_bytes)
                file.flush()
                yield path_of(file)
        except OSError as error:
            raise Refused(507, f"no room for the file: {os.strerror(error.errno or 0)}") from error


def _file() -> IO[bytes]:
    """A file without a name, where it can be read by its descriptor; elsewhere one that is removed in the end."""
    return tempfile.TemporaryFile() if DESCRIPTORS.is_dir() else tempfile.NamedTemporaryFile(prefix="textclf-")


def path_of(file: IO[bytes]) -> Path:
    """The path to open a file by, from the beginning, while it is open."""
    return DESCRIPTORS / str(file.fileno()) if DESCRIPTORS.is_dir() else Path(file.name)
