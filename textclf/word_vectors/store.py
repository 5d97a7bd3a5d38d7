"""The word vectors of this user, a folder each: ~/.local/share/textclf/vectors, or what TEXTCLF_VECTORS names."""

from pathlib import Path
from typing import Any, Final, NamedTuple

from textclf.errors import TextclfError, UsageError
from textclf.system import failures, folders, user_data
from textclf.system.names import Home, is_name
from textclf.word_vectors import kept

FOLDER: Final = "TEXTCLF_VECTORS"
"""Environment variable that names the folder."""
UNKNOWN: Final = "unknown"


class Place(NamedTuple):
    """Where vectors are, and what is known of them."""

    path: Path
    about: dict[str, str]
    """Name, source and licence."""


class Summary(NamedTuple):
    """What `textclf vectors list` says of some vectors."""

    name: str
    path: Path
    size: int
    """Bytes of the files."""
    words: int | None = None
    dimension: int | None = None
    licence: str = ""
    source: str = ""
    error: str = ""
    """What is wrong with them; then the fields above are empty."""


def home() -> Home:
    """Where the vectors are; a relative folder if this user has no home, and TEXTCLF_VECTORS names none."""
    return user_data.home("vectors", "vectors", variable=FOLDER, remedy="add some: textclf vectors add glove")


def find(given: str) -> Place:
    """The vectors of a name, or those in a file or folder; raises UsageError if there are none."""
    own = home().folder / given
    path = own if is_name(given) and own.is_dir() else Path(given)
    if not path.exists():
        there = ", ".join(each.name for each in summaries()) or "none"
        raise UsageError(
            f"no vectors {given}: there is no such file, and the names are: {there}; give a file, or add some: "
            "textclf vectors add glove"
        )
    if path.is_dir() and kept.is_one(path):
        config = kept.read_config(path)
        return Place(path, {name: str(config[name]) for name in ("name", "source", "licence")})
    return Place(path, {"name": path.name, "source": str(path.resolve()), "licence": UNKNOWN})


def summaries() -> list[Summary]:
    """All vectors, by name; raises what `failures.naming` raises if their folder may not be read."""
    place = home()
    with failures.naming(place.folder):
        return sorted(summary(path) for path in place.newest_first())


def summary(folder: Path) -> Summary:
    """What vectors.json says; the other files are not read."""
    bare = Summary(folder.name, folder, folders.size_of(folder))
    try:
        config = kept.read_config(folder)
    except TextclfError as error:
        return bare._replace(error=str(error))
    return bare._replace(
        words=int(config["words"]),
        dimension=int(config["dimension"]),
        licence=str(config["licence"]),
        source=str(config["source"]),
    )


def remove(name: str) -> Summary:
    """Remove vectors and return what they were; raises UsageError if there are none of exactly that name."""
    path = user_data.to_remove(name, home())
    was = summary(path)
    user_data.remove(path)
    return was


def record(of: Summary) -> dict[str, Any]:
    """A summary as JSON has it."""
    return {
        "name": of.name,
        "path": str(of.path),
        "words": of.words,
        "dimension": of.dimension,
        "bytes": of.size,
        "licence": of.licence or None,
        "source": of.source or None,
        "error": of.error or None,
    }
