"""What a file is, for training and for predicting alike: by its name, and where that does not say, by its beginning.

    .csv .tsv .tab .jsonl .ndjson .json .parquet .xlsx .ft .fasttext .train .valid .test     as the ending says
    the same and .gz .bz2 .xz .zst                                                           the same, compressed
    .txt, another ending, none                                                               as the first lines say

First lines are JSON, fastText lines, or a table, where that is plain; else they are plain lines.
"""

import codecs
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from textclf.errors import DataError, UsageError
from textclf.sources.binary import MAGIC, binary_kind, in_place_of_table
from textclf.sources.columns import LABEL_NAMES, TEXT_NAMES, usual_name
from textclf.sources.dialect import long_delimiter, with_tabs
from textclf.sources.document import LABEL, MAX_CHARACTERS, Columns
from textclf.sources.opening import ending_of, is_compressed, opened, unreadable
from textclf.sources.text_lines import encoding_named, refuse_other_content, wide_encoding

KINDS_BY_ENDING: Final[Mapping[str, str]] = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".tab": "tsv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "json",
    ".parquet": "parquet",
    ".xlsx": "xlsx",
    **dict.fromkeys((".ft", ".fasttext", ".train", ".valid", ".test"), "fasttext"),
}

ARCHIVES: Final = {".zip", ".tar", ".tgz", ".7z", ".rar"}

UNOPENED: Final = {".pkl", ".pickle", ".joblib", ".pt", ".pth", ".npy", ".npz", ".h5", ".hdf5"}
"""Files that are, or may hold, a pickle."""

COMPRESSED_INSIDE: Final = {"parquet", "xlsx"}
"""Formats whose files are not compressed again."""

TABLES: Final = {"csv", "tsv", "json", "jsonl"}

HEAD: Final = 65_536
"""Bytes at the beginning of a file by which it is recognised."""

PLAIN_LINES: Final = 2
"""Lines with tabs that make a table."""


def kind_of(
    path: Path,
    *,
    named: str = "auto",
    columns: Columns = Columns(),  # noqa: B008 (frozen)
    name: str | None = None,
) -> str:
    """Return the format of a file: the one that is named, else by its name, else by its beginning.

    ``name`` is that of a file that is kept under another one. Raises UsageError if it is no format that is read,
    DataError if it is not what its ending says.
    """
    ending = ending_of(Path(name or path))
    kind = KINDS_BY_ENDING.get(ending) if named == "auto" else named
    if ending in ARCHIVES:
        raise UsageError(
            f"{path}: unsupported format, an archive: unpack it, and name the file or folder that comes out"
        )
    if ending in UNOPENED:
        raise _unsupported(path, f"{ending}, which may hold a pickle and is never opened: save it as Parquet or CSV")
    if kind in COMPRESSED_INSIDE and is_compressed(path):
        raise UsageError(f"{path}: {kind} is compressed inside, and is not read from {path.suffix}: unpack it first")
    if kind in COMPRESSED_INSIDE or named != "auto":
        return str(kind)
    if not path.is_file():  # of a pipe, the beginning cannot be read twice
        return kind or "stdin"
    head = _head(path)
    if kind in TABLES and (what := in_place_of_table(head)):
        raise DataError(f"{path} is not {kind.upper()} but {what}")
    if kind not in (None, "json", "jsonl"):
        return str(kind)
    if kind is None:
        return _by_content(path, head, columns, ending)
    if kind == "json":
        return "jsonl" if _is_json_lines(path, head) else "json"
    if _is_one_value(head):
        raise DataError(
            f"{path}:1: not JSON lines, one object per line, but a JSON array or an object of several lines: "
            "name it .json, or add --input-format json"
        )
    return "jsonl"


def _unsupported(path: Path, what: str) -> UsageError:
    endings = " ".join((*KINDS_BY_ENDING, ".txt"))
    return UsageError(f"{path}: unsupported format, not text but {what}; supported are {endings}, and folders of them")


def _head(path: Path) -> bytes:
    try:
        with opened(path) as stream:
            return stream.read(HEAD)
    except OSError as error:
        raise unreadable(path, error) from error


def _by_content(path: Path, head: bytes, columns: Columns, ending: str) -> str:
    """The format of a file whose name does not say it."""
    if ending == ".txt":
        refuse_other_content(head[:MAGIC], str(path), encoding_named(columns.encoding))  # else tabs in it make a table
    elif what := binary_kind(head) or _control_characters(head):
        raise _unsupported(path, what)
    if columns.delimiter is not None or columns.quote is not None or columns.names:
        return "csv"
    lines = [line for line in _lines(head, columns) if line.strip()]
    if columns.label_prefix is not None or any(_has_label(line) for line in lines[:1]):
        return "fasttext"
    if looks_like_json("\n".join(lines)):
        return "jsonl" if _is_json_lines(path, head) else "json"
    return kind_of_table(lines) or "lines"


def _lines(head: bytes, columns: Columns) -> list[str]:
    """The first lines, without the last, which may be cut off unless it is alone."""
    text = head.decode(encoding_named(columns.encoding).codec, errors="replace")
    lines = text.split("\n")
    return [line.rstrip("\r") for line in (lines[:-1] if len(head) == HEAD and len(lines) > 1 else lines)]


def _has_label(line: str) -> bool:
    return re.search(rf"(?<!\S){LABEL}", line) is not None


def kind_of_table(lines: Sequence[str]) -> str | None:
    """Tell a table from plain lines: by a header with usual names, or by as many tabs in each of several lines."""
    first = lines[0] if lines else ""
    for delimiter, kind in (("\t", "tsv"), (",", "csv"), (";", "csv"), ("|", "csv")):
        names = [name.strip().strip("\"'") for name in first.split(delimiter)]
        if len(names) > 1 and usual_name(TEXT_NAMES, names) and (len(names) > 2 or usual_name(LABEL_NAMES, names)):
            return kind
    tabs = {line.count("\t") for line in lines}
    return "tsv" if len(lines) >= PLAIN_LINES and len(tabs) == 1 and tabs != {0} else None


def advice_on_lines(path: Path, columns: Columns) -> str | None:
    """Name the options that read lines without labels as a table, if they look like one without a header."""
    lines = [line for line in _lines(_head(path), columns) if line.strip()]
    if any(map(_has_label, lines)):  # the first may have none, where a document may have several
        return None
    if long := long_delimiter(lines):
        return f"columns separated by {long}: {with_tabs(long, str(path))}"
    for delimiter in (";", "|", ","):
        counts = {line.count(delimiter) for line in lines}
        if len(lines) >= PLAIN_LINES and len(counts) == 1 and counts != {0}:
            names = ",".join(["text", "label", *(f"c{number}" for number in range(3, 10))][: counts.pop() + 1])
            options = f"--delimiter '{delimiter}' --columns {names}"
            return f"columns separated by {delimiter}: name them in their order, as in {options}"
    return None


def looks_like_json(text: str) -> bool:
    """Whether a text begins as a JSON object does, or an array of objects, arrays or strings."""
    return re.match(r"\s*(\{\s*(\"|\}|$)|\[\s*([\[{\"\]]|$))", text) is not None


def _is_one_value(head: bytes) -> bool:
    """Whether JSON begins with an array, or with an object whose first line is its brace, as when it is indented."""
    first = head.removeprefix(codecs.BOM_UTF8).lstrip().partition(b"\n")[0]
    return first.startswith(b"[") or first.rstrip() == b"{"


def _is_json_lines(path: Path, head: bytes) -> bool:
    """Whether the first line is an object, and another line follows that begins as one."""
    start = head.removeprefix(codecs.BOM_UTF8).lstrip()
    first, end, rest = start.partition(b"\n")
    if start.startswith(b"{") and not end and len(head) == HEAD:
        with opened(path) as stream:
            first, rest = stream.readline(MAX_CHARACTERS).lstrip(codecs.BOM_UTF8), stream.read(HEAD)
    return first.startswith(b"{") and rest.lstrip().startswith(b"{") and _is_object(first)


def _is_object(line: bytes) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False


def _control_characters(head: bytes) -> str | None:
    """Say that there are characters that no text has, unless it is UTF-16 or UTF-32, which have a message of theirs."""
    return "binary data" if re.search(rb"[\x00-\x06\x0e-\x1a]", head) and not wide_encoding(head[:MAGIC]) else None
