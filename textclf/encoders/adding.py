"""Adds an encoder to those of the user: a known one, fetched and checked, or the one in a folder."""

import re
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from textclf.encoders import encoder, known, published, store
from textclf.encoders.encoder import CONFIG, Encoder
from textclf.encoders.known import KNOWN
from textclf.encoders.store import Summary
from textclf.errors import ArtefactError, UsageError
from textclf.system import failures, files, folders, user_data

_NAME: Final = re.compile(r"[A-Za-z0-9][\w.+-]{0,99}", re.ASCII)
_DOWNLOAD: Final = "download"
"""Folder of what is being fetched."""


def add(what: str, *, name: str | None = None) -> Summary:
    """Keep an encoder of KNOWN, or the one in a folder, under a name; returns it at once if it is there already.

    It appears whole or not at all. Raises UsageError for a name that cannot be one, that another encoder has, or a
    folder that is not there; DataError if it cannot be fetched or used; ResourceError if the machine lacks something or
    another process is adding the same one.
    """
    if what not in KNOWN and not Path(what).is_dir():
        raise UsageError(f"no folder {what}, and no encoder of that name is known; known: {', '.join(KNOWN)}")
    name = name or (what if what in KNOWN else Path(what).resolve().name)
    if not _NAME.fullmatch(name):
        raise UsageError(f"an encoder cannot be called {name!r}: name it with letters and digits: --name NAME")
    place = user_data.place_for(name, store.home(), variable=store.FOLDER)
    there = _whole(place)
    if what in KNOWN:
        if there is None:
            _fetch(what, place, name)
        elif there.source not in KNOWN[what].places():
            raise _taken(name)
        return store.summary(place)
    new = _tried(_of_folder(Path(what), name), what)
    if there is None:
        with folders.replacing(place) as folder:
            user_data.empty(folder)
            new.save(folder)
    elif there.hash != new.hash:
        raise _taken(name)
    return store.summary(place)


def _taken(name: str) -> UsageError:
    return UsageError(
        f"another encoder has the name {name}: give this one another --name, or first run textclf encoder remove {name}"
    )


def _whole(folder: Path) -> Encoder | None:
    """The encoder in a folder; None if there is none, or it is damaged."""
    if not folder.exists():
        return None
    with suppress(ArtefactError):
        return encoder.load(folder)
    return None


def _fetch(what: str, place: Path, name: str) -> None:
    """Fetch an encoder of KNOWN into its place."""
    of = KNOWN[what]
    with folders.replacing(place) as folder, failures.naming(place):
        user_data.empty(folder)
        download = folder / _DOWNLOAD
        download.mkdir()
        try:
            found = known.fetch(what, download)
            content = published.read(found.folder, name=name, source=found.source, licence=of.licence, texts=of.texts())
            new = _tried(content, what)
        finally:
            files.remove(download)
        new.save(folder)


def _of_folder(folder: Path, name: str) -> Mapping[str, encoder.Content]:
    """The files of the encoder in a folder: one of ours under another name, or a published one."""
    if (folder / CONFIG).exists():
        return encoder.renamed(encoder.load(folder).files, name)
    return published.read(folder, name=name)


def _tried(content: Mapping[str, encoder.Content], where: str) -> Encoder:
    """The encoder of these files, after it has encoded a text."""
    new = encoder.parse(content, where)
    new.encode(["The first text that it reads."])
    return new
