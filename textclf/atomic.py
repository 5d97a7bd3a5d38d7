"""Files that are whole or absent: written beside their place, then moved there. Knows nothing about their content."""

import errno
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from textclf.errors import ResourceError


def write_bytes(path: Path, content: bytes, *, durable: bool = True) -> None:
    """Put the content at the path. Durable: it also survives a power cut (an fsync, about 3 ms)."""
    with replacing(path, durable=durable) as temporary:
        temporary.write_bytes(content)


def write_text(path: Path, text: str) -> None:
    """Put the text at the path, as UTF-8."""
    write_bytes(path, text.encode())


def write_json(path: Path, value: Any) -> None:
    """Put the value at the path, as JSON for people and programs; NaN and infinity are refused (ValueError)."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


@contextmanager
def replacing(path: Path, *, durable: bool = True) -> Iterator[Path]:
    """A temporary path to write to; it takes the place of ``path`` at the end, or vanishes if anything fails.

    Raises ResourceError, naming the path, when the disk is full.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        yield temporary
        if durable:
            with temporary.open("rb") as file:
                os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise ResourceError(f"no space left to write {path}; free some and run the command again") from error
        raise
    finally:
        temporary.unlink(missing_ok=True)
