"""One reader for each format: CSV and TSV, JSON lines, Parquet, fastText lines, plain lines.

Each yields rows, with their error where they cannot be read. A broken record of CSV costs one row: reading continues
with the line after its first one.
"""

import csv
import json
import re
from collections import deque
from collections.abc import Iterator
from itertools import chain
from typing import Any, Final, NamedTuple

from textclf.errors import DataError, UsageError
from textclf.sources.columns import TEXT_NAMES, FindColumns, Roles, names_in, refuse_repeated, to_row, usual_name
from textclf.sources.document import LABEL, MAX_CHARACTERS, Row, shortened
from textclf.sources.text_lines import Line
from textclf.system.wording import counted

_FIRST_WORD: Final = re.compile(r"\A\s*(\S+)\s?", flags=re.ASCII)


class _Record(NamedTuple):
    """One record, blank lines included."""

    number: int
    """Number of its first line."""
    fields: list[str]
    error: str | None
    """Where it is and why it cannot be read."""


def read_delimited(
    lines: Iterator[Line], name: str, find: FindColumns, *, delimiter: str = ",", limit: int = MAX_CHARACTERS
) -> Iterator[Row]:
    """Yield a row per record after the header; raises UsageError or DataError if the header cannot be used."""
    records = _read_records(lines, name, delimiter, limit)
    header = next((record for record in records if record.error or record.fields), None)
    if header is None:
        return
    if header.error:
        raise DataError(header.error)
    names = header.fields
    roles = _find_in_header(f"{name}:{header.number}", names, find)
    for number, fields, error in records:
        place = f"{name}:{number}"
        if error is None and len(fields) == len(names):
            yield to_row(place, dict(zip(names, fields, strict=True)), roles)
            continue
        ragged = f"{counted(len(fields), 'field')}, but the header has {len(names)}" if fields else "the line is blank"
        yield Row("", error=error or f"{place}: {ragged}", is_blank=not fields and error is None)


def _find_in_header(place: str, names: list[str], find: FindColumns) -> Roles:
    """Find the columns by a header; raises DataError if it is not one, UsageError if it lacks a column."""
    refuse_repeated(place, names)
    try:
        return find(names)
    except UsageError:
        # a number in the first line, such as a class, usually means that it is a row and the header is missing
        if any(name.strip().isdecimal() for name in names) and usual_name(TEXT_NAMES, names) is None:
            message = f"{place}: no header; the first line must name the columns, such as text,label"
            raise DataError(message) from None
        raise


def _read_records(lines: Iterator[Line], name: str, delimiter: str, limit: int) -> Iterator[_Record]:
    """Yield the records; after a broken one, the lines after its first are read again."""
    csv.field_size_limit(MAX_CHARACTERS)  # the limit of the whole process, which is 131,072 characters unless set
    taken: list[Line] = []
    again: deque[Line] = deque()
    while True:
        reader = csv.reader(_take(lines, again, taken, limit), delimiter=delimiter, strict=True)
        try:
            for fields in reader:
                errors = [error for _, _, error in taken if error]
                yield _Record(taken[0][0], fields, errors[0] if errors else None)
                taken.clear()
            return
        except csv.Error as broken:
            (number, _, error), *others = taken
            again.extendleft(reversed(others))
            taken.clear()
            reason = f"the row is broken ({broken}); a quote inside a field is written twice"
            yield _Record(number, [], error or f"{name}:{number}: {reason}")


def _take(lines: Iterator[Line], again: deque[Line], taken: list[Line], limit: int) -> Iterator[str]:
    """Yield the lines to read again and then the others, and keep in `taken` those of one record.

    Raises csv.Error in a record of more than `limit` characters, or of so many lines that they would fill the memory.
    """
    characters, most_lines = 0, limit // 10
    for line in chain(_drain(again), lines):
        characters = len(line[1]) if not taken else characters + len(line[1])
        taken.append(line)
        if characters > limit or len(taken) > most_lines:
            raise csv.Error(f"a quote is not closed within {limit:,} characters and {most_lines:,} lines")
        yield line[1]


def _drain(queue: deque[Line]) -> Iterator[Line]:
    while queue:
        yield queue.popleft()


def read_json_lines(lines: Iterator[Line], name: str, find: FindColumns) -> Iterator[Row]:
    """Yield a row per line; raises UsageError if the first object has no such keys."""
    roles = None
    for number, text, error in lines:
        place = f"{name}:{number}"
        is_blank = not text.strip()
        if error or is_blank:
            yield Row("", error=error or f"{place}: the line is blank", is_blank=is_blank and error is None)
            continue
        try:
            values = _decode(text)
        except DataError as broken:
            yield Row("", error=f"{place}: {broken}")
            continue
        roles = roles or find(names_in(values))
        yield to_row(place, values, roles)


def _decode(line: str) -> dict[str, object]:
    """Return the object on a line, its numbers as they are spelled; raises DataError."""
    try:
        value = _JSON.decode(line.rstrip())
    except json.JSONDecodeError as error:
        raise DataError(f"not JSON ({error.msg} at character {error.colno})") from error
    except (ValueError, RecursionError) as error:
        raise DataError(f"not JSON that can be read ({error})") from error
    if not isinstance(value, dict):
        raise DataError("not a JSON object; each line must be one")
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


def read_plain(lines: Iterator[Line], _name: str, _find: FindColumns) -> Iterator[Row]:
    """Yield a row per line: the line is the text."""
    for _, text, error in lines:
        yield Row("", error=error) if error else Row(text.rstrip("\r\n"))


def read_fasttext(lines: Iterator[Line], name: str, _find: FindColumns, *, prefix: str = LABEL) -> Iterator[Row]:
    """Yield a row per line: the words that begin with the prefix are its labels, the rest is its text.

    With an empty prefix, the first word of a line is its label. Training needs one label.
    """
    pattern = re.compile(rf"(?<!\S){re.escape(prefix)}(\S*)\s?", flags=re.ASCII) if prefix else _FIRST_WORD
    for number, line, error in lines:
        if error:
            yield Row("", error=error)
            continue
        place, text = f"{name}:{number}", line.rstrip("\r\n")
        labels = pattern.findall(text) if prefix in text else []
        problem = _training_error(labels, prefix)
        yield Row(
            pattern.sub("", text) if labels else text,
            label=labels[0] if labels else None,
            training_error=problem and f"{place}: {problem}",
            other_labels=tuple(labels[1:]),
            is_blank=not text.strip(),
            place=place,
        )


def _training_error(labels: list[str], prefix: str) -> str | None:
    if not labels:
        return (
            f"no label; each line must have one, a word that begins with {prefix}; --label-prefix names another "
            "beginning, and --label-prefix '' takes the first word of each line for its label"
        )
    if len(labels) > 1:
        return f"more than one label; a document has one: keep one of {', '.join(map(shortened, labels[:3]))}"
    return None if labels[0].strip() else "the label is empty"
