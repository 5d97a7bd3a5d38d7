"""The user's cache folder: what can be made again. Everything of ours is below ``textclf/`` in it."""

import os
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

from textclf.system import files

KEPT_DAYS: Final = 7


def folder(name: str) -> Path:
    """The folder of this name below the user's cache folder; relative if the user has no home."""
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")  # noqa: PTH111 (which raises)
    return Path(base) / "textclf" / name


def remove_old(parent: Path, *, days: float = KEPT_DAYS) -> None:
    """Remove the folders in a folder in which nothing was written for some days."""
    oldest = time.time() - days * 86_400
    for each in parent.glob("*"):
        with suppress(OSError):
            if each.is_dir() and max(path.stat().st_mtime for path in (each, *each.iterdir())) < oldest:
                files.remove(each)
