"""One reader for each format, for training and for predicting; `textclf.sources.kinds` says which format a file has.

    csv, tsv     a header line, then one row per line, or per several lines within quotes
    jsonl        one JSON object per line
    json         one JSON value: a list of objects, or one of the other shapes of `textclf.sources.json_shapes`
    parquet      one row per row
    xlsx         one row per row of a sheet
    fasttext     one row per line, as fastText has it: __label__sport Hammer throw ...
    lines        one text per line

A reader yields a row, with its text or its error, for each row of the file. Training stops at the first error, which
predicting passes on.
"""

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

from textclf.errors import UsageError
from textclf.sources.columns import FindColumns, Roles, Sample, find_columns, no_sample
from textclf.sources.delimited import SAMPLED, Table, TableOptions, open_table, read_delimited
from textclf.sources.dialect import check, refuse_dialect
from textclf.sources.document import LABEL, Columns, Row, Rows, refuse_empty
from textclf.sources.json_file import JsonOptions, read_json, read_tables
from textclf.sources.kinds import kind_of, looks_like_json
from textclf.sources.opening import STDIN, OnRead, name_of, opened, unreadable
from textclf.sources.readers import read_fasttext, read_json_lines, read_plain
from textclf.sources.text_lines import Line, encoding_for, encoding_named, read_lines

_BROKEN_ROWS: Final = 100
"""Rows at the beginning of a file that may come before the first whole one, which names the columns of JSON lines."""


class TextFormat(NamedTuple):
    """How lines become rows."""

    read: Callable[[Iterator[Line], str, FindColumns], Iterator[Row]]
    """Takes the lines, the name of the file for messages, and what finds the columns."""
    has_columns: bool = True


TEXT_FORMATS: Final[Mapping[str, TextFormat]] = {
    "jsonl": TextFormat(read_json_lines),
    "fasttext": TextFormat(read_fasttext, has_columns=False),
    "lines": TextFormat(read_plain, has_columns=False),
    "stdin": TextFormat(partial(read_plain, refused=looks_like_json), has_columns=False),
}
"""Formats of lines: the last is that of STDIN where none is named, plain lines."""

WHOLE_FILES: Final = ("parquet", "xlsx")
"""Formats whose files are not read from the beginning on."""

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
    kind: str = "auto"
    """The format. "auto": see `kind_of`."""
    part: str | None = None
    """A list of documents in JSON, or a sheet, where a file has several."""
    all_columns: bool = False
    """Whether all columns of Parquet are read, though only some are needed."""
    on_read: OnRead | None = None
    """Gets the number of bytes of the file each time that some are read."""
    name: str | None = None
    """The name whose ending says what the file is, if it is not its own."""

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
    encoding = None if kind in WHOLE_FILES else encoding_named(reading.columns.encoding).name
    asked = replace(reading.columns, encoding=encoding)
    if kind in DELIMITERS:
        table = _open_table(path, kind, reading, _finder(path, reading))
        return replace(table.columns(), encoding=encoding) if table else asked
    find = _finder(path, reading)

    def stop(names: Sequence[str], sample: Sample = no_sample) -> Roles:
        raise _Found(find(names, sample=sample))

    try:
        with closing(read_rows(path, kind, reading, find=stop)) as rows:
            deque(islice(rows, _BROKEN_ROWS), maxlen=0)
    except _Found as found:
        roles: Roles = found.args[0]
        return replace(asked, **roles._asdict())
    return asked


class Beginning(NamedTuple):
    """What is known of a file to predict before its rows are read."""

    kind: str
    """Its format."""
    names: tuple[str, ...] = ()
    """Of all columns, if it is delimited text."""
    text: tuple[str, ...] = ()
    """Of those that hold the text; none if that is not clear."""


def beginning_of(path: Path, reading: Reading) -> Beginning:
    """Find the format and the columns of a file to predict; raises DataError if its first line names no columns."""
    kind = kind_to_predict(path, reading)
    if kind not in DELIMITERS:
        return Beginning(kind)
    try:
        table = _open_table(path, kind, reading, _finder(path, reading))
    except UsageError:
        table = _open_table(path, kind, reading, lambda _names, **_: Roles((), None, None))
    return Beginning(kind, tuple(table.names), table.roles.text) if table else Beginning(kind)


def _open_table(path: Path, kind: str, reading: Reading, find: FindColumns) -> Table | None:
    with _lines(path, reading, newline="") as lines:
        return open_table(lines, name_of(path), find, _table_options(path, kind, reading))


def rows_to_predict(path: Path, reading: Reading) -> Iterator[Row]:
    """Yield the rows of a file or of STDIN; "auto" takes the format from the file, and plain lines from STDIN.

    An empty text is an error of its row. Raises UsageError at once if the options do not fit together, and later what
    `read_rows` raises.
    """
    columns, kind = reading.columns, kind_to_predict(path, reading)
    if kind in TEXT_FORMATS and not TEXT_FORMATS[kind].has_columns and _names_columns(columns):
        lines = "fasttext" if kind == "fasttext" else "lines"
        raise UsageError(f"{lines} have no columns: leave out --text-column, --label-column and --id-column")
    if kind in WHOLE_FILES and path == STDIN:
        raise UsageError(f"{kind.capitalize()} is not read from a pipe, as it begins with its end: name a file")
    check_asked(path, kind, columns)
    refuse_part(path, kind, reading)
    return _checked(read_rows(path, kind, reading._replace(needs_label=False)))


def _names_columns(columns: Columns) -> bool:
    return bool(columns.text or columns.label or columns.id or columns.flags)


def kind_to_predict(path: Path, reading: Reading) -> str:
    """The format of a file; lines may have labels that begin as those of the training documents."""
    if path == STDIN:
        return "stdin" if reading.kind == "auto" else reading.kind
    prefix = reading.prefix if reading.known.label_prefix or reading.columns.label_prefix is not None else None
    asked = replace(reading.columns, label_prefix=prefix)
    kind = kind_of(path, named=reading.kind, columns=asked, name=reading.name)
    if kind == "lines" and reading.kind == "auto" and reading.known.label_prefix == "":
        reading.warn(
            f"{path} is read as one text per line, though each line of the training documents began with its label; "
            "if these do, add --label-prefix ''"
        )
    return kind


def check_asked(path: Path, kind: str | None, columns: Columns) -> None:
    """Raise UsageError if what is asked for does not go with the format, None being a folder of class folders."""
    check(columns)
    if kind not in DELIMITERS:
        refuse_dialect(replace(columns, names=()) if kind == "xlsx" else columns, name_of(path))
    if kind in WHOLE_FILES and columns.encoding is not None:
        raise UsageError(f"{name_of(path)} is {kind.capitalize()}, which is always UTF-8: leave out --encoding")


def refuse_part(path: Path, kind: str, reading: Reading) -> None:
    """Raise UsageError if a part is asked for of a file that has none."""
    if reading.part is not None and kind not in ("json", "xlsx"):
        raise UsageError(f"{name_of(path)} has no parts, as JSON and XLSX may have: leave out --part")


def _checked(rows: Iterator[Row]) -> Iterator[Row]:
    """Pass rows through; an empty text is an error."""
    yield from map(refuse_empty, rows)


def read_rows(path: Path, kind: str, reading: Reading, *, find: FindColumns | None = None) -> Rows:
    """Yield the rows of a file, or of STDIN, in this format.

    ``find`` finds the columns; None: as the reading says. Raises UsageError if there are no such columns, DataError if
    the file cannot be read in this format at all.
    """
    find = find or _finder(path, reading)
    if kind == "parquet":
        from textclf.sources.parquet import read_parquet  # late: pyarrow, which other formats do not need

        yield from read_parquet(path, find, all_columns=reading.all_columns, on_read=reading.on_read)
    elif kind == "xlsx":
        from textclf.sources.workbook import read_workbook

        yield from read_workbook(path, find, part=reading.part, names=reading.columns.names)
    elif kind == "json":
        with _stream(path, reading.on_read) as stream:
            yield from read_json(stream, name_of(path), find, _json_options(stream, reading))
    elif kind in DELIMITERS:
        with _lines(path, reading, newline="") as lines:
            yield from read_delimited(lines, name_of(path), find, _table_options(path, kind, reading))
    else:
        with _lines(path, reading) as lines:
            read = partial(read_fasttext, prefix=reading.prefix) if kind == "fasttext" else TEXT_FORMATS[kind].read
            yield from read(lines, name_of(path), find)


def parts_of(path: Path, kind: str, reading: Reading) -> list[str]:
    """The names of the lists of documents in a JSON file, or of the sheets of a workbook, where it has several."""
    if kind == "xlsx":
        from textclf.sources.workbook import sheets_of

        sheets = sheets_of(path)
        return sheets if len(sheets) > 1 else []
    if kind != "json":
        return []
    with _stream(path) as stream:
        return [name for name in read_tables(stream, name_of(path), _json_options(stream, reading)) if name]


def _json_options(stream: io.BufferedReader, reading: Reading) -> JsonOptions:
    asked = reading.columns
    encoding = encoding_for(stream, asked=asked.encoding, known=reading.known.encoding)
    wanted = tuple(name for name in (*asked.text, asked.label, *asked.names, *asked.flags) if name is not None)
    return JsonOptions(encoding, reading.part, wanted)


def _finder(path: Path, reading: Reading) -> FindColumns:
    return partial(
        find_columns, reading.columns, where=name_of(path), needs_label=reading.needs_label, known=reading.known
    )


def _table_options(path: Path, kind: str, reading: Reading) -> TableOptions:
    """A stream is looked at line by line: whoever writes it may wait for the answer to a row."""
    sampled = 1 if path == STDIN else SAMPLED
    return TableOptions(DELIMITERS[kind], reading.columns, reading.known, reading.warn, sampled)


@contextmanager
def _stream(path: Path, on_read: OnRead | None = None) -> Iterator[io.BufferedReader]:
    """Open a file, or STDIN, which stays open; raises DataError if it cannot be read."""
    try:
        with nullcontext(_stdin()) if path == STDIN else opened(path, on_read=on_read) as stream:
            yield stream
    except OSError as error:
        raise unreadable(path, error) from error


@contextmanager
def _lines(path: Path, reading: Reading, *, newline: str = "\n") -> Iterator[Generator[Line, None, None]]:
    """The lines of a file, or of STDIN; raises DataError if it cannot be read."""
    with _stream(path, reading.on_read) as stream:
        encoding = encoding_for(stream, asked=reading.columns.encoding, known=reading.known.encoding)
        read = partial(read_lines, encoding=encoding, newline=newline, warn=reading.warn)
        with closing(read(stream, name_of(path))) as lines:
            yield lines


def _stdin() -> io.BufferedReader:
    stream = sys.stdin.buffer
    return stream if isinstance(stream, io.BufferedReader) else io.BufferedReader(stream)  # type: ignore[arg-type]
