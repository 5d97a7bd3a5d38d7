"""Files that are whole or absent: written beside their place, then moved there. Knows nothing about what they mean."""

import errno
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from textclf.errors import ResourceError

MOST_READ: Final = 50_000_000
"""Bytes of JSON that are read where nothing else says how many there are."""


def write_bytes(path: Path, content: bytes, *, durable: bool = True) -> None:
    """Put the content at the path. Durable: it also survives a power cut (an fsync, about 3 ms)."""
    with replacing(path, durable=durable, needed=len(content)) as temporary:
        temporary.write_bytes(content)


def write_text(path: Path, text: str) -> None:
    """Put the text at the path, as UTF-8."""
    write_bytes(path, text.encode())


def write_json(path: Path, value: Any) -> None:
    """Put the value at the path, as JSON for people and programs; NaN and infinity are refused (ValueError)."""
    write_bytes(path, to_json(value))


def to_json(value: Any) -> bytes:
    """The bytes that `write_json` writes."""
    return (json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode()


def read_json(path: Path) -> Any:
    """What a JSON file holds; raises OSError if it cannot be read, ValueError if it is not JSON in UTF-8, or too much.

    What takes more is not ours: but for vocabularies, which have checksums, our files are small.
    """
    return parse_json(_read_little(path))


def read_object(path: Path) -> dict[str, Any]:
    """What a JSON file holds that must hold an object; raises as `read_json` does."""
    return parse_object(_read_little(path))


def _read_little(path: Path) -> bytes:
    if (size := path.stat().st_size) > MOST_READ:
        raise ValueError(f"it has {size:,} bytes")
    return path.read_bytes()


def parse_json(content: bytes) -> Any:
    """The value that is written in UTF-8; raises ValueError if it is not JSON."""
    try:
        return json.loads(content.decode())
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def parse_object(content: bytes) -> dict[str, Any]:
    """The object that is written in UTF-8; raises ValueError if it is none."""
    value = parse_json(content)
    if not isinstance(value, dict):
        raise ValueError(f"a JSON object was expected, not {type(value).__name__}")
    return value


def read_lines(path: Path) -> list[Any]:
    """What a file of JSON lines holds; raises as `read_json` does."""
    return [parse_json(line) for line in _read_little(path).splitlines()]


@contextmanager
def replacing(path: Path, *, durable: bool = True, needed: int | None = None) -> Iterator[Path]:
    """A temporary path to write to; it takes the place of ``path`` at the end, or vanishes if anything fails.

    Raises ResourceError, naming the path and the bytes ``needed`` if known, when the disk is full.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with naming_full_disk(path, needed=needed):
        try:
            yield temporary
            if durable:
                sync(temporary)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)


def sync(path: Path) -> None:
    """Wait until what was written to a file is on the disk, and not only in the kernel's memory."""
    with path.open("rb") as file:
        os.fsync(file.fileno())


def make_folder(path: Path) -> None:
    """Make a folder and those above it, if they are not there; raises ResourceError when the disk is full."""
    with naming_full_disk(path):
        path.mkdir(parents=True, exist_ok=True)


@contextmanager
def naming_full_disk(path: Path, *, needed: int | None = None) -> Iterator[None]:
    """Raise ResourceError, naming the path and the bytes, when the disk is full; other errors as they are."""
    try:
        yield
    except OSError as error:
        raise full_disk(path, error, needed=needed) from error


def full_disk(path: Path | str, error: OSError, *, needed: int | None = None) -> Exception:
    """The error as it is, unless it means that the disk is full: then one that says so and names path and bytes."""
    if error.errno not in (errno.ENOSPC, errno.EDQUOT):
        return error
    size = "" if needed is None else f" ({needed:,} bytes are needed)"
    return ResourceError(f"no space left to write {path}; free some{size} and run the command again")


def refuse_full_disk(path: Path, *, needed: int, count: int) -> None:
    """Raise ResourceError if the disk of a folder has too little room for these bytes or this number of files."""
    if not hasattr(os, "statvfs"):
        return
    disk = os.statvfs(path)
    free = disk.f_bavail * disk.f_frsize
    if free < needed:
        raise ResourceError(
            f"too little space to write {path}: about {needed:,} bytes are needed and {free:,} are free; free some, "
            "or choose another --data-dir"
        )
    if disk.f_files and disk.f_favail < count:  # some file systems have no such limit, and say 0
        raise ResourceError(
            f"too few files can be made to write {path}: {count:,} are needed and {disk.f_favail:,} are free (inodes); "
            "remove some, or choose another --data-dir"
        )
