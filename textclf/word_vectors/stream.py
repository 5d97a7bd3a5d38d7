"""The bytes of a file of vectors, plain or compressed, in one pass that shows how far it is."""

import gzip
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from math import ceil
from pathlib import Path
from typing import IO, Any, Final, cast

from textclf.errors import DataError
from textclf.system import files
from textclf.system.wording import counted

BLOCK: Final = 1 << 20
"""Bytes that are read at once."""

Progress = Callable[[Iterable[Any], str, int | None], Iterable[Any]]
"""Passes items through and shows how many have passed, given a title, and how many there are if that is known."""

_GZIP: Final = b"\x1f\x8b"
_ZIP: Final = b"PK\x03\x04"


def is_packed(path: Path) -> bool:
    """Whether a file is compressed; raises what `files.open_to_read` raises."""
    with files.open_to_read(path) as file:
        return file.peek(4).startswith((_GZIP, _ZIP))


@contextmanager
def opened(path: Path) -> Iterator[IO[bytes]]:
    """A file, unpacked if it is gzip, or a zip archive of one file.

    Raises what `files.open_to_read` raises, and DataError if it cannot be unpacked, or is an archive of several files.
    """
    with ExitStack() as stack:
        file: IO[bytes] = stack.enter_context(files.open_to_read(path))
        try:
            if is_packed(path):
                file = stack.enter_context(_unpacked(file, path))
            yield file
        except (EOFError, gzip.BadGzipFile, zipfile.BadZipFile, zlib.error) as error:
            raise DataError(f"{path} cannot be unpacked ({error}); download it again") from error


def _unpacked(file: IO[bytes], path: Path) -> IO[bytes]:
    if not zipfile.is_zipfile(file):
        file.seek(0)
        return cast(IO[bytes], gzip.GzipFile(fileobj=file))
    archive = zipfile.ZipFile(file)
    names = [each for each in archive.namelist() if not each.endswith("/")]
    if len(names) != 1:
        raise DataError(f"{path} is an archive of {counted(len(names), 'file')}: unpack it, and name one of them")
    return archive.open(names[0])


def blocks(file: IO[bytes], path: Path, progress: Progress) -> Iterator[bytes]:
    """The rest of an opened file, a BLOCK at a time; the total is known of one that is not compressed."""

    def read() -> Iterator[bytes]:
        while block := file.read(BLOCK):
            yield block

    total = None if is_packed(path) else ceil(path.stat().st_size / BLOCK)
    yield from progress(read(), f"reading {path.name}", total)
