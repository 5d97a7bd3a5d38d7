"""Temporary files next to what they will replace: under names that nobody can guess, new, and never through a link.

The process that makes one holds its lock, so that what a killed process has left can be told from what is in use.
"""

import os
import re
import stat
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Final

from textclf.system import locks

LONGEST: Final = 50
"""Characters of the name that a temporary name keeps: file systems allow 255 bytes."""


def name_for(place: Path, ending: str = "") -> Path:
    """A hidden name in the folder of a file or folder, with a random part of 64 bits."""
    return place.with_name(f".{place.name[:LONGEST]}.{os.urandom(8).hex()}{ending}.tmp")


def leftovers(place: Path) -> list[Path]:
    """Files and folders that have such a name for this place, and that this user has made.

    Earlier versions had the process id in the name. What someone else has made, and a link, is not ours.
    """
    hidden = re.compile(rf"\.{re.escape(place.name[:LONGEST])}\.[0-9a-f]+(\.old)?\.tmp")
    return [path for path in place.parent.iterdir() if hidden.fullmatch(path.name) and _is_mine(path)]


def _is_mine(path: Path) -> bool:
    try:
        found = path.lstat()
    except OSError:
        return False
    is_kind = stat.S_ISREG(found.st_mode) or stat.S_ISDIR(found.st_mode)
    return is_kind and (not hasattr(os, "geteuid") or found.st_uid == os.geteuid())


@contextmanager
def new_file(place: Path) -> Iterator[tuple[Path, BinaryIO]]:
    """A new file that will replace the one at ``place``, open for writing; it is removed unless it was renamed.

    Files that killed processes have left for this place are removed first.
    """
    _remove_left_files(place)
    with ExitStack() as held:
        path, file = _create(place, held)
        try:
            yield path, file
        finally:
            with suppress(OSError):  # if the disk is full, that was said by an earlier error
                file.close()
            path.unlink(missing_ok=True)


def _create(place: Path, held: ExitStack) -> tuple[Path, BinaryIO]:
    while True:
        path = name_for(place)
        file = path.open("xb")  # which fails if anything has that name, a link included
        try:
            held.enter_context(locks.holding(path))
        except FileNotFoundError:  # another process took it for what a killed one had left
            file.close()
        else:
            return path, file


def _remove_left_files(place: Path) -> None:
    with suppress(OSError):
        for path in leftovers(place):
            if path.is_file():
                with suppress(OSError), locks.holding(path) as is_held:
                    if is_held:
                        path.unlink()
