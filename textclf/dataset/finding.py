"""Which data directory is meant: by a path, a name, a unique beginning of one, or because it is the newest."""

from pathlib import Path
from typing import Final

from textclf.errors import UsageError
from textclf.system import names
from textclf.system.names import Home

DATA: Final = Path("data")
LATEST: Final = "latest"
"""A name for the newest."""


def made(root: Path) -> float:
    """When a data directory was finished, in seconds since 1970, or else begun."""
    return names.time_of(root / "manifest.json") or names.time_of(root)


def is_data(path: Path) -> bool:
    """Whether a folder is a data directory, finished or not; so is one that may not be read."""
    try:
        return any((path / name).exists() for name in ("manifest.json", "begun.json"))
    except OSError:
        return True


def home(folder: Path = DATA) -> Home:
    """The folder of data directories, to look up names in it."""
    return Home(folder, "data directory", "data directories", "make it: textclf preprocess", made, is_data)


def find(given: str | None, data_dir: Path = DATA) -> Path:
    """The data directory of a name under ``data_dir``, of a path, of a unique beginning, or else the newest.

    Raises UsageError that lists the newest ones if there is none of that name, and what `newest` raises.
    """
    if given is None:
        return newest(data_dir)
    if names.is_name(given) and ((data_dir / given).is_dir() or not Path(given).is_dir()):
        if given == LATEST and not (data_dir / given).is_dir():
            return newest(data_dir)
        return names.find(data_dir / given, home(data_dir))
    return names.find(given, home(data_dir))


def newest(data_dir: Path) -> Path:
    """The data directory that was finished last; raises UsageError if there is none, OSError if none may be read."""
    finished = [path for path in data_dir.glob("*/manifest.json") if path.is_file()]
    if not finished:
        for folder in data_dir.glob("*"):
            (folder / "manifest.json").is_file()  # raises where glob passes over what it may not read
        raise UsageError(f"no data under {data_dir}; make some: textclf preprocess")
    return max(finished, key=lambda path: path.stat().st_mtime_ns).parent
