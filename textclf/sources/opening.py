"""Opens files, and unpacks those that are compressed as they are read, so that little of them is in memory.

    .gz .bz2 .xz     by Python's library
    .zst             by pyarrow

The ending before these says what is inside: reviews.csv.gz is CSV.
"""

import errno
import glob
import io
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Final, cast

from textclf.errors import DataError, TextclfError, UsageError
from textclf.sources import urls
from textclf.system import failures

STDIN: Final = Path("-")

PATTERN: Final = frozenset("*?[")
"""Characters of a pattern that files are named by."""

ENDINGS: Final[Mapping[str, str]] = {".gz": "gzip", ".bz2": "bzip2", ".xz": "xz", ".zst": "zstd"}
"""Of compressed files, with what compressed them."""

RATIO: Final = 200
"""Bytes that a byte of a compressed file may become: text becomes 3 to 20."""

ALLOWANCE: Final = 100_000_000
"""Bytes that a compressed file may become whatever its size."""


WATCHED_BYTES: Final = 65_536
"""Bytes of a file that are read at a time where someone watches how far it is."""


def is_compressed(path: Path) -> bool:
    """Whether a file is compressed, by its ending."""
    return path.suffix.lower() in ENDINGS


def ending_of(path: Path) -> str:
    """Return the ending that says what a file holds, in lower case: of ``a.csv.gz`` it is .csv."""
    return (path.with_suffix("") if is_compressed(path) else path).suffix.lower()


def stem_of(path: Path) -> str:
    """Return a file's name without the endings that say what it holds."""
    return (path.with_suffix("") if is_compressed(path) else path).stem


def name_of(path: Path) -> str:
    """Return what messages call a file, a copy by its URL, or STDIN."""
    return "stdin" if path == STDIN else urls.of_copy(path) or str(path)


def is_there(path: Path) -> bool:
    """Tell whether there is a file or folder; False for a name that is too long to be one."""
    try:
        return path.exists()
    except OSError:
        return False


def expanded(sources: Sequence[str]) -> list[Path]:
    """Return the paths that are named, and those that patterns such as ``data/*.csv`` stand for, each once.

    What URLs name is copied first. Raises UsageError for a pattern that stands for none, and for a path that comes
    twice, and what `textclf.sources.remote.fetch` raises.
    """
    paths: list[Path] = []
    for source in sources:
        if urls.is_url(source):
            from textclf.sources import remote  # late: few need it

            paths += remote.fetch(source)
            continue
        if is_there(Path(source)) or PATTERN.isdisjoint(source):
            paths.append(Path(source))
            continue
        found = sorted(map(Path, glob.glob(source, recursive=True)))  # noqa: PTH207 (as a shell, without hidden files)
        if not found:
            raise UsageError(f"no file or folder is named like {source}")
        paths += found
    repeated = [path for number, path in enumerate(paths) if path in paths[:number]]
    if repeated:
        raise UsageError(f"{name_of(repeated[0])} is named twice: leave out one of them")
    return paths


def unreadable(path: Path, error: OSError) -> TextclfError:
    """Return the error for a file or folder that the system does not let us read."""
    where = name_of(path)
    if error.errno == errno.EBADF:
        return UsageError(f"{where} is closed or cannot be read")
    if error.errno != errno.EIO and (refused := failures.refused(error, where)):
        return refused
    return DataError(f"cannot read {where}: {error.strerror or error}")


OnRead = Callable[[int], None]
"""Gets the number of bytes of a file each time that some are read."""


@contextmanager
def opened(
    path: Path, *, on_read: OnRead | None = None, ratio: int = RATIO, allowance: int = ALLOWANCE
) -> Iterator[io.BufferedReader]:
    """Open a file; reading raises DataError if it is damaged, or if more comes out of it than any text would fill.

    ``on_read`` gets the bytes of the file itself, which may be compressed.
    """
    with path.open("rb") if on_read is None else _watched(path, on_read) as file:
        if not is_compressed(path):
            yield file
            return
        limit = max(allowance, ratio * path.stat().st_size)
        with _unpacked(file, path) as inside:
            raw: Any = _Counted(inside, path, limit)
            with io.BufferedReader(raw) as stream:
                yield stream


def _watched(path: Path, on_read: OnRead) -> io.BufferedReader:
    raw: Any = _Watched(path, on_read)
    return io.BufferedReader(raw, WATCHED_BYTES)


class _Watched(io.RawIOBase):
    """A file that says how many bytes of it are read; not a FileIO, which reads all at once past `readinto`."""

    def __init__(self, path: Path, on_read: OnRead) -> None:
        self._file, self._on_read = path.open("rb", buffering=0), on_read

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        count = self._file.readinto(buffer)
        self._on_read(count)
        return count

    def close(self) -> None:
        self._file.close()
        super().close()


def _unpacked(file: io.BufferedReader, path: Path) -> IO[bytes]:
    """Return the stream of what is compressed; what it needs is imported here."""
    kind = ENDINGS[path.suffix.lower()]
    if kind == "gzip":
        import gzip

        return cast("IO[bytes]", gzip.open(file))
    if kind == "bzip2":
        import bz2

        return bz2.open(file)
    if kind == "xz":
        import lzma

        return lzma.open(file)
    import pyarrow as pa

    return cast("IO[bytes]", pa.CompressedInputStream(pa.PythonFile(file, "r"), "zstd"))


class _Counted(io.RawIOBase):
    """Passes on what comes out of a compressed file, up to a limit."""

    def __init__(self, inside: IO[bytes], path: Path, limit: int) -> None:
        self._inside, self._path, self._limit = inside, path, limit
        self._left = limit
        self._damage: tuple[type[Exception], ...] = (OSError, EOFError, ValueError, zlib.error, *_lzma_errors())

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        content = self._take(len(buffer))
        self._left -= len(content)
        if self._left < 0:
            raise DataError(
                f"{self._path}: more than {self._limit:,} bytes in so small a file; if it is right, unpack it"
            )
        buffer[: len(content)] = content
        return len(content)

    def _take(self, size: int) -> bytes:
        try:
            return self._inside.read(size)
        except self._damage as error:
            kind = ENDINGS[self._path.suffix.lower()]
            raise DataError(f"{self._path}: not {kind} that can be read ({error})") from error


def _lzma_errors() -> tuple[type[Exception], ...]:
    """The error of damaged xz, if Python was built with it."""
    try:
        from lzma import LZMAError
    except ImportError:
        return ()
    return (LZMAError,)
