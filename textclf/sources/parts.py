"""The documents of a split, in one file or in several: read, numbered, and told apart by a digest.

FILES            one file after another, each in its own format
SIDE_BY_SIDE     a text per line of one file, its label on the same line of another
CLASS_FILES      a text per line, or per row of a table without labels; the name of the file is the label
CLASS_FOLDERS    a text per file; the name of the folder is the label
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice, zip_longest
from pathlib import Path
from typing import Final

from textclf.errors import DataError, UsageError
from textclf.sources.columns import FindColumns, find_columns, to_row
from textclf.sources.document import Columns, Document, Row, Rows, documents
from textclf.sources.formats import Reading, Warn, check_asked, columns_of, ignore, read_rows
from textclf.sources.kinds import advice_on_lines, kind_of
from textclf.sources.layouts import CLASS_FILES, CLASS_FOLDERS, FILES, SIDE_BY_SIDE, Part, classes_of
from textclf.sources.opening import is_there, name_of, unreadable
from textclf.sources.text_lines import Encoding, encoding_named, read_lines

UNLABELLED: Final = {"unsup", "unsupervised", "unlabelled", "unlabeled"}
"""Class folders that are not a class, such as aclImdb/train/unsup."""

MAPPING: Final = "mapping.txt"
"""File beside texts and labels that has a label, a tab and its name on each line."""


@dataclass(frozen=True, slots=True)
class FileDocuments:
    """The documents of one split, read each time they are iterated over."""

    part: Part
    reading: Reading
    columns: Columns
    """Those that are taken."""

    @classmethod
    def of(cls, part: Part, reading: Reading) -> "FileDocuments":
        """Find the columns by the beginning of the files; raises UsageError or DataError if they cannot be read."""
        for path in part.paths:
            _refuse_path(path)
        if part.form == CLASS_FILES and kind_of(part.paths[0]) != "lines":
            return cls(part, reading, _columns_of_classes(part.paths, reading))
        if part.form != FILES:
            check_asked(part.paths[0], None, reading.columns)
            encoding = encoding_named(reading.columns.encoding).name
            return cls(part, reading, replace(reading.columns, encoding=encoding))
        first, *others = part.paths
        columns = _columns(first, reading)
        for path in others:
            _refuse_other_columns(path, _columns(path, reading._replace(known=columns)), columns)
        return cls(part, reading, columns)

    def __iter__(self) -> Iterator[Document]:
        return read_documents(self.part, self._known())

    def _known(self) -> Reading:
        """How each file is read: of several, the columns are those of the first."""
        return self.reading._replace(known=self.columns) if len(self.part.paths) > 1 else self.reading

    def shards(self) -> "list[FileDocuments]":
        """What other processes can read, each a share: a file, or all together where they belong together."""
        alone = self._known()._replace(warn=ignore)
        if self.part.form != FILES:
            return [FileDocuments(self.part, alone, self.columns)]
        return [FileDocuments(Part(FILES, (path,)), alone, self.columns) for path in self.part.paths]

    def read_shard(self, warn: Warn) -> Iterator[Document]:
        """The documents, which need not be any, with NO_ID where they have no id."""
        return read_documents(self.part, self.reading._replace(warn=warn), is_shard=True)

    def place(self, number: int) -> str:
        """Where in the files the document with this index is."""
        rows = (row for row in rows_of(self.part, self.reading) if not row.is_blank)
        return next(islice(rows, number, None)).place

    @property
    def size(self) -> int:
        """Bytes of the files; 0 of a folder."""
        return sum(path.stat().st_size for path in self.part.paths if path.is_file())


def _columns(path: Path, reading: Reading) -> Columns:
    kind = training_kind(path, reading)
    check_asked(path, kind, reading.columns)
    return columns_of(path, kind, reading)


def _columns_of_classes(paths: Sequence[Path], reading: Reading) -> Columns:
    """The columns of tables that are a class each; raises DataError if they differ, or have labels."""
    without_label = reading._replace(needs_label=False)
    first = _columns(paths[0], without_label)
    for path in paths:
        columns = _columns(path, without_label._replace(known=first))
        folder = path.parent
        if columns.label is not None:
            raise DataError(
                f"{path} has labels in its column {columns.label!r}, so that the files of {folder} are no classes; "
                f"name them: textclf preprocess '{folder}/*{path.suffix}'"
            )
        _refuse_other_columns(path, columns, first)
    return first


def _refuse_other_columns(path: Path, columns: Columns, first: Columns) -> None:
    """Raise UsageError if a file has its text or label in another column than the first file of its split."""
    pairs = (("text", columns.text, first.text), ("label", _of_labels(columns), _of_labels(first)))
    for role, here, there in pairs:
        if here and there and here != there:  # lines have no columns
            raise UsageError(
                f"{path} has its {role} in {_named(here)}, and the file before it in {_named(there)}: rename one, or "
                f"name a column of both with --{role}-column"
            )


def _of_labels(columns: Columns) -> str | tuple[str, ...] | None:
    """The column of the label, or those of 1 and 0."""
    return columns.flags or columns.label


def _named(columns: str | Sequence[str]) -> str:
    return " and ".join(map(repr, [columns] if isinstance(columns, str) else columns))


def read_documents(part: Part, reading: Reading, *, is_shard: bool = False) -> Iterator[Document]:
    """Yield the documents of a split in order, see `textclf.sources.document.documents`.

    Raises UsageError, before anything is read, if a file does not exist or has a format that is not supported.
    """
    for path in part.paths:
        _refuse_path(path)
    return documents(rows_of(part, reading), where=str(part.paths[0]), is_shard=is_shard)


def rows_of(part: Part, reading: Reading) -> Rows:
    """Return the rows of a split in order; raises what `read_documents` raises."""
    if part.form == SIDE_BY_SIDE:
        return _side_by_side(part.paths, reading)
    if part.form == CLASS_FILES:
        return _class_files_rows(part.paths, reading)
    if part.form == CLASS_FOLDERS:
        return _class_rows(part.paths[0], reading)
    return _rows({path: training_kind(path, reading) for path in part.paths}, reading)


def _rows(kinds: Mapping[Path, str], reading: Reading) -> Rows:
    for path, kind in kinds.items():
        yield from read_rows(path, kind, reading)


def _refuse_path(path: Path) -> None:
    """Raise UsageError for a path that is no file or folder that documents are read from."""
    if not is_there(path):
        raise UsageError(f"no such file or folder: {path}")
    if printable(path) != str(path):
        raise UsageError(f"{path}: the name is not UTF-8, which the manifest is in; rename it")
    if not path.is_dir() and not path.is_file():  # a pipe can be read only once, and /dev/zero never ends
        raise UsageError(f"{path} is not a file but a pipe or a device: copy what comes out of it into a file")


def training_kind(path: Path, reading: Reading) -> str:
    """Return the format of a file of labelled documents; lines have labels as fastText has them."""
    kind = kind_of(path, named=reading.kind, columns=reading.columns)
    if kind != "lines":
        return kind
    if advice := advice_on_lines(path, reading.columns):
        raise DataError(f"{path}:1: no label; the lines look like {advice}")
    return "fasttext"


def printable(path: Path) -> str:
    """Return a path as text; bytes of it that are not UTF-8 are escaped."""
    return str(path).encode(errors="surrogateescape").decode(errors="backslashreplace")


# Digests


def digest(part: Part) -> str:
    """Return 16 hexadecimal digits that change with the content: of one file, the start of its sha256.

    Of others, the start of the sha256 of the lines ``sha256 relative/path``. Raises DataError.
    """
    if len(part.paths) == 1 and part.paths[0].is_file():
        return _sha256(part.paths[0])[:16]
    root = part.paths[0] if part.form == CLASS_FOLDERS else part.paths[0].parent
    files = _class_files(class_folders(root)) if part.form == CLASS_FOLDERS else part.paths
    listing = hashlib.sha256()
    for path in files:
        name = path.relative_to(root).as_posix() if path.is_relative_to(root) else name_of(path)
        listing.update(f"{_sha256(path)} {name}\n".encode(errors="surrogateescape"))  # as on disk, UTF-8 or not
    return listing.hexdigest()[:16]


def _sha256(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise unreadable(path, error) from error


# Lines of several files


def _lines(path: Path, reading: Reading) -> Iterator[Row]:
    """The lines of a file as rows with their places, without blank ones at the end; raises DataError."""
    blank: list[Row] = []
    for row in read_rows(path, "lines", reading):
        if row.is_blank:
            blank.append(row)
        else:
            yield from blank
            blank.clear()
            yield row


def _class_files_rows(paths: Iterable[Path], reading: Reading) -> Rows:
    """A row per line that is not blank, or per row."""
    for path, label in classes_of(list(paths)).items():
        kind = kind_of(path, named=reading.kind, columns=reading.columns)
        is_lines = kind == "lines"
        rows = _lines(path, reading) if is_lines else read_rows(path, kind, reading._replace(needs_label=False))
        for row in rows:
            yield row._replace(label=label)


def _side_by_side(paths: tuple[Path, ...], reading: Reading) -> Rows:
    """A row per line of the texts; raises DataError if the labels are not as many."""
    for texts, labels in zip(paths[::2], paths[1::2], strict=True):
        names = _names_of_labels(texts.with_name(MAPPING), reading)
        for text, label in zip_longest(_lines(texts, reading), _lines(labels, reading)):
            if text is None or label is None:
                more, fewer = (texts, labels) if label is None else (labels, texts)
                place = (text or label).place
                raise DataError(f"{place}: {fewer.name} has no such line; {more.name} must have as many lines")
            yield _labelled(text, label, names)


def _labelled(text: Row, label: Row, names: Mapping[str, str]) -> Row:
    value = label.text.strip()
    problem = label.error or (None if value else f"{label.place}: the label is empty")
    return text._replace(label=names.get(value, value), training_error=problem, is_blank=False)


def _names_of_labels(mapping: Path, reading: Reading) -> dict[str, str]:
    """The name of each label, if there is such a file."""
    if not mapping.is_file():
        return {}
    fields = [row.text.split("\t") for row in _lines(mapping, reading) if row.text]
    return {label.strip(): name.strip() for label, name, *_ in (field for field in fields if len(field) > 1)}


# Class folders


def visible(folder: Path) -> list[Path]:
    """Return what is in a folder, in order, but for hidden files; raises DataError if it cannot be read."""
    try:
        return sorted(child for child in folder.iterdir() if not child.name.startswith("."))
    except OSError as error:
        raise unreadable(folder, error) from error


def class_folders(folder: Path) -> list[Path]:
    """Return the folders in a folder that are classes."""
    return [child for child in visible(folder) if child.is_dir() and child.name.lower() not in UNLABELLED]


def _class_files(folders: Iterable[Path]) -> Iterator[Path]:
    for folder in folders:
        for file in sorted(folder.rglob("*")):
            is_hidden = any(part.startswith(".") for part in file.relative_to(folder).parts)
            if file.is_file() and not is_hidden:
                yield file


def _class_rows(path: Path, reading: Reading) -> Rows:
    by_file = replace(reading.columns, id=reading.columns.id or "id")
    find: FindColumns = partial(find_columns, by_file, where=str(path), needs_label=True)
    encoding = encoding_named(reading.columns.encoding)
    roles = find(["id", "label", "text"])
    for file in _class_files(class_folders(path)):
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
