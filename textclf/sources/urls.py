"""URLs of files, what may be shown of them, and where their copies are. Reaches no network.

The copy of s3://bucket/2026/reviews.csv is s3/bucket/2026/reviews.csv in the cache folder, so that its path is as easy
to read as its URL, and says which that is.
"""

import hashlib
import re
from pathlib import Path, PurePosixPath
from typing import Final, NamedTuple
from urllib.parse import quote, unquote

from textclf.system import cache as caches

HTTP: Final = ("http", "https")
"""Schemes whose servers list no files, and in whose URLs a query follows the path."""

_URL: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://(.*)", re.DOTALL)
_LONGEST: Final = 200
"""Bytes of a name in the cache; file systems allow 255."""
_QUERY: Final = "@"
"""Begins the folder of copies whose URL has a query."""
_NOTHING: Final = "%"
"""Name of the folder between two slashes."""


class Url(NamedTuple):
    """The parts of a URL."""

    scheme: str
    """In lower case."""
    authority: str
    """The host, bucket or owner, without a user and password."""
    path: str
    """What follows the authority, with its first slash; a query is no part of it."""
    query: str
    """With its question mark; empty where there is none."""

    def __str__(self) -> str:
        return f"{self.scheme}://{self.authority}{self.path}"

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path.rpartition("/")[2]


def is_url(source: str) -> bool:
    """Whether a source is a URL rather than a path or a name."""
    return _URL.fullmatch(source) is not None


def parse(url: str) -> Url:
    """The parts of a URL; raises ValueError if it is none."""
    found = _URL.fullmatch(url)
    if found is None:
        raise ValueError(f"{url} is no URL")
    scheme, rest = found[1].lower(), found[2]
    query = ""
    if scheme in HTTP:  # elsewhere "?" and "#" may be characters of a name, or of a pattern
        rest = rest.partition("#")[0]
        rest, mark, query = rest.partition("?")
        query = mark + query
    authority, slash, path = rest.partition("/")
    return Url(scheme, authority.rpartition("@")[2], slash + path, query)


def without_secrets(source: str) -> str:
    """A URL without user, password and query, which may hold a signature; any other source as it is."""
    return str(parse(source)) if is_url(source) else source


def cache() -> Path:
    """The folder of copies, below the user's cache folder; relative if the user has no home."""
    return caches.folder("remote")


def place_of(url: Url) -> Path:
    """Where the copy of a file is; each URL has a place of its own."""
    parts = url.path.removeprefix("/").split("/")
    folders = [_named(unquote(part) if url.scheme in HTTP else part) for part in parts]
    if url.query:
        folders.insert(-1, _QUERY + _digest(url.query))
    return cache().joinpath(_named(url.scheme), _named(url.authority), *folders)


def of_copy(path: Path) -> str | None:
    """The URL of which a path is the copy; None: it is not in the cache. A name that was shortened stays so."""
    root = cache()
    if root not in path.parents:
        return None
    scheme, *parts = path.relative_to(root).parts
    names = ("" if part == _NOTHING else unquote(part) for part in parts if not part.startswith(_QUERY))
    return f"{scheme}://{'/'.join(names)}"


def _named(part: str) -> str:
    """A part of a URL as the name of one file or folder, different for different parts."""
    name = "".join(map(_escaped, part))
    name = {"": _NOTHING, ".": "%2E", "..": "%2E%2E"}.get(name, name)
    return name if len(name.encode()) <= _LONGEST else f"{_digest(part)}{PurePosixPath(name).suffix[-20:]}"


def _escaped(character: str) -> str:
    is_plain = character.isprintable() and character not in "%/@"
    return character if is_plain else quote(character, safe="", errors="surrogateescape")


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()[:16]
