"""Reads delimited text, such as CSV and TSV: a header line, then a row per line, or per several lines within quotes.

A row that cannot be read is an error, and so is one whose quote has swallowed other rows; reading continues with the
line after its first one. Errors name the options that read the file, where its first lines show which.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import chain
from statistics import fmean
from typing import Final, NamedTuple

from textclf.errors import DataError, UsageError
from textclf.sources import dialect as dialects
from textclf.sources.columns import FindColumns, Roles, refuse_repeated, to_row, told_apart
from textclf.sources.dialect import Dialect
from textclf.sources.document import MAX_CHARACTERS, Columns, Row
from textclf.sources.records import Record, Records, rows_within
from textclf.sources.text_lines import Line
from textclf.system.wording import counted

SAMPLED: Final = 50
"""Lines at the beginning of a file by which its delimiter is found."""
SAMPLED_CHARACTERS: Final = 200_000

MOST_LABELS: Final = 1_000
"""Labels that are remembered, to recognise rows within quotes."""

MOST_DOUBTS: Final = 3
"""Records of several lines that look like rows, of which there is a warning."""

FEWEST_ROWS: Final = 2
"""Rows with more fields than the header from which on it is the header that is wrong."""

LONG: Final = 40
"""Characters of a field from which it is hardly the name of a column."""

ANY: Final = Columns()

_SEPARATOR: Final = re.compile(r"sep=([^\r\n])\s*", flags=re.IGNORECASE)

_QUOTED: Final = re.compile(r'\s*"(?:[^"]|"")*""(?:[^"]|"")*"\s*')
"""A field that a program has quoted: the quotation marks in it are doubled."""


class TableOptions(NamedTuple):
    """How delimited text is read."""

    delimiter: str = ","
    """That of the format; another one must be asked for, or plain."""
    asked: Columns = ANY
    known: Columns = ANY
    """Those of the training documents, for a file to predict."""
    warn: Callable[[str], None] = lambda _line: None
    sampled: int = SAMPLED
    """Lines that are looked at before the first row; 1 for a stream, whose rows do not wait for others."""
    limit: int = MAX_CHARACTERS
    """Most characters of a row."""


class Table(NamedTuple):
    """A table whose columns are known, before its first row."""

    name: str
    """Of the file."""
    names: Sequence[str]
    """Of all columns."""
    roles: Roles
    has_header: bool
    dialect: Dialect
    records: Records
    first: tuple[Record, ...]
    """The first row, if there is no header."""
    sample: Sequence[Line]
    options: TableOptions

    def columns(self) -> Columns:
        """The columns and the dialect that were taken."""
        names = () if self.has_header else tuple(self.names)
        taken = Columns(names=names, delimiter=self.dialect.delimiter, quote=self.dialect.quote)
        return replace(taken, **self.roles._asdict(), quote_was_asked_for=self.quote_was_asked_for)

    @property
    def quote_was_asked_for(self) -> bool:
        """Whether the quote was asked for, here or for the training documents."""
        known = self.options.known
        is_known = known.quote_was_asked_for and self.dialect == (known.delimiter, known.quote)
        return self.options.asked.quote is not None or is_known


def read_delimited(
    lines: Iterator[Line],
    name: str,
    find: FindColumns,
    options: TableOptions = TableOptions(),  # noqa: B008 (a tuple)
) -> Iterator[Row]:
    """Yield a row per record; raises what `open_table` raises."""
    if (table := open_table(lines, name, find, options)) is not None:
        _warn_of_quotes(table)
        yield from _rows(table)


def open_table(lines: Iterator[Line], name: str, find: FindColumns, options: TableOptions) -> Table | None:
    """Find the dialect and the columns; None if there are no rows.

    Raises UsageError or DataError if there are not the columns that are needed, or no header.
    """
    sample, known = _sample(lines, options.sampled), options.known
    sample, asked = _without_separator(sample, options.asked)
    dialect = dialects.find_dialect(
        _texts(sample), own=options.delimiter, asked=asked, known=known, is_header=lambda names: bool(_try(find, names))
    )
    records = Records(chain(sample, lines), name, dialect, limit=options.limit)
    first = next((record for record in records if record.error or record.fields), None)
    if first is None:
        return None
    table = Table(name, first.fields, Roles((), None, None), True, dialect, records, (), sample, options)
    if asked.names:
        return _without_header(table, first, asked.names, partial(find, sample=partial(_sampled, table, asked.names)))
    if first.error:
        raise DataError(f"{first.error}{_advice(table)}")
    refuse_repeated(f"{name}:{first.number}", first.fields)
    table = table._replace(names=told_apart(first.fields))
    find = partial(find, sample=partial(_sampled, table, table.names))
    if roles := _try(find, table.names):
        return table._replace(roles=roles)
    if known.names and len(known.names) == len(first.fields):
        return _without_header(table, first, known.names, find)
    return table._replace(roles=_find_or_explain(table, first.number, find))


def _sampled(table: Table, names: Sequence[str]) -> list[dict[str, object]]:
    """The first rows of a table whose columns have these names, after its header."""
    records = list(Records(iter(table.sample), table.name, table.dialect))[not table.options.asked.names :]
    return [dict(zip(names, record.fields, strict=True)) for record in records if len(record.fields) == len(names)]


def _sample(lines: Iterator[Line], most: int) -> list[Line]:
    """The first lines, among them one that is not blank."""
    sample: list[Line] = []
    characters = 0
    for line in lines:
        sample.append(line)
        characters += len(line[1])
        if (len(sample) >= most or characters >= SAMPLED_CHARACTERS) and line[1].strip():
            break
    return sample


def _without_separator(sample: list[Line], asked: Columns) -> tuple[list[Line], Columns]:
    """The first lines without ``sep=;``, with which spreadsheets name the delimiter, and what it asks for."""
    found = _SEPARATOR.fullmatch(sample[0][1]) if sample else None
    if found is None:
        return sample, asked
    return sample[1:], replace(asked, delimiter=asked.delimiter or found[1])


def _texts(lines: Sequence[Line]) -> list[str]:
    return [text for _, text, _ in lines]


def _try(find: FindColumns, names: Sequence[str]) -> Roles | None:
    try:
        return find(names)
    except UsageError:
        return None


def _without_header(table: Table, first: Record, names: tuple[str, ...], find: FindColumns) -> Table:
    """The table whose first record is a row; raises UsageError if it is a header after all."""
    if _plain(first.fields) == _plain(names):
        raise UsageError(f"{table.name}:{first.number}: the first line names the columns: leave out --columns")
    return table._replace(names=names, roles=find(names), has_header=False, first=(first,))


def _plain(names: Sequence[str]) -> list[str]:
    return [name.strip().casefold() for name in names]


# Rows


def _rows(table: Table) -> Iterator[Row]:
    """Yield the rows of a table."""
    name, names, roles, width = table.name, table.names, table.roles, len(table.names)
    labels = _sampled_labels(table)
    advice: str | None = None
    doubts = iter(range(MOST_DOUBTS))
    for number, fields, error, lines in chain(table.first, table.records):
        if error is None and len(fields) == width:
            if lines and (problem := _swallowing(table, Record(number, fields, None, lines), labels, doubts)):
                table.records.read_again(lines[1:])
                yield Row("", error=f"{name}:{number}: {problem}")
                continue
            row = to_row(f"{name}:{number}", dict(zip(names, fields, strict=True)), roles)
            if row.label is not None and len(labels) < MOST_LABELS:
                labels.add(row.label)
            yield row
        elif error is None and not fields:
            yield Row("", error=f"{name}:{number}: the line is blank", is_blank=True)
        else:
            advice = _advice(table) if advice is None else advice
            yield Row("", error=f"{error or f'{name}:{number}: {_ragged(table, len(fields))}'}{advice}")


def _sampled_labels(table: Table) -> set[str]:
    """Labels of the first rows that have a line each."""
    if table.roles.label is None:
        return set()
    label_at, width = list(table.names).index(table.roles.label), len(table.names)
    rows = list(Records(iter(table.sample), table.name, table.dialect))[table.has_header :]
    return {row.fields[label_at] for row in rows if len(row.fields) == width and not row.lines}


def _ragged(table: Table, count: int) -> str:
    what = "the header has" if table.has_header else "--columns names"
    return f"{counted(count, 'field')}, but {what} {len(table.names)}"


def _swallowing(table: Table, record: Record, labels: set[str], doubts: Iterator[int]) -> str | None:
    """What is wrong with a record of several lines that look like rows; a warning if that is not sure.

    There are as many warnings as ``doubts``. It is not sure where there are no labels to tell by, and no error where
    the quote was asked for.
    """
    label = table.roles.label
    label_at = None if label is None else list(table.names).index(label)
    found = rows_within(record, table.dialect, width=len(table.names), label_at=label_at, labels=labels)
    if found is False:
        return None
    end = record.lines[-1][0]
    quote = dialects.in_shell(table.dialect.quote)
    if found and not table.quote_was_asked_for:
        return (
            f"a quote opens here and closes in line {end}, and lines between look like rows of their own; if it is a "
            f"character of the text, add --quote none, and if this is one row, --quote {quote}"
        )
    if next(doubts, None) is None:
        return None
    table.options.warn(
        f"{table.name}:{record.number}: lines {record.number} to {end} are one row, as a quote opens and closes there; "
        "if each of them is a row, here or further on, add --quote none"
    )
    return None


# Advice


def _warn_of_quotes(table: Table) -> None:
    """Warn of fields in quotes where quotation marks are characters, unless that was asked for or is known."""
    asked, known = table.options.asked, table.options.known
    if table.dialect.quote or asked.quote is not None or known.quote is not None:
        return
    for number, text, _ in table.sample:
        if any(map(_QUOTED.fullmatch, text.rstrip("\r\n").split(table.dialect.delimiter))):
            table.options.warn(
                f"{table.name}:{number}: a field is in quotation marks, which are part of the text here; "
                "if they are not, here and further on, add --quote '\"'"
            )
            return


def _advice(table: Table) -> str:
    """The options with which the first lines have the same number of fields, if there are any."""
    better = dialects.better_dialect(_texts(table.sample), table.dialect)
    if better:
        return f"; try {better.options(table.dialect)}"
    rows = dialects.records(_texts(table.sample), table.dialect)[table.has_header :]
    widths = {len(row) for row in rows}
    if len(rows) < FEWEST_ROWS or len(widths) > 1 or not table.has_header or widths.pop() <= len(table.names):
        return ""
    is_empty = not any(row[-1] for row in rows)
    end = ", or remove the delimiter at the end of each row" if is_empty else ""
    return f", and so has each row that follows: name all columns in the first line{end}"


def _find_or_explain(table: Table, number: int, find: FindColumns) -> Roles:
    """Find the columns by the header; raises UsageError, or DataError if the first line is a row, with what to add."""
    place = f"{table.name}:{number}"
    sample = _texts(table.sample)
    rows = dialects.records(sample, table.dialect)
    dialect = table.dialect
    is_one_column = dialects.is_one_column(sample, dialect)
    if not is_one_column and (better := dialects.better_dialect(sample, dialect)):
        dialect, rows = better, dialects.records(sample, better)
    options = " ".join(filter(None, (dialect.options(table.dialect), f"--columns {','.join(_guess(rows))}")))
    try:
        return find(table.names)
    except UsageError as error:
        if dialect != table.dialect and _try(find, rows[0]):
            raise UsageError(f"{place}: {error}; try {dialect.options(table.dialect)}") from None
        long = dialects.long_delimiter(sample)
        if long is None and (other := _other_header(table, place, find, error)):
            raise other from None
        if _is_row(rows):
            raise DataError(f"{place}: no header; name the columns in their order: {options}") from None
        usual = "if another character than usual is between columns, name it: --delimiter CHARACTER"
        one = f"; {dialects.with_tabs(long, table.name) if long else usual}"
        hint = (
            f"; if the first line is a row, name the columns: {options}" if is_one_column or len(rows[0]) > 1 else one
        )
        raise UsageError(f"{error}{hint}") from None


def _other_header(table: Table, place: str, find: FindColumns, error: UsageError) -> UsageError | DataError | None:
    """What to do if a later line names the columns, or another mark stands between the names."""
    sample = _texts(table.sample)
    if (later := dialects.later_header(sample, lambda names: bool(_try(find, names)))) is not None:
        line = table.sample[later][0]
        new = f"tail -n +{line} {table.name} > new.csv"
        return DataError(f"{place}: no header; it seems to be line {line}: leave out the lines before it: {new}")
    if (mark := dialects.odd_delimiter(sample[0], lambda names: bool(_try(find, names)))) is not None:
        return UsageError(f"{place}: {error}; try --delimiter {dialects.in_shell(mark)}")
    return None


def _is_row(rows: Sequence[Sequence[str]]) -> bool:
    """Whether the first record looks like a row: it has a number or a long text, or a value that comes again."""
    first, *others = rows
    again = any(row[at] == value for row in others if len(row) == len(first) for at, value in enumerate(first) if value)
    return again or any(name.strip().isdecimal() or len(name) > LONG for name in first)


def _guess(rows: Sequence[Sequence[str]]) -> list[str]:
    """Names for columns: the longest is the text, and of the others that with the fewest values the label."""
    columns = list(zip(*(row for row in rows if len(row) == len(rows[0])), strict=True))
    lengths = [fmean(map(len, column)) for column in columns]
    text = lengths.index(max(lengths))
    values = {at: len(set(column)) for at, column in enumerate(columns) if at != text}
    label = min(values, key=values.__getitem__, default=None)
    return ["text" if at == text else "label" if at == label else f"column{at + 1}" for at in range(len(columns))]
