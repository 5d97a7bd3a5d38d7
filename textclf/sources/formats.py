"""The formats of files of text, and one reader per format, for training and for predicting.

    .csv .tsv .tab               a header line, then one row per line, or per several lines within quotes
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
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, nullcontext
from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Final, NamedTuple

from textclf.errors import DataError, TextclfError, UsageError
from textclf.sources.columns import FindColumns, Roles, find_columns
from textclf.sources.delimited import SAMPLED, TableOptions, open_table, read_delimited
from textclf.sources.dialect import check, refuse_dialect
from textclf.sources.document import LABEL, Columns, Row, Rows
from textclf.sources.readers import read_fasttext, read_json_lines, read_plain
from textclf.sources.text_lines import Line, encoding_for, encoding_named, read_lines
from textclf.system import failures

STDIN: Final = Path("-")

_BROKEN_ROWS: Final = 100
"""Rows at the beginning of a file that may come before the first whole one, which names the columns of JSON lines."""

FORMATS_BY_ENDING: Final[Mapping[str, str]] = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".tab": "tsv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
    **dict.fromkeys((".ft", ".fasttext", ".train", ".valid", ".test"), "fasttext"),
}


class TextFormat(NamedTuple):
    """How lines become rows."""

    read: Callable[[Iterator[Line], str, FindColumns], Iterator[Row]]
    """Takes the lines, the name of the file for messages, and what finds the columns."""
    has_columns: bool = True


TEXT_FORMATS: Final[Mapping[str, TextFormat]] = {
    "jsonl": TextFormat(read_json_lines),
    "fasttext": TextFormat(read_fasttext, has_columns=False),
    "lines": TextFormat(read_plain, has_columns=False),
}
"""Every format but Parquet and those of DELIMITERS."""

DELIMITERS: Final[Mapping[str, str]] = {"csv": ",", "tsv": "\t"}
"""The formats of delimited text, and the character that each is named for."""

Warn = Callable[[str], None]
"""Gets a message about many rows once."""


def ignore(_message: str) -> None:
    """A `Warn` for those who look at the beginning of a file alone."""


class Reading(NamedTuple):
    """How a file is read, whatever its format."""

    columns: Columns = Columns()
    """Those asked for."""
    known: Columns = Columns()
    """Those of documents that were read before, which come before usual names."""
    needs_label: bool = True
    warn: Warn = ignore

    @property
    def prefix(self) -> str:
        """How labels begin in fastText lines."""
        found = self.known.label_prefix if self.columns.label_prefix is None else self.columns.label_prefix
        return LABEL if found is None else found


class _Found(Exception):  # noqa: N818 (no error)
    """Ends the reading of a file as soon as its columns are known."""


def columns_of(path: Path, kind: str, reading: Reading) -> Columns:
    """The columns that are taken from a file, by its beginning; those asked for if it has no rows.

    Raises UsageError if there are no such columns, DataError if the file cannot be read in this format at all.
    """
    encoding = None if kind == "parquet" else encoding_named(reading.columns.encoding).name
    asked = replace(reading.columns, encoding=encoding)
    if kind in DELIMITERS:
        with _lines(path, reading, newline="") as lines:
            table = open_table(lines, _name(path), _finder(path, reading), _table_options(path, kind, reading))
        return replace(table.columns(), encoding=encoding) if table else asked
    find = _finder(path, reading)

    def stop(names: Sequence[str]) -> Roles:
        raise _Found(find(names))

    try:
        with closing(read_rows(path, kind, reading, find=stop)) as rows:
            deque(islice(rows, _BROKEN_ROWS), maxlen=0)
    except _Found as found:
        text, label, row_id = found.args[0]
        return replace(asked, text=text, label=label, id=row_id)
    return asked


def rows_to_predict(path: Path, *, kind: str, columns: Columns, known: Columns, warn: Warn) -> Iterator[Row]:
    """Yield the rows of a file or of STDIN; "auto" takes the format from the file's ending, else plain lines.

    ``known`` are the columns of the training documents, which come before usual names. Raises UsageError at once if the
    options do not fit together, and later what `read_rows` raises.
    """
    if kind == "auto":
        kind = FORMATS_BY_ENDING.get(path.suffix.lower(), "lines")
    if kind in TEXT_FORMATS and not TEXT_FORMATS[kind].has_columns and (columns.text or columns.label or columns.id):
        raise UsageError(f"{kind} have no columns: leave out --text-column, --label-column and --id-column")
    if kind == "parquet" and path == STDIN:
        raise UsageError("Parquet is not read from a pipe, as it begins with its end: name a file")
    check_asked(path, kind, columns)
    return _warning_of_labels(read_rows(path, kind, Reading(columns, known, needs_label=False, warn=warn)), warn)


def check_asked(path: Path, kind: str | None, columns: Columns) -> None:
    """Raise UsageError if what is asked for does not go with the format, None being a folder of class folders."""
    check(columns)
    if kind not in DELIMITERS:
        refuse_dialect(columns, _name(path))
    if kind == "parquet" and columns.encoding is not None:
        raise UsageError(f"{_name(path)} is Parquet, which is always UTF-8: leave out --encoding")


def _warning_of_labels(rows: Iterator[Row], warn: Warn) -> Iterator[Row]:
    """Pass rows through; warn at the first with several labels."""
    is_warned = False
    for row in rows:
        if row.other_labels and not is_warned:
            is_warned = True
            warn(f"{row.place}: more than one label; here and in the lines that follow, the first counts")
        yield row


def read_rows(path: Path, kind: str, reading: Reading, *, find: FindColumns | None = None) -> Rows:
    """Yield the rows of a file, or of STDIN, in this format.

    ``find`` finds the columns; None: as the reading says. Raises UsageError if there are no such columns, DataError if
    the file cannot be read in this format at all.
    """
    find = find or _finder(path, reading)
    if kind == "parquet":
        from textclf.sources.parquet import read_parquet  # late: pyarrow, which other formats do not need

        yield from read_parquet(path, find)
    elif kind in DELIMITERS:
        with _lines(path, reading, newline="") as lines:
            yield from read_delimited(lines, _name(path), find, _table_options(path, kind, reading))
    else:
        with _lines(path, reading) as lines:
            read = partial(read_fasttext, prefix=reading.prefix) if kind == "fasttext" else TEXT_FORMATS[kind].read
            yield from read(lines, _name(path), find)


def _finder(path: Path, reading: Reading) -> FindColumns:
    return partial(
        find_columns, reading.columns, where=_name(path), needs_label=reading.needs_label, known=reading.known
    )


def _table_options(path: Path, kind: str, reading: Reading) -> TableOptions:
    """A stream is looked at line by line: whoever writes it may wait for the answer to a row."""
    sampled = 1 if path == STDIN else SAMPLED
    return TableOptions(DELIMITERS[kind], reading.columns, reading.known, reading.warn, sampled)


@contextmanager
def _lines(path: Path, reading: Reading, *, newline: str = "\n") -> Iterator[Generator[Line, None, None]]:
    """The lines of a file, or of STDIN, which stays open; raises DataError if it cannot be read."""
    try:
        with nullcontext(_stdin()) if path == STDIN else path.open("rb") as stream:
            encoding = encoding_for(stream, asked=reading.columns.encoding, known=reading.known.encoding)
            with closing(read_lines(stream, _name(path), encoding=encoding, newline=newline)) as lines:
                yield lines
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
