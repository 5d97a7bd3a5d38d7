"""Labelled documents in files and folders, and how folders are read.

    a file                       one split, in a format of `textclf.sources.formats`
    a folder of class folders    one split: one document per file, the class folder's name is the label
    a folder of splits           train, validation and test: each a file or a folder of class folders

Without an id column a document's id is its number in its split, from 1; in class folders it is the file's path.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final

from textclf.errors import DataError, UsageError
from textclf.sources.columns import FindColumns, find_columns, listed, to_row
from textclf.sources.document import Columns, Corpus, Document, Rows, documents
from textclf.sources.formats import Reading, check_asked, columns_of, parts_of, read_rows
from textclf.sources.kinds import KINDS_BY_ENDING, advice_on_lines, kind_of
from textclf.sources.opening import ending_of, stem_of, unreadable
from textclf.sources.text_lines import Encoding, encoding_named, read_lines

SPLIT_NAMES: Final = {
    "train": "train", "training": "train",
    "validation": "validation", "valid": "validation", "val": "validation", "dev": "validation",
    "test": "test",
}  # fmt: skip
UNLABELLED: Final = {"unsup", "unsupervised", "unlabelled", "unlabeled"}
"""Class folders that are not a class, such as aclImdb/train/unsup."""

ENDINGS: Final = {*KINDS_BY_ENDING, ".txt", ""}
"""Of files in a folder that may be a split."""


def read_path(path: Path, reading: Reading) -> Corpus:
    """Find the documents of a file or folder; a file, and a folder without splits in it, is the ``train`` split.

    They are read, and checked, when they are iterated over. Raises UsageError or DataError.
    """
    parts = _parts(path)
    kind = _kind(parts["train"], reading)
    check_asked(parts["train"], kind, reading.columns)
    notes = _notes(path, parts)
    reading = reading._replace(warn=notes.append)
    inner = _inner_parts(path, kind, reading) if kind is not None and parts["train"] == path else {}
    train = FileDocuments.of(parts["train"], reading._replace(part=inner.get("train", reading.part)))
    others = reading._replace(known=train.columns)
    splits = {split: train if split == "train" else FileDocuments.of(part, others) for split, part in parts.items()}
    for split, name in inner.items():
        splits.setdefault(split, FileDocuments.of(path, others._replace(part=name)))
    return Corpus(
        name=path.resolve().name if path.is_dir() else stem_of(path),
        source=str(path),
        revision="+".join(digest(part) for part in parts.values()),
        splits=splits,
        notes=notes,
        size=sum(documents.size for documents in splits.values()),
        columns=train.columns,
    )


def _inner_parts(path: Path, kind: str, reading: Reading) -> dict[str, str]:
    """The lists of documents in a JSON file, or the sheets of a workbook, that are splits, by split.

    Raises UsageError if there are several and none is named like a training split.
    """
    names = parts_of(path, kind, reading) if reading.part is None else []
    splits: dict[str, str] = {}
    for name in names:
        if split := split_of(name.rpartition(".")[2]):
            splits.setdefault(split, name)
    if names and "train" not in splits:
        raise UsageError(f"{path} has several parts, {listed(names)}; name one, as in --part {names[0]!r}")
    if left := [name for name in names if name not in splits.values()]:
        reading.warn(f"not read: {', '.join(left[:5])}{' and more' if len(left) > 5 else ''} of {path.name}")
    return splits


@dataclass(frozen=True, slots=True)
class FileDocuments:
    """The documents of one file or folder of class folders, read each time they are iterated over."""

    path: Path
    reading: Reading
    columns: Columns
    """Those that are taken."""

    @classmethod
    def of(cls, path: Path, reading: Reading) -> "FileDocuments":
        """Find the columns by the beginning of a file; raises UsageError or DataError if it cannot be read at all."""
        kind = _kind(path, reading)
        if kind is None:
            encoding = encoding_named(reading.columns.encoding).name
            return cls(path, reading, replace(reading.columns, encoding=encoding))
        return cls(path, reading, columns_of(path, kind, reading))

    def __iter__(self) -> Iterator[Document]:
        return read_documents(self.path, self.reading)

    @property
    def size(self) -> int:
        """Bytes of a file; 0 of a folder."""
        return self.path.stat().st_size if self.path.is_file() else 0


def read_documents(path: Path, reading: Reading) -> Iterator[Document]:
    """Yield the documents of one file, or of one folder of class folders, in order.

    Raises UsageError, before anything is opened, if the path does not exist or has an ending that is not supported.
    """
    kind = _kind(path, reading)
    if kind is not None:
        return documents(read_rows(path, kind, reading), where=str(path))
    by_file = replace(reading.columns, id=reading.columns.id or "id")
    find = partial(find_columns, by_file, where=str(path), needs_label=True)
    encoding = encoding_named(reading.columns.encoding)
    return documents(_class_rows(path, _class_folders(path), find, encoding), where=str(path))


def _kind(path: Path, reading: Reading) -> str | None:
    """The format of a file, None for a folder of class folders; raises UsageError or DataError for anything else."""
    if not is_there(path):
        raise UsageError(f"no such file or folder: {path}")
    if _printable(path) != str(path):
        raise UsageError(f"{path}: the name is not UTF-8, which the manifest is in; rename it")
    if path.is_dir():
        if not _class_folders(path):
            raise DataError(f"{path}: no class folders and no train file or folder in it")
        return None
    if not path.is_file():  # a pipe can be read only once, and /dev/zero never ends
        raise UsageError(f"{path} is not a file but a pipe or a device: copy what comes out of it into a file")
    kind = kind_of(path, named=reading.kind, columns=reading.columns)
    if kind != "lines":
        return kind
    if advice := advice_on_lines(path, reading.columns):
        raise DataError(f"{path}:1: no label; the lines look like {advice}")
    return "fasttext"  # lines with labels


def is_there(path: Path) -> bool:
    """Tell whether there is a file or folder; False for a name that is too long to be one.

    Raises UsageError if the user may not look there.
    """
    try:
        return path.exists()
    except PermissionError as error:
        raise unreadable(path, error) from error
    except OSError:
        return False


def split_of(name: str) -> str | None:
    """Return the split that a file, folder or Hub split of this name is, if it is one."""
    return SPLIT_NAMES.get(name.lower())


def digest(path: Path) -> str:
    """Return 16 hexadecimal digits that change with the content: of a file, the start of its sha256.

    Of a folder of class folders, the start of the sha256 of the lines ``sha256 relative/path``. Raises DataError.
    """
    if path.is_file():
        return _sha256(path)[:16]
    listing = hashlib.sha256()
    for document in _class_files(_class_folders(path)):
        line = f"{_sha256(document)} {document.relative_to(path).as_posix()}\n"
        listing.update(line.encode(errors="surrogateescape"))  # the name as it is on disk, UTF-8 or not
    return listing.hexdigest()[:16]


def _sha256(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise unreadable(path, error) from error


def _printable(path: Path) -> str:
    """Return a path as text; bytes of it that are not UTF-8 are escaped."""
    return str(path).encode(errors="surrogateescape").decode(errors="backslashreplace")


def _parts(path: Path) -> dict[str, Path]:
    """Return the file or folder of each split: those of a folder that has a train part, else the path itself."""
    parts: dict[str, Path] = {}
    for child in _visible(path) if is_there(path) and path.is_dir() else ():
        split = split_of(child.name if child.is_dir() else stem_of(child))
        if split is None or not (child.is_dir() or ending_of(child) in ENDINGS):
            continue
        if split in parts:
            raise UsageError(f"{path} has two {split} parts, {parts[split].name} and {child.name}: name one file")
        parts[split] = child
    return parts if "train" in parts else {"train": path}


def _visible(folder: Path) -> list[Path]:
    try:
        return sorted(child for child in folder.iterdir() if not child.name.startswith("."))
    except OSError as error:
        raise unreadable(folder, error) from error


def _class_folders(folder: Path) -> list[Path]:
    return [child for child in _visible(folder) if child.is_dir() and child.name.lower() not in UNLABELLED]


def _class_files(folders: Iterable[Path]) -> Iterator[Path]:
    for folder in folders:
        for file in sorted(folder.rglob("*")):
            is_hidden = any(part.startswith(".") for part in file.relative_to(folder).parts)
            if file.is_file() and not is_hidden:
                yield file


def _class_rows(path: Path, folders: Iterable[Path], find: FindColumns, encoding: Encoding) -> Rows:
    roles = find(["id", "label", "text"])
    for file in _class_files(folders):
        relative = file.relative_to(path)
        values = {"id": relative.as_posix(), "label": relative.parts[0], "text": _read_text(file, encoding)}
        yield to_row(str(file), values, roles)


def _read_text(file: Path, encoding: Encoding) -> str:
    """Return all of a file, its line ends as they are; raises DataError."""
    read = partial(read_lines, name=str(file), encoding=encoding, newline="")
    parts = []
    try:
        with file.open("rb") as stream, closing(read(stream)) as lines:
            for _, text, error in lines:
                if error:
                    raise DataError(error)
                parts.append(text)
    except OSError as error:
        raise unreadable(file, error) from error
    return "".join(parts)


def _notes(path: Path, parts: Mapping[str, Path]) -> list[str]:
    """Name the files and folders that were not read; what is seen while others are read is added."""
    folders = [folder for folder in dict.fromkeys((path, *parts.values())) if folder.is_dir()]
    read = {*parts.values(), *(child for part in parts.values() if part.is_dir() for child in _class_folders(part))}
    left = [child.relative_to(path) for folder in folders for child in _visible(folder) if child not in read]
    shown = ", ".join(_printable(child) for child in left[:5])
    return [f"not read: {shown}{' and more' if len(left) > 5 else ''}"] if left else []
