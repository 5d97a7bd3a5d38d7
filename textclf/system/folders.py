"""A folder that is whole or absent: made beside its place under a hidden name, then moved there.

What a run that was killed has left is found by the next one, which goes on with it.
"""

import os
import re
import shutil
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from textclf.errors import InterruptedRunError, ResourceError, TerminatedRunError
from textclf.system import files


@contextmanager
def replacing(root: Path) -> Iterator[Path]:
    """A folder to fill; it takes the place of ``root`` at the end, or vanishes if anything fails.

    It stays if the run is killed or stopped by Ctrl-C or SIGTERM; the next one then gets it as it is. Raises
    ResourceError, naming what was to be written, when the disk is full, or if another process is filling such a folder.
    """
    place = root.resolve()  # a link stays, and what it leads to is replaced
    new, old = (place.with_name(f".{place.name}.{os.getpid()}{ending}.tmp") for ending in ("", ".old"))
    is_first, is_kept = not place.parent.exists(), False
    with ExitStack() as locks:
        try:
            _put_back(place)
            _adopt(place, new, locks)
            yield new
            with files.naming_full_disk(root):
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
                with suppress(OSError):  # unless there is something in it by now
                    place.parent.rmdir()
        # Last of all: some file systems make new files slowly while those that were deleted are being forgotten.
        for path in left_over(place):
            with ExitStack() as lock:
                if _lock(path, lock):
                    remove(path)


def _put_back(place: Path) -> None:
    """Undo the half of a swap that a run was killed in the middle of."""
    if not place.parent.exists() or place.exists():
        return
    for path in left_over(place):
        if path.name.endswith(".old.tmp"):
            path.replace(place)
            return


def _adopt(place: Path, new: Path, locks: ExitStack) -> None:
    """Take over what a run has left, or make a new folder; raises ResourceError if its owner is alive.

    Under a new name: what a process of the old owner might still write goes nowhere.
    """
    left = left_over(place) if place.parent.exists() else []
    for path in sorted(left, key=lambda path: path.name):
        if path.name.endswith(".old.tmp") or not path.is_dir() or path.is_symlink():
            continue
        if not _lock(path, locks):
            raise ResourceError(f"another textclf is making {place} just now; wait until it has ended")
        if not new.exists():
            path.replace(new)
    if not new.is_dir():
        remove(new)
        files.make_folder(new)
        _lock(new, locks)


def _swap(new: Path, place: Path, old: Path) -> None:
    """Put the new folder in its place, or leave the old one there."""
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
    """Hold a folder until the end of this process, however it ends; False if another one holds it."""
    if sys.platform == "win32":
        return True
    import fcntl

    try:
        number = os.open(folder, os.O_RDONLY)
        locks.callback(os.close, number)
        fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # gone meanwhile, or a file system without locks
        return True
    return True


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
