"""The rows of CSV, TSV, JSON lines and Parquet: which columns hold the text, the label and the id, and what is wrong.

A broken row costs that row alone: where a quote is not closed, the next row begins on the next line.
"""

import csv
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from textclf.errors import DataError, UsageError
from textclf.sources.columns import (
    LABEL_NAMES,
    MAX_CHARACTERS,
    TEXT_NAMES,
    Columns,
    Record,
    listed,
    usual_name,
    value_of,
)
from textclf.sources.formats import PARQUET_ROWS, check_header, json_object, refuse_repeated
from textclf.sources.lines import Line, Row

BLANK: Final = "the line is blank"


class Roles(NamedTuple):
    """The columns of one table, found; unlike those of documents to learn from, they need no label."""

    text: tuple[str, ...]
    label: str | None
    id: str | None


def find_roles(columns: Columns, present: Sequence[str], *, where: str) -> Roles:
    """Tell which of the columns are the text, the label and the id; raises UsageError if that is not clear."""
    has = f"; {where} has the columns {listed(present)}"
    for name in (*columns.text, columns.label, columns.id):
        if name is not None and name not in present:
            raise UsageError(f"no column {name!r}{has}")
    free = [name for name in present if name not in (*columns.text, columns.id)]
    label = columns.label or usual_name(LABEL_NAMES, free)
    usual_text = usual_name(TEXT_NAMES, [name for name in free if name != label])
    text = columns.text or ((usual_text,) if usual_text else ())
    if not text:
        raise UsageError(f"which column is the text? add --text-column NAME{has}")
    return Roles(text, label, columns.id)


def delimited(lines: Iterator[Line], name: str, *, columns: Columns, delimiter: str) -> Iterator[Row]:
    """The rows of CSV or TSV with a header; raises UsageError or DataError if that cannot be used."""
    csv.field_size_limit(MAX_CHARACTERS)  # the csv module has one limit, for all readers: 131,072 characters
    records = Records(lines, delimiter)
    head = next((record for record in records if record.error or record.fields), None)
    if head is None:
        return
    if head.error:
        raise DataError(head.error)
    check_header(head.place, head.fields, columns)
    roles = find_roles(columns, head.fields, where=name)
    for place, fields, error in records:
        if error is None and len(fields) == len(head.fields):
            yield row(Record(place, dict(zip(head.fields, fields, strict=True))), roles)
            continue
        wrong = f"{len(fields)} fields, but the header has {len(head.fields)}" if fields else BLANK
        yield Row("", error=error or f"{place}: {wrong}")


class Fields(NamedTuple):
    """One record of CSV."""

    place: str
    """Where it begins."""
    fields: list[str]
    error: str | None
    """Why it cannot be read, the place included."""


class Records:
    """The records of CSV. Of a broken one the first line counts as read, and the next record begins behind it."""

    def __init__(self, lines: Iterator[Line], delimiter: str) -> None:
        self._lines = _with_ends_of_old(lines)
        self._again: deque[Line] = deque()
        self._taken: list[Line] = []
        self._characters = 0
        self._reader = csv.reader(_Source(self), delimiter=delimiter, strict=True)

    def __iter__(self) -> Iterator[Fields]:
        """Each record once."""
        while True:
            self._taken, self._characters = [], 0
            try:
                fields = next(self._reader)
            except StopIteration:
                return
            except csv.Error as error:
                yield self._broken(error)
                continue
            wrong = next((line.error for line in self._taken if line.error), None)
            yield Fields(self._taken[0].place, fields, wrong)

    def line(self) -> str:
        """The next line, for the csv module; raises StopIteration at the end, csv.Error in a record without one."""
        line = self._again.popleft() if self._again else next(self._lines)
        self._taken.append(line)
        self._characters += len(line.text)
        if self._characters > MAX_CHARACTERS:
            raise csv.Error(f"a quote is not closed within {MAX_CHARACTERS:,} characters")
        return line.text

    def _broken(self, error: csv.Error) -> Fields:
        first, *others = self._taken
        self._again.extendleft(reversed(others))
        wrong = f"{first.place}: the row is broken ({error}); a quote inside a field is written twice"
        return Fields(first.place, [], first.error or wrong)


class _Source:
    """What the csv module reads from: unlike a generator, it can go on after its end or an error."""

    def __init__(self, records: Records) -> None:
        self._records = records

    def __iter__(self) -> "_Source":
        return self

    def __next__(self) -> str:
        return self._records.line()


def _with_ends_of_old(lines: Iterable[Line]) -> Iterator[Line]:
    """Lines that end at a carriage return, too, as those of old Macs."""
    for line in lines:
        body = line.text.rstrip("\r\n")
        if "\r" not in body:
            yield line
            continue
        for part in line.text[: len(body)].split("\r")[:-1]:
            yield Line(line.place, f"{part}\r", line.error)
        yield Line(line.place, line.text[body.rindex("\r") + 1 :], line.error)


def json_lines(lines: Iterator[Line], name: str, *, columns: Columns) -> Iterator[Row]:
    """The rows of JSON lines; the first object shows which keys there are."""
    roles = None
    for line in lines:
        if line.error or not line.text.strip():
            yield Row("", error=line.error or f"{line.place}: {BLANK}")
            continue
        try:
            values = json_object(line.text, line.place)
        except DataError as error:
            yield Row("", error=str(error))
            continue
        roles = roles or find_roles(columns, list(values), where=name)
        yield row(Record(line.place, values), roles)


def parquet(path: Path, columns: Columns) -> Iterator[Row]:
    """The rows of a Parquet file, few of them in memory at a time; raises DataError where it is damaged."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    number = 0
    try:
        with pq.ParquetFile(path) as file:
            refuse_repeated(str(path), file.schema_arrow.names)
            roles = find_roles(columns, file.schema_arrow.names, where=str(path))
            wanted = [name for name in dict.fromkeys((*roles.text, roles.label, roles.id)) if name is not None]
            for batch in file.iter_batches(batch_size=PARQUET_ROWS, columns=wanted):
                for values in batch.to_pylist():
                    number += 1
                    yield row(Record(f"{path}, row {number}", values), roles)
    except (pa.ArrowException, OSError, ValueError, OverflowError) as error:
        reason = str(error).partition("\n")[0]
        raise DataError(f"{path}, row {number + 1}: not Parquet that can be read ({reason})") from error


def row(record: Record, roles: Roles) -> Row:
    """The text, id and label of a record; a text that is missing or no text is the row's error."""
    name, label = _written(record, roles.id), _written(record, roles.label)
    try:
        text = "\n".join(value_of(record, column) for column in roles.text)
    except DataError as error:
        return Row("", name, label, str(error))
    if len(text) > MAX_CHARACTERS:
        wrong = f"{record.place}: the text has {len(text):,} characters; {MAX_CHARACTERS:,} is the most"
        return Row("", name, label, wrong)
    if not _is_unicode(text):
        return Row("", name, label, f"{record.place}: half a surrogate pair, which is no text")
    return Row(text, name, label)


def _written(record: Record, column: str | None) -> str | None:
    """What a column holds that a row need not have; None if it is nothing that can be written."""
    if column is None:
        return None
    try:
        value = value_of(record, column)
    except DataError:
        return None
    return value if _is_unicode(value) else None


def _is_unicode(text: str) -> bool:
    """Whether a file can hold the text: JSON can spell half a surrogate pair."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
