"""Files that are complete or absent: written under a temporary name, then renamed; and read only if they are files."""

import errno
import json
import math
import os
import re
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader
from mmap import ACCESS_COPY, mmap
from pathlib import Path
from typing import Any, BinaryIO, Final

from textclf.errors import ResourceError
from textclf.system import failures, temporaries
from textclf.system.wording import counted

MAX_JSON_BYTES: Final = 50_000_000
"""Largest JSON file that is read. Ours are small, except vocabularies, whose checksums are verified before."""

LARGE: Final = 1 << 26
"""Bytes from which a file is refused if it is nearly all holes: it says that it is large, and takes no room."""
LEAST_DATA: Final = 0.1
"""Share of such a file that must not be a hole."""

_KINDS: Final = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}
_HALF_A_PAIR: Final = re.compile(rb"\\u[dD][89a-fA-F]")


def write_bytes(path: Path, content: bytes, *, durable: bool = True) -> None:
    """Write a file; if ``durable``, so that it survives a power cut (an fsync, about 3 ms)."""
    with replacing(path, durable=durable, needed=len(content)) as file:
        file.write(content)


def write_text(path: Path, text: str) -> None:
    """Write a file of text, in UTF-8."""
    write_bytes(path, text.encode())


def write_json(path: Path, value: Any) -> None:
    """Write a value as indented JSON; raises ValueError for NaN and infinity."""
    write_bytes(path, to_json(value))


def to_json(value: Any) -> bytes:
    """The bytes that `write_json` writes."""
    return (json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode()


def read_json(path: Path) -> Any:
    """The value in a JSON file; raises OSError if it cannot be read, ValueError if it is too large or not JSON."""
    return parse_json(_read_small(path))


def read_object(path: Path) -> dict[str, Any]:
    """The object in a JSON file; raises what `read_json` raises, and ValueError for a value that is not an object."""
    return parse_object(_read_small(path))


def _read_small(path: Path) -> bytes:
    return read_bytes(path, most=MAX_JSON_BYTES)


def read_bytes(path: Path, *, most: int | None = None) -> bytes:
    """The content of a file; raises what `open_to_read` raises, and ValueError if it has more than ``most`` bytes."""
    with open_to_read(path) as file:
        if most is not None and (size := os.fstat(file.fileno()).st_size) > most:
            raise ValueError(f"it has {counted(size, 'byte')}")
        return file.read()


def open_to_read(path: Path) -> BufferedReader:
    """Open a file, without waiting; raises OSError if it cannot be opened, ValueError if it is something else.

    A pipe would be waited for, and a device or a file that is one large hole may have no end.
    """
    return open(path, "rb", opener=_open_file)  # a Path opens without one


def map_file(path: Path) -> memoryview:
    """A file, mapped into memory: what is written to it stays there.

    Raises what `open_to_read` raises, and ValueError if the file is empty.
    """
    with open_to_read(path) as file:
        return memoryview(mmap(file.fileno(), 0, access=ACCESS_COPY))


def refuse_other_kind(path: Path) -> None:
    """Raise what `open_to_read` raises, before a library opens a path."""
    open_to_read(path).close()


def _open_file(path: str, flags: int) -> int:
    try:
        number = os.open(path, flags | getattr(os, "O_NONBLOCK", 0))
    except OSError as error:
        if error.errno == errno.ENXIO:
            raise ValueError("it is a socket, not a file") from error
        raise
    try:
        found = os.fstat(number)
        if kind := _KINDS.get(stat.S_IFMT(found.st_mode)):
            raise ValueError(f"it is {kind}, not a file")
        if found.st_size >= LARGE and _share_of_data(number, found.st_size) < LEAST_DATA:
            raise ValueError(f"it is nearly all a hole, of {counted(found.st_size, 'byte')}")
    except BaseException:
        os.close(number)
        raise
    return number


def _share_of_data(number: int, size: int) -> float:
    """Share of a file that is not in holes; 1 where the file system does not say."""
    if not hasattr(os, "SEEK_DATA"):
        return 1
    end = data = 0
    try:
        while data < LEAST_DATA * size:
            start = os.lseek(number, end, os.SEEK_DATA)
            end = os.lseek(number, start, os.SEEK_HOLE)
            data += end - start
    except OSError as error:
        if error.errno != errno.ENXIO:  # there is no more data
            return 1
    os.lseek(number, 0, os.SEEK_SET)
    return data / size


def parse_json(content: bytes) -> Any:
    """The value of JSON in UTF-8; raises ValueError if it is not that.

    Neither are NaN and infinity, nor half a surrogate pair: no other program could read what would be made of them.
    """
    try:
        value = json.loads(content.decode(), parse_constant=_refuse_constant, parse_float=_finite)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    if _HALF_A_PAIR.search(content):  # which ours never have, as they are UTF-8
        json.dumps(value, ensure_ascii=False).encode()
    return value


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no number in JSON")


def _finite(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        raise ValueError(f"{digits} is too large a number")
    return number


def parse_object(content: bytes) -> dict[str, Any]:
    """The object of JSON in UTF-8; raises ValueError if it is not that."""
    value = parse_json(content)
    if not isinstance(value, dict):
        raise ValueError(f"a JSON object was expected, not {type(value).__name__}")
    return value


def read_lines(path: Path) -> list[Any]:
    """The values in a file of JSON lines; raises what `read_json` raises."""
    return [parse_json(line) for line in _read_small(path).splitlines()]


@contextmanager
def replacing(path: Path, *, durable: bool = True, needed: int | None = None) -> Iterator[BinaryIO]:
    """Yield a new file to write to; it is renamed to ``path`` at the end, or removed if anything fails.

    Raises ResourceError with the path, and the bytes ``needed`` if known, when the disk is full, UsageError if the user
    may not write there.
    """
    with failures.naming(path, needed=needed), temporaries.new_file(path) as (temporary, file):
        yield file
        file.flush()
        if durable:
            os.fsync(file.fileno())
        file.close()
        temporary.replace(path)


def sync(path: Path) -> None:
    """Wait until the content of a file is on the disk, not only in the kernel's memory."""
    with path.open("rb") as file:
        os.fsync(file.fileno())


def make_folder(path: Path) -> None:
    """Make a folder and its parents, unless they exist; raises what `failures.naming` raises."""
    with failures.naming(path):
        path.mkdir(parents=True, exist_ok=True)


def refuse_full_disk(
    path: Path, *, needed: int, count: int, advice: str = "free some, or choose another --data-dir"
) -> None:
    """Raise ResourceError if the disk of a folder has too little room for these bytes or this number of files."""
    if not hasattr(os, "statvfs"):
        return
    disk = os.statvfs(path)
    free = disk.f_bavail * disk.f_frsize
    if free < needed:
        raise ResourceError(
            f"too little space to write {path}: about {counted(needed, 'byte is', 'bytes are')} needed and {free:,} "
            f"free; {advice}"
        )
    if disk.f_files and disk.f_favail < count:  # some file systems have no such limit, and say 0
        raise ResourceError(
            f"too few files can be made to write {path}: {counted(count, 'is', 'are')} needed and {disk.f_favail:,} "
            "free (inodes); remove some, or choose another --data-dir"
        )


def remove(path: Path) -> None:
    """Remove a file, a link but not its target, or a folder with its content, if there is one."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
