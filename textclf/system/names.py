"""Folders that are called by a path, by their name, or by a unique beginning of it: runs and data directories."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from textclf.errors import UsageError
from textclf.system.wording import counted

MOST_LISTED: Final = 10
"""Names that an error lists."""


class Home(NamedTuple):
    """A folder that holds folders of one kind."""

    folder: Path
    one: str
    """What messages call one of them."""
    many: str
    remedy: str
    """What to do if there is none, as in "make it: textclf preprocess"."""
    made: Callable[[Path], float]
    """When one of them was made, in seconds; only the order matters."""
    is_one: Callable[[Path], bool]
    """Whether a folder in it is one of them."""

    def newest_first(self) -> list[Path]:
        """Those in it, without hidden ones; raises OSError if it cannot be read."""
        if not self.folder.is_dir():
            return []
        found = [path for path in self.folder.iterdir() if not path.name.startswith(".") and self.is_one(path)]
        return sorted(found, key=lambda path: (self.made(path), path.name), reverse=True)


def find(given: str | Path, *homes: Home) -> Path:
    """The folder at a path, or of that name in one of the homes, or the only one whose name begins so.

    Raises UsageError that lists the newest ones if there is no such folder, or more than one.
    """
    path = Path(given)
    if not is_name(given):
        homes = (next((each for each in homes if each.folder == path.parent), homes[0])._replace(folder=path.parent),)
    for place in (path, *(home.folder / path.name for home in homes)):
        if place.is_dir():
            return place
    known = [each for home in homes for each in home.newest_first()]
    matching = [each for each in known if path.name and each.name.startswith(path.name)]
    if len(matching) == 1:
        return matching[0]
    if matching:
        kinds = " and ".join(home.many for home in homes)
        raise UsageError(f"the names of {len(matching)} {kinds} begin with {path}: {_listed(matching, homes)}")
    kinds, remedies = " or ".join(home.one for home in homes), ", ".join(home.remedy for home in homes)
    hint = f"there {'is' if len(known) == 1 else 'are'} {_listed(known, homes)}" if known else remedies
    raise UsageError(f"no {kinds} {path}; {hint}")


def is_name(given: str | Path) -> bool:
    """Whether a path is a name, without a folder before it."""
    return Path(given).name == str(given) != ""


def _listed(paths: Sequence[Path], homes: Sequence[Home]) -> str:
    """The first of them, by name if one home has them all."""
    shown = ", ".join(path.name if len(homes) == 1 else str(path) for path in paths[:MOST_LISTED])
    more = len(paths) - MOST_LISTED
    return f"{shown} and {counted(more, 'other')}" if more > 0 else shown


def time_of(path: Path) -> float:
    """When a file or folder was changed, in seconds since 1970; 0 if there is none or it may not be read."""
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0
