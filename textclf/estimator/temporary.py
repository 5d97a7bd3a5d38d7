"""A temporary folder that is gone afterwards, whatever happens; what a killed process left is removed by the next.

Its process holds its lock, so that a folder in use can be told from one whose process was killed.
"""

import atexit
import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Final

from textclf.errors import ResourceError
from textclf.system import locks
from textclf.system.files import remove

PREFIX: Final = "textclf-fit-"


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """A new folder that only this user may enter, where temporary files are kept (``TMPDIR``).

    Raises ResourceError if it cannot be made.
    """
    remove_left_folders()
    with ExitStack() as held:
        folder = _new_folder(held)
        try:
            yield folder
        finally:
            remove(folder)


def remove_left_folders() -> None:
    """Remove the folders of this user's processes that were killed, as a search does with its workers on Ctrl-C."""
    with suppress(OSError):  # there is no folder of temporary files
        for folder in filter(_is_mine, Path(tempfile.gettempdir()).glob(f"{PREFIX}*")):
            with suppress(OSError), locks.holding(folder) as is_held:
                if is_held:
                    remove(folder)


def _new_folder(held: ExitStack) -> Path:
    while True:
        try:
            folder = Path(tempfile.mkdtemp(prefix=PREFIX))
        except OSError as error:
            lack = ResourceError(f"no folder for temporary files ({error.strerror}); set TMPDIR to one that has room")
            raise lack from error
        with suppress(FileNotFoundError):  # another process took it for what a killed one had left
            held.enter_context(locks.holding(folder))
            return folder


def _is_mine(folder: Path) -> bool:
    is_folder = folder.is_dir() and not folder.is_symlink()
    return is_folder and (not hasattr(os, "geteuid") or folder.lstat().st_uid == os.geteuid())


atexit.register(remove_left_folders)
