"""Labelled documents in files and folders. Reads, checks, and never guesses: a value keeps the spelling it has there.

    .csv .tsv                    a header line, then one document a row
    .jsonl .ndjson               one JSON object a line
    .parquet                     one document a row
    .txt .ft .fasttext           one document a line, as fastText has it: __label__sport Hammer throw ...
    .train .valid .test          the same
    a folder of class folders    one document a file; the class folder's name is the label
    a folder of splits           train, validation and test: each a file or a folder of class folders

Without an id column a document's id is its number in its split, from 1; in class folders it is the file's path.
"""

import codecs
import csv
import hashlib
import io
import json
import re
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Final

from textclf.errors import DataError, UsageError
from textclf.sources.columns import (
    MAX_CHARACTERS,
    TEXT_NAMES,
    Columns,
    Record,
    Records,
    documents,
    find_columns,
    shortened,
    usual_name,
)
from textclf.sources.document import Corpus, Document

SPLIT_NAMES: Final = {
    "train": "train", "training": "train",
    "validation": "validation", "valid": "validation", "val": "validation", "dev": "validation",
    "test": "test",
}  # fmt: skip
UNLABELLED: Final = {"unsup", "unsupervised", "unlabelled", "unlabeled"}
"""Class folders that hold no class, as aclImdb/train/unsup."""

BINARY: Final = {
    rb"\x1f\x8b": "gzip: unpack it first",
    rb"PK\x03\x04": "a ZIP archive, as .xlsx is, too: unpack it, or save it as CSV",
    rb"BZh[1-9]1AY&SY": "bzip2: unpack it first",
    rb"\xfd7zXZ\x00": "xz: unpack it first",
    rb"\x28\xb5\x2f\xfd": "zstd: unpack it first",
    rb"PAR1\x15": "Parquet: name it .parquet",
    rb"%PDF-": "a PDF",
    rb"\x89PNG": "a PNG image",
}
"""How files begin that are no text, whatever their name says; a decoder would pass some of them."""

WIDE: Final = {
    codecs.BOM_UTF32_LE: "utf-32",  # before UTF-16, whose mark it begins with
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
"""Byte-order marks of the encodings that are not UTF-8."""

PARQUET_ROWS: Final = 32
"""Rows of Parquet that are in memory at a time: a dictionary makes each of them as long as the longest."""

UNPACKED_AT_MOST: Final = 1_000
"""How many times the size of its file the text of a Parquet file may be, beyond UNPACKED_ANYWAY characters."""

UNPACKED_ANYWAY: Final = 100_000_000

Reader = Callable[[Path, Columns, str], Records]


def read_path(path: Path, *, columns: Columns, encoding: str | None = None) -> Corpus:
    """Find the documents of a file or folder; a file, and a folder without splits in it, is the ``train`` split.

    They are read, and checked, when they are iterated over. ``encoding`` None is UTF-8, with or without a byte-order
    mark. Raises UsageError or DataError.
    """
    parts = _parts(path)
    splits = {split: FileDocuments(part, columns, encoding) for split, part in parts.items()}
    return Corpus(
        name=path.resolve().name if path.is_dir() else path.stem,
        source=str(path),
        revision="+".join(digest(part) for part in parts.values()),
        splits=splits,
        notes=_notes(path, parts),
    )


@dataclass(frozen=True, slots=True)
class FileDocuments:
    """The documents of one file or folder of class folders, read each time they are iterated over."""

    path: Path
    columns: Columns
    encoding: str | None

    def __post_init__(self) -> None:
        rows(self.path, columns=self.columns, encoding=self.encoding)  # refuses at once what cannot be read at all

    def __iter__(self) -> Iterator[Document]:
        return rows(self.path, columns=self.columns, encoding=self.encoding)

    @property
    def size(self) -> int:
        """Bytes of a file; 0 of a folder."""
        return self.path.stat().st_size if self.path.is_file() else 0


def rows(path: Path, *, columns: Columns, encoding: str | None = None) -> Iterator[Document]:
    """Yield the documents of one file, or of one folder of class folders, in order.

    Raises UsageError, before anything is opened, if the path does not exist or has an ending that is not in the table.
    """
    if not is_there(path):
        raise UsageError(f"no such file or folder: {path}")
    if _spelled(path) != str(path):
        raise UsageError(f"{path}: the name is not UTF-8, which the manifest is in; rename it")
    codec = _codec(encoding)
    if path.is_dir():
        if not (folders := _class_folders(path)):
            raise DataError(f"{path}: no class folders and no train file or folder in it")
        named_by_file = replace(columns, id=columns.id or "id")
        return documents(_class_records(path, folders, codec), columns=named_by_file, where=str(path))
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        raise UsageError(f"{path}: unsupported format; supported are {' '.join(READERS)} and folders of them")
    if not path.is_file():  # a pipe can be read once only, and /dev/zero never ends
        raise UsageError(f"{path} is not a file but a pipe or a device: copy what comes out of it into a file")
    return documents(reader(path, columns, codec), columns=columns, where=str(path))


def is_there(path: Path) -> bool:
    """Whether there is a file or folder; a name that is too long for one is none."""
    try:
        return path.exists()
    except OSError:
        return False


def _spelled(path: Path) -> str:
    """Return a path as text; bytes of it that are not UTF-8 are spelled out."""
    return str(path).encode(errors="surrogateescape").decode(errors="backslashreplace")


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
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: OSError) -> DataError:
    return DataError(f"cannot read {path}: {error.strerror or error}")


# CSV, TSV, JSON lines, fastText, Parquet


def _delimited(path: Path, columns: Columns, encoding: str, *, delimiter: str) -> Records:
    csv.field_size_limit(MAX_CHARACTERS)  # the csv module has one limit, for all readers: 131,072 characters
    with closing(_lines(path, encoding, newline="")) as lines:
        reader = csv.reader(lines, delimiter=delimiter, strict=True)
        place, header = _next_row(reader, path)
        check_header(place, header, columns)
        while True:
            place, row = _next_row(reader, path)
            if not row:
                return
            if len(row) != len(header):
                raise DataError(f"{place}: {len(row)} fields, but the header has {len(header)}")
            yield Record(place, dict(zip(header, row, strict=True)))


def _next_row(reader: Any, path: Path) -> tuple[str, list[str]]:
    """Return the next row of a csv.reader that is not blank, or [] at the end, and the line on which it starts."""
    row: list[str] = []
    place = f"{path}:1"
    while not row:
        place = f"{path}:{reader.line_num + 1}"
        try:
            row = next(reader)
        except StopIteration:
            break
        except csv.Error as error:
            raise DataError(f"{place}: the row is broken ({error}); a quote inside a field is written twice") from error
    return place, row


def check_header(place: str, header: list[str], columns: Columns) -> None:
    """Raise DataError if the first row of a table does not name its columns."""
    refuse_repeated(place, header)
    # a class number on the first line is the usual sign of a missing header; a column named "1" can still be asked for
    numbered = any(name.strip().isdecimal() for name in header) and usual_name(TEXT_NAMES, header) is None
    if not header or (numbered and not columns.text):
        raise DataError(f"{place}: no header; the first line must name the columns, such as text,label")


def refuse_repeated(place: str, names: list[str]) -> None:
    """Raise DataError if two columns have one name; spreadsheets leave columns without any, which nobody asks for."""
    repeated = sorted(name for name, times in Counter(names).items() if name and times > 1)
    if repeated:
        raise DataError(f"{place}: two columns are named {shortened(repeated[0])}")


def _json_lines(path: Path, _: Columns, encoding: str) -> Records:
    for number, line in enumerate(_lines(path, encoding, newline="\n"), start=1):
        if line.strip():
            place = f"{path}:{number}"
            yield Record(place, json_object(line, place))


def json_object(line: str, place: str) -> dict[str, object]:
    """The object that a line holds, numbers as they are spelled; raises DataError, which begins with the place."""
    try:
        value = _JSON.decode(line.rstrip())
    except json.JSONDecodeError as error:
        raise DataError(f"{place}: not JSON ({error.msg} at character {error.colno})") from error
    except (ValueError, RecursionError) as error:
        raise DataError(f"{place}: not JSON that can be read ({error})") from error
    if not isinstance(value, dict):
        raise DataError(f"{place}: not a JSON object; each line must be one")
    return value


def _refuse_constant(name: str) -> object:
    raise ValueError(f"{name} is not a JSON value")


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) < len(pairs):
        raise ValueError("a key comes twice")
    return values


_JSON: Final = json.JSONDecoder(
    parse_int=str, parse_float=str, parse_constant=_refuse_constant, object_pairs_hook=_unique_keys
)


def _fasttext(path: Path, _: Columns, encoding: str) -> Records:
    for number, line in enumerate(_lines(path, encoding, newline="\n"), start=1):
        place = f"{path}:{number}"
        if not line.strip():
            continue
        labelled = re.match(r"__label__(\S*)(?:\s(.*))?", line.rstrip("\r\n"), flags=re.ASCII | re.DOTALL)
        if labelled is None:
            raise DataError(f"{place}: no label; each line must start with one, such as __label__sport")
        label, text = labelled[1], labelled[2] or ""
        if re.search(r"(?:^|\s)__label__", text, flags=re.ASCII):
            raise DataError(f"{place}: more than one label; a document has one")
        yield Record(place, {"label": label, "text": text})


def _parquet(path: Path, columns: Columns, _: str) -> Records:
    import pyarrow as pa
    import pyarrow.parquet as pq

    number = characters = 0
    most = max(UNPACKED_ANYWAY, UNPACKED_AT_MOST * path.stat().st_size)
    try:
        with pq.ParquetFile(path) as file:
            refuse_repeated(str(path), file.schema_arrow.names)
            roles = find_columns(columns, file.schema_arrow.names, where=str(path))
            wanted = [name for name in dict.fromkeys((*roles.text, roles.label, roles.id)) if name is not None]
            for batch in file.iter_batches(batch_size=PARQUET_ROWS, columns=wanted):
                for values in batch.to_pylist():
                    number += 1
                    characters += sum(len(value) for value in values.values() if isinstance(value, str))
                    if characters > most:
                        raise DataError(f"{path}:{number}: more than {most:,} characters come out of so small a file")
                    yield Record(f"{path}:{number}", values)
            if number != file.metadata.num_rows:
                raise DataError(
                    f"{path}:{number + 1}: the file ends here, but says it has {file.metadata.num_rows:,} rows"
                )
    except (pa.ArrowException, OSError, ValueError, OverflowError, MemoryError) as error:
        reason = str(error).partition("\n")[0] or "it takes more memory than there is"
        raise DataError(f"{path}:{number + 1}: not Parquet that can be read ({reason})") from error


READERS: Final[Mapping[str, Reader]] = {
    ".csv": partial(_delimited, delimiter=","),
    ".tsv": partial(_delimited, delimiter="\t"),
    ".jsonl": _json_lines,
    ".ndjson": _json_lines,
    ".parquet": _parquet,
    **dict.fromkeys((".txt", ".ft", ".fasttext", ".train", ".valid", ".test"), _fasttext),
}


# Text files


def _codec(encoding: str | None) -> str:
    """Return the codec of a --encoding; UTF-8 is read with or without a byte-order mark."""
    try:
        name = codecs.lookup(encoding or "utf-8").name
        "".encode(name)  # raises for what is a codec but no encoding of text, such as hex
    except (LookupError, UnicodeError) as error:
        raise UsageError(f"no encoding named {encoding!r}; for example --encoding cp1252") from error
    return "utf-8-sig" if name == "utf-8" else name


def _lines(path: Path, encoding: str, *, newline: str) -> Generator[str, None, None]:
    """Yield the lines with their ends as they are; raises DataError at a byte that is not of the encoding."""
    try:
        with path.open("rb") as binary:
            refuse_binary(path, binary.peek(16)[:16], encoding)
            file = io.TextIOWrapper(binary, encoding=encoding, newline=newline)
            for number, line in enumerate(iter(partial(file.readline, MAX_CHARACTERS), ""), start=1):
                if len(line) == MAX_CHARACTERS:
                    raise DataError(f"{path}:{number}: the line is longer than {MAX_CHARACTERS:,} characters")
                yield line.removeprefix("\ufeff") if number == 1 else line  # the mark, which utf-16-le leaves there
    except UnicodeError as error:
        raise _wrong_encoding(path, encoding) from error
    except OSError as error:
        raise _unreadable(path, error) from error


def refuse_binary(path: Path, start: bytes, encoding: str) -> None:
    """Raise DataError for a file that begins as no text does, or as text of another encoding than UTF-8 does."""
    for pattern, kind in BINARY.items():
        if re.match(pattern, start):
            raise DataError(f"{path} is not text but {kind}")
    if encoding == "utf-8-sig" and (other := _wide(start)):
        raise DataError(f"{path} is {other.upper()}: add --encoding {other}")


def _wide(start: bytes) -> str | None:
    """Return the encoding of UTF-16 or UTF-32, by its mark, or by every other byte being 0."""
    for mark, encoding in WIDE.items():
        if start.startswith(mark):
            return encoding
    first, second = start[0::2], start[1::2]
    if len(second) >= 4 and not any(second) and all(first):
        return "utf-16-le"
    if len(second) >= 4 and not any(first) and all(second):
        return "utf-16-be"
    return None


def _wrong_encoding(path: Path, encoding: str) -> DataError:
    content = path.read_bytes()
    name = encoding.removesuffix("-sig")  # a codec that skips the mark counts its bytes from behind it
    try:
        content.decode(name)
        offset = 0  # UTF-16 that lacks its mark
    except UnicodeError as error:
        offset = getattr(error, "start", 0)  # some codecs do not say
    line = content.count(b"\n", 0, offset) + 1
    other = "--encoding cp1252" if name == "utf-8" else "another --encoding"
    return DataError(f"{path}:{line}: byte {offset} of the file is not {name}; try {other}")


# Folders


def _parts(path: Path) -> dict[str, Path]:
    """Return the file or folder of each split: those of a folder that has a train part, else the path itself."""
    parts: dict[str, Path] = {}
    for child in _visible(path) if is_there(path) and path.is_dir() else ():
        split = split_of(child.name if child.is_dir() else child.stem)
        if split is None or not (child.is_dir() or child.suffix.lower() in READERS):
            continue
        if split in parts:
            raise UsageError(f"{path} has two {split} parts, {parts[split].name} and {child.name}: name one file")
        parts[split] = child
    return parts if "train" in parts else {"train": path}


def _visible(folder: Path) -> list[Path]:
    try:
        return sorted(child for child in folder.iterdir() if not child.name.startswith("."))
    except OSError as error:
        raise _unreadable(folder, error) from error


def _class_folders(folder: Path) -> list[Path]:
    return [child for child in _visible(folder) if child.is_dir() and child.name.lower() not in UNLABELLED]


def _class_files(folders: Iterable[Path]) -> Iterator[Path]:
    for folder in folders:
        for file in sorted(folder.rglob("*")):
            hidden = any(part.startswith(".") for part in file.relative_to(folder).parts)
            if file.is_file() and not hidden:
                yield file


def _class_records(path: Path, folders: Iterable[Path], encoding: str) -> Records:
    for file in _class_files(folders):
        relative = file.relative_to(path)
        text = "".join(_lines(file, encoding, newline=""))
        yield Record(str(file), {"id": relative.as_posix(), "label": relative.parts[0], "text": text})


def _notes(path: Path, parts: Mapping[str, Path]) -> tuple[str, ...]:
    """Name what lies beside the documents and was not read."""
    folders = [folder for folder in dict.fromkeys((path, *parts.values())) if folder.is_dir()]
    read = {*parts.values(), *(child for part in parts.values() if part.is_dir() for child in _class_folders(part))}
    left = [_spelled(child.relative_to(path)) for folder in folders for child in _visible(folder) if child not in read]
    return (f"not read: {', '.join(left[:5])}{' and more' if len(left) > 5 else ''}",) if left else ()
