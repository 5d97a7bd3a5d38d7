"""The formats of files of text, and one reader per format, for training and for predicting.

    .csv .tsv                    a header line, then one row per line, or per several lines within quotes
    .jsonl .ndjson               one JSON object per line
    .parquet                     one row per row
    .ft .fasttext                one row per line, as fastText has it: __label__sport Hammer throw ...
    .train .valid .test          the same
    .txt                         fastText lines to train on, plain lines to predict

A reader yields a row, with its text or its error, for each row of the file. Training stops at the first error, which
predicting passes on.
"""

import errno
import io
import sys
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, nullcontext
from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Final, NamedTuple

from textclf.errors import DataError, TextclfError, UsageError
from textclf.sources.columns import FindColumns, Roles, find_columns
from textclf.sources.document import LABEL, Columns, Row, Rows
from textclf.sources.readers import read_delimited, read_fasttext, read_json_lines, read_plain
from textclf.sources.text_lines import ONLY_UTF8, Encoding, Line, encoding_named, read_lines
from textclf.system import failures

STDIN: Final = Path("-")

_BROKEN_ROWS: Final = 100
"""Rows at the beginning of a file that may come before the first whole one, which names the columns of JSON lines."""

FORMATS_BY_ENDING: Final[Mapping[str, str]] = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
    **dict.fromkeys((".ft", ".fasttext", ".train", ".valid", ".test"), "fasttext"),
}


class TextFormat(NamedTuple):
    """How lines become rows."""

    read: Callable[[Iterator[Line], str, FindColumns], Iterator[Row]]
    """Takes the lines, the name of the file for messages, and what finds the columns."""
    newline: str = "\n"
    """What ends a line: see `read_lines`."""
    has_columns: bool = True


TEXT_FORMATS: Final[Mapping[str, TextFormat]] = {
    "csv": TextFormat(read_delimited, newline=""),
    "tsv": TextFormat(partial(read_delimited, delimiter="\t"), newline=""),
    "jsonl": TextFormat(read_json_lines),
    "fasttext": TextFormat(read_fasttext, has_columns=False),
    "lines": TextFormat(read_plain, has_columns=False),
}
"""Every format but Parquet."""

Warn = Callable[[str], None]
"""Gets a message about many rows once."""


class _Found(Exception):  # noqa: N818 (no error)
    """Ends the reading of a file as soon as its columns are known."""


def columns_of(path: Path, kind: str, columns: Columns, *, known: Columns) -> Columns:
    """The columns that are taken from a file for training, by its beginning; those asked for if it has no rows.

    Raises UsageError if there are no such columns, DataError if the file cannot be read in this format at all.
    """

    def find(names: Sequence[str]) -> Roles:
        raise _Found(find_columns(columns, names, where=_name(path), needs_label=True, known=known))

    encoding = None if kind == "parquet" else encoding_named(columns.encoding)
    taken = replace(columns, encoding=encoding and encoding.name)
    try:
        reading = read_rows(path, kind, find, encoding=encoding or ONLY_UTF8, prefix=columns.label_prefix)
        with closing(reading) as rows:
            deque(islice(rows, _BROKEN_ROWS), maxlen=0)
    except _Found as found:
        text, label, row_id = found.args[0]
        return replace(taken, text=text, label=label, id=row_id)
    return taken


def rows_to_predict(path: Path, *, kind: str, columns: Columns, known: Columns, warn: Warn) -> Iterator[Row]:
    """Yield the rows of a file or of STDIN; "auto" takes the format from the file's ending, else plain lines.

    ``known`` are the columns of the training documents, which come before usual names. Raises UsageError at once if the
    options do not fit together, and later what `read_rows` raises.
    """
    if kind == "auto":
        kind = FORMATS_BY_ENDING.get(path.suffix.lower(), "lines")
    if kind != "parquet" and not TEXT_FORMATS[kind].has_columns and (columns.text or columns.label or columns.id):
        raise UsageError(f"{kind} have no columns: leave out --text-column, --label-column and --id-column")
    if kind == "parquet" and path == STDIN:
        raise UsageError("Parquet is not read from a pipe, as it begins with its end: name a file")
    find = partial(find_columns, columns, where=_name(path), needs_label=False, known=known)
    prefix = known.label_prefix if columns.label_prefix is None else columns.label_prefix
    return _warning_of_labels(read_rows(path, kind, find, prefix=prefix), warn)


def _warning_of_labels(rows: Iterator[Row], warn: Warn) -> Iterator[Row]:
    """Pass rows through; warn at the first with several labels."""
    is_warned = False
    for row in rows:
        if row.other_labels and not is_warned:
            is_warned = True
            warn(f"{row.place}: more than one label; here and in the lines that follow, the first counts")
        yield row


def read_rows(
    path: Path, kind: str, find: FindColumns, *, encoding: Encoding = ONLY_UTF8, prefix: str | None = None
) -> Rows:
    """Yield the rows of a file, or of STDIN, in this format; the prefix is that of labels in fastText lines.

    Raises UsageError if there are no such columns, DataError if the file cannot be read in this format at all.
    """
    if kind == "parquet":
        from textclf.sources.parquet import read_parquet  # late: pyarrow, which other formats do not need

        yield from read_parquet(path, find)
        return
    text_format, name = TEXT_FORMATS[kind], _name(path)
    read = partial(read_lines, name=name, encoding=encoding, newline=text_format.newline)
    try:
        with nullcontext(_stdin()) if path == STDIN else path.open("rb") as stream, closing(read(stream)) as lines:
            if kind == "fasttext":
                yield from read_fasttext(lines, name, find, prefix=LABEL if prefix is None else prefix)
            else:
                yield from text_format.read(lines, name, find)
    except OSError as error:
        raise unreadable(path, error) from error


def _stdin() -> io.BufferedReader:
    stream = sys.stdin.buffer
    return stream if isinstance(stream, io.BufferedReader) else io.BufferedReader(stream)  # type: ignore[arg-type]


def _name(path: Path) -> str:
    return "stdin" if path == STDIN else str(path)


def unreadable(path: Path, error: OSError) -> TextclfError:
    """Return the error for a file or folder that the system does not let us read."""
    where = _name(path)
    if error.errno == errno.EBADF:
        return UsageError(f"{where} is closed or cannot be read")
    if error.errno != errno.EIO and (refused := failures.refused(error, where)):
        return refused
    return DataError(f"cannot read {where}: {error.strerror or error}")
