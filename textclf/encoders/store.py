"""The encoders of this user, a folder each: ~/.local/share/textclf/encoders, or what TEXTCLF_ENCODERS names."""

from pathlib import Path
from typing import Any, Final, NamedTuple

from textclf.encoders import encoder, published
from textclf.encoders.encoder import CONFIG, Encoder
from textclf.errors import TextclfError, UsageError
from textclf.system import failures, folders, names, user_data
from textclf.system.names import Home, is_name

FOLDER: Final = "TEXTCLF_ENCODERS"
"""Environment variable that names the folder."""


class Summary(NamedTuple):
    """What `textclf encoder list` says of an encoder."""

    name: str
    path: Path
    size: int
    """Bytes of its files."""
    dimension: int | None = None
    precision: str = ""
    licence: str = ""
    source: str = ""
    hash: str = ""
    error: str = ""
    """What is wrong with it; then the fields above are empty."""


def home() -> Home:
    """Where the encoders are; a relative folder if this user has no home, and TEXTCLF_ENCODERS names none."""
    return user_data.home("encoder", "encoders", variable=FOLDER, remedy="add one: textclf encoder add minilm")


def find(given: str | Path) -> Encoder:
    """The encoder of a name, or a unique beginning of one, or in a folder: one of ours, or as it was published.

    Raises UsageError if there is none, ArtefactError if it is damaged, DataError if it is of a kind that we cannot use.
    """
    place = home()
    kept = place.folder / given
    folder = kept if is_name(given) and kept.is_dir() else names.find(given, place)
    if (folder / CONFIG).exists() or folder.parent == place.folder:
        return encoder.load(folder)
    return encoder.parse(published.read(folder, name=folder.resolve().name), folder)


def find_hash(wanted: str, *, name: str) -> Encoder:
    """The encoder with this hash, whatever its name is here; raises UsageError if there is none, and what `find` does.

    name: what it was called where a model was trained with it.
    """
    for each in summaries():
        if each.hash == wanted:
            return encoder.load(each.path)
    raise UsageError(
        f"the model was trained with the encoder {name} ({wanted[:12]}), which is not in {home().folder}; add it: "
        f"textclf encoder add {name}"
    )


def summaries() -> list[Summary]:
    """All encoders, by name; raises what `failures.naming` raises if their folder may not be read."""
    place = home()
    with failures.naming(place.folder):
        return sorted(summary(path) for path in place.newest_first())


def summary(folder: Path) -> Summary:
    """What encoder.json says of an encoder; its other files are not read."""
    bare = Summary(folder.name, folder, folders.size_of(folder))
    try:
        config = encoder.read_config(folder)
        return bare._replace(
            dimension=int(config["sizes"]["hidden"]),
            precision=str(config["precision"]),
            licence=str(config["licence"]),
            source=str(config["source"]),
            hash=str(config["hash"]),
        )
    except TextclfError as error:
        return bare._replace(error=str(error))


def remove(name: str) -> Summary:
    """Remove an encoder and return what it was; raises UsageError if there is none of exactly that name."""
    path = user_data.to_remove(name, home())
    was = summary(path)
    user_data.remove(path)
    return was


def record(of: Summary) -> dict[str, Any]:
    """A summary as JSON has it."""
    return {
        "name": of.name,
        "path": str(of.path),
        "dimension": of.dimension,
        "precision": of.precision or None,
        "bytes": of.size,
        "licence": of.licence or None,
        "source": of.source or None,
        "hash": of.hash or None,
        "error": of.error or None,
    }
