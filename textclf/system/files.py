"""Files and folders that are complete or absent: written under a temporary name, then renamed; and JSON files."""

import errno
import json
import os
import re
import shutil
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from textclf.errors import InterruptedRunError, ResourceError, TerminatedRunError

MAX_JSON_BYTES: Final = 50_000_000
"""Largest JSON file that is read. Ours are small, except vocabularies, whose checksums are verified before."""


def write_bytes(path: Path, content: bytes, *, durable: bool = True) -> None:
    """Write a file; if ``durable``, so that it survives a power cut (an fsync, about 3 ms)."""
    with replacing(path, durable=durable, needed=len(content)) as temporary:
        temporary.write_bytes(content)


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
    if (size := path.stat().st_size) > MAX_JSON_BYTES:
        raise ValueError(f"it has {size:,} bytes")
    return path.read_bytes()


def parse_json(content: bytes) -> Any:
    """The value of JSON in UTF-8; raises ValueError if it is not that."""
    try:
        return json.loads(content.decode())
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


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
def replacing(path: Path, *, durable: bool = True, needed: int | None = None) -> Iterator[Path]:
    """Yield a temporary path to write to; it is renamed to ``path`` at the end, or removed if anything fails.

    Raises ResourceError with the path, and the bytes ``needed`` if known, when the disk is full.
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
    """Wait until the content of a file is on the disk, not only in the kernel's memory."""
    with path.open("rb") as file:
        os.fsync(file.fileno())


def make_folder(path: Path) -> None:
    """Make a folder and its parents, unless they exist; raises ResourceError when the disk is full."""
    with naming_full_disk(path):
        path.mkdir(parents=True, exist_ok=True)


@contextmanager
def naming_full_disk(path: Path, *, needed: int | None = None) -> Iterator[None]:
    """Raise ResourceError with the path and the bytes needed when the disk is full; other errors as they are."""
    try:
        yield
    except OSError as error:
        raise full_disk(path, error, needed=needed) from error


def full_disk(path: Path | str, error: OSError, *, needed: int | None = None) -> Exception:
    """A ResourceError with the path and the bytes needed if an error means that the disk is full, else the error."""
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


@contextmanager
def replacing_folder(root: Path) -> Iterator[Path]:
    """Yield a temporary folder to fill; it is renamed to ``root`` at the end, or removed if anything fails.

    It stays if the process is killed or stopped by Ctrl-C or SIGTERM; the next call then yields it with its content.
    Raises ResourceError with the path when the disk is full, or if another process is filling a folder for this root.
    """
    place = root.resolve()  # a link stays; its target is replaced
    new, old = (place.with_name(f".{place.name}.{os.getpid()}{ending}.tmp") for ending in ("", ".old"))
    is_first, is_kept = not place.parent.exists(), False
    with ExitStack() as locks:
        try:
            _put_back(place)
            _adopt(place, new, locks)
            yield new
            with naming_full_disk(root):
                _swap(new, place, old)
        except ResourceError as error:
            raise ResourceError(str(error).replace(str(new), str(root))) from error
        except (InterruptedRunError, TerminatedRunError):
            is_kept = True
            raise
        finally:
            if not is_kept:
                remove(new)
            if is_first:
                with suppress(OSError):  # not empty any more
                    place.parent.rmdir()
        # Last of all, because some file systems create files slowly for minutes after many were deleted.
        for path in leftovers(place):
            with ExitStack() as lock:
                if _lock(path, lock):
                    remove(path)


def _put_back(place: Path) -> None:
    """Undo a swap in whose middle a process was killed."""
    if not place.parent.exists() or place.exists():
        return
    for path in leftovers(place):
        if path.name.endswith(".old.tmp"):
            path.replace(place)
            return


def _adopt(place: Path, new: Path, locks: ExitStack) -> None:
    """Take over the folder of a run that was killed, or make a new one; raises ResourceError if its owner is alive.

    It is renamed, so that a worker of the old owner that is still alive cannot write into it.
    """
    left = leftovers(place) if place.parent.exists() else []
    for path in sorted(left, key=lambda path: path.name):
        if path.name.endswith(".old.tmp") or not path.is_dir() or path.is_symlink():
            continue
        if not _lock(path, locks):
            raise ResourceError(f"another textclf is making {place} just now; wait until it has ended")
        if not new.exists():
            path.replace(new)
    if not new.is_dir():
        remove(new)
        make_folder(new)
        _lock(new, locks)


def _swap(new: Path, place: Path, old: Path) -> None:
    """Rename the new folder to its place; if that fails, the old one stays there."""
    if place.exists():
        remove(old)
        place.replace(old)
    try:
        new.replace(place)
    except BaseException:
        if old.exists():
            old.replace(place)
        raise


def _lock(folder: Path, locks: ExitStack) -> bool:
    """Lock a folder until this process ends, in whatever way; False if another process holds the lock."""
    if sys.platform == "win32":
        return True
    import fcntl

    try:
        number = os.open(folder, os.O_RDONLY)
        locks.callback(os.close, number)
        fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # removed meanwhile, or a file system without locks
        return True
    return True


def leftovers(place: Path) -> list[Path]:
    """Temporary and replaced folders of a place, of this process and of killed ones."""
    hidden = re.compile(rf"\.{re.escape(place.name)}\.\d+(\.old)?\.tmp")
    return [path for path in place.parent.iterdir() if hidden.fullmatch(path.name)]


def remove(path: Path) -> None:
    """Remove a file, a link but not its target, or a folder with its content, if there is one."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
