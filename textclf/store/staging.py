"""A folder that is whole or absent: made beside its place under a hidden name, then moved there."""

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from textclf import atomic
from textclf.errors import ResourceError


@contextmanager
def replacing(root: Path) -> Iterator[Path]:
    """A new folder to fill; it takes the place of ``root`` at the end, or vanishes if anything fails.

    Raises ResourceError, naming what was to be written, when the disk is full.
    """
    place = root.resolve()  # a link stays, and what it leads to is replaced
    new, old = (place.with_name(f".{place.name}.{os.getpid()}{ending}.tmp") for ending in ("", ".old"))
    is_first = not place.parent.exists()
    try:
        remove(new)
        atomic.make_folder(new)
        yield new
        with atomic.naming_full_disk(root):
            if place.exists():
                place.replace(old)
            new.replace(place)
    except ResourceError as error:
        raise ResourceError(str(error).replace(str(new), str(root))) from error
    finally:
        remove(new)
        if is_first:
            with suppress(OSError):  # unless there is something in it by now
                place.parent.rmdir()
    # Last of all: some file systems make new files slowly while those that were deleted are being forgotten.
    for path in left_over(place):
        remove(path)


def left_over(place: Path) -> list[Path]:
    """What was replaced, and what runs that were killed have left."""
    hidden = re.compile(rf"\.{re.escape(place.name)}\.\d+(\.old)?\.tmp")
    return [path for path in place.parent.iterdir() if hidden.fullmatch(path.name)]


def remove(path: Path) -> None:
    """Remove a file or a folder with all that is in it, if it is there; what a link leads to stays."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
