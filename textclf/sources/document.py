"""What every source of labelled text yields. Knows nothing about files, tokens or tensors."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

SPLITS: Final = ("train", "validation", "test")


class Document(NamedTuple):
    """One labelled text.

    ``id`` is the source's own name for it (an id column, a file name, a row number): echoed to the user, never a path.
    """

    id: str
    text: str
    label: str


@dataclass(frozen=True, slots=True)
class Corpus:
    """Labelled documents in the splits that their source has; ``"train"`` is always one of them."""

    name: str
    """A short name, safe as a folder name."""
    source: str
    """Where it was read: a path, ``owner/name`` on the Hub, or a package and its version."""
    revision: str
    """What pins the content: a package version, a Hub commit, or a digest of the files."""
    splits: Mapping[str, Iterable[Document]]
    """Split name (one of SPLITS) to its documents, in the source's order; read each time they are iterated over."""
    notes: tuple[str, ...] = ()
    """What the reader should be told: rows left out, an unusual encoding."""
