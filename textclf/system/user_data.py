"""What a user keeps by name, a folder each, in ~/.local/share/textclf or where an environment variable says."""

import os
from pathlib import Path

from textclf.errors import UsageError
from textclf.system import failures, files, names, temporaries
from textclf.system.names import Home


def home(one: str, many: str, *, variable: str, remedy: str) -> Home:
    """Where such things are; a relative folder if this user has no home, and the variable names none.

    ``one`` and ``many`` are what they are called, and ``remedy`` says in messages how to add one. See
    https://specifications.freedesktop.org/basedir-spec/latest/.
    """
    given, base = os.environ.get(variable), os.environ.get("XDG_DATA_HOME", "")
    if not Path(base).is_absolute():  # which the specification says to ignore
        base = os.path.expanduser("~/.local/share")  # noqa: PTH111 (which raises)
    return Home(
        Path(given) if given else Path(base) / "textclf" / many,
        one=one,
        many=many,
        remedy=remedy,
        made=names.time_of,
        is_one=lambda path: path.is_dir(),
    )


def place_for(name: str, home: Home, *, variable: str) -> Path:
    """The folder of a new thing of this name; raises UsageError if there is no folder for such things."""
    place = home.folder / name
    if not place.is_absolute() and not os.environ.get(variable):
        raise UsageError(f"there is no home folder for {home.many}: name a folder in {variable}")
    return place


def to_remove(name: str, home: Home) -> Path:
    """The folder of the thing of exactly this name; raises UsageError if there is none."""
    path = home.folder / name
    if not names.is_name(name) or name.startswith(".") or not path.is_dir():
        there = ", ".join(each.name for each in home.newest_first()) or "none"
        are = "are" if home.one == home.many else "is"
        raise UsageError(f"no {home.one} {name} to remove from {home.folder}; there {are} {there}")
    return path


def remove(folder: Path) -> None:
    """Remove a folder, at once, so that nobody finds half of it."""
    hidden = temporaries.name_for(folder)
    with failures.naming(folder):
        folder.rename(hidden)
        files.remove(hidden)


def empty(folder: Path) -> None:
    """Remove what a killed process has left in a folder."""
    for path in folder.iterdir():
        files.remove(path)
