"""Folders that appear complete: filled under a temporary name, then renamed; what a killed process left is reused."""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from textclf.errors import InterruptedRunError, ResourceError, TerminatedRunError, UsageError
from textclf.system import failures, locks, temporaries
from textclf.system.files import make_folder, remove


@contextmanager
def replacing(root: Path, *, keeps: bool = False) -> Iterator[Path]:
    """Yield a temporary folder to fill; it is renamed to ``root`` at the end, or removed if anything fails.

    It stays if the process is killed or stopped by Ctrl-C or SIGTERM; the next call then yields it with its content.
    If it ``keeps``, it also stays if anything else fails.
    Raises ResourceError with the path when the disk is full, or if another process is filling a folder for this root.
    """
    place = root.resolve()  # a link stays; its target is replaced
    new, old = temporaries.name_for(place), temporaries.name_for(place, ".old")
    is_first, is_kept = not place.parent.exists(), keeps
    with ExitStack() as held:
        try:
            _adopt(place, new, held)
            _put_back(place)
            yield new
            with failures.naming(root):
                _swap(new, place, old)
        except (ResourceError, UsageError) as error:
            raise type(error)(str(error).replace(str(new), str(root))) from error
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
        for path in temporaries.leftovers(place):
            with suppress(FileNotFoundError), locks.holding(path) as is_held:
                if is_held is not False:
                    remove(path)


def _put_back(place: Path) -> None:
    """Undo a swap in whose middle a process was killed."""
    if not place.parent.exists() or place.exists():
        return
    for path in temporaries.leftovers(place):
        if path.name.endswith(".old.tmp"):
            path.replace(place)
            return


def _adopt(place: Path, new: Path, held: ExitStack) -> None:
    """Make the new folder, of the one of a killed run if there is one; raises ResourceError if its owner is alive.

    That one is renamed, so that a worker of its owner that is still alive cannot write into it. The new one is made and
    locked first: of two processes at once, at least one then sees the other.
    """
    busy = ResourceError(f"another textclf is making {place} just now; wait until it has ended")
    make_folder(new)
    try:
        held.enter_context(locks.holding(new))
    except FileNotFoundError as gone:  # the other took it over before it was locked
        raise busy from gone
    for path in sorted(temporaries.leftovers(place), key=lambda path: path.name):
        if path == new or path.name.endswith(".old.tmp") or not path.is_dir():
            continue
        with suppress(FileNotFoundError), ExitStack() as lock:  # not found: its owner has just ended
            if lock.enter_context(locks.holding(path)) is False:
                raise busy
            if not _has_other_kinds(path) and not any(new.iterdir()):
                path.replace(new)
                held.push(lock.pop_all())


def _has_other_kinds(folder: Path) -> bool:
    """Whether a folder has a link, through which textclf would write elsewhere, or a pipe, which it would wait for."""
    with os.scandir(folder) as entries:
        return any(
            _has_other_kinds(Path(entry.path))
            if entry.is_dir(follow_symlinks=False)
            else not entry.is_file(follow_symlinks=False)
            for entry in entries
        )


def _swap(new: Path, place: Path, old: Path) -> None:
    """Rename the new folder to its place; if that fails, the old one stays there."""
    if place.exists():
        place.replace(old)
    try:
        new.replace(place)
    except BaseException:
        if old.exists():
            old.replace(place)
        raise


def size_of(root: Path) -> int:
    """Bytes of all files in a folder; links are not followed. Raises OSError if a folder may not be read."""
    size, folders = 0, [str(root)]
    while folders:
        with os.scandir(folders.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    folders.append(entry.path)
                else:
                    size += entry.stat(follow_symlinks=False).st_size
    return size
