"""Reads a JSON file, as a whole: a list of objects, and the other shapes of `textclf.sources.json_shapes`."""

import io
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import partial
from typing import Final, NamedTuple

from textclf.errors import DataError, UsageError
from textclf.sources.binary import MAGIC
from textclf.sources.columns import SAMPLED_RECORDS, FindColumns, listed, to_row
from textclf.sources.document import Row
from textclf.sources.json_shapes import Table, tables_of
from textclf.sources.readers import JSON, Spelled
from textclf.sources.text_lines import Encoding, refuse_other_content

MOST_BYTES: Final = 100_000_000
"""Of a JSON file, which is in memory as a whole."""

MOST_VALUES: Final = 5_000_000
"""In a JSON file: each takes 50 bytes or more, however few characters it has."""


class JsonOptions(NamedTuple):
    """How a JSON file is read."""

    encoding: Encoding
    part: str | None = None
    """Dotted path of the list of documents, where there are several."""
    wanted: Collection[str] = ()
    """Columns that are asked for, by which a list is known."""
    most_bytes: int = MOST_BYTES
    most_values: int = MOST_VALUES


def read_json(stream: io.BufferedReader, name: str, find: FindColumns, options: JsonOptions) -> Iterator[Row]:
    """Yield a row per record; raises UsageError if it is not clear where they are, DataError if it cannot be read."""
    tables = read_tables(stream, name, options)
    if len(tables) > 1:
        listing = listed(list(tables))
        raise UsageError(
            f"{name} has several lists of documents, {listing}; name one, as in --part {next(iter(tables))}"
        )
    for table in tables.values():
        records = table.records if isinstance(table.records, Sequence) else list(table.records)
        roles = find(table.names, sample=partial(_sampled, records))
        for number, values in enumerate(records, start=1):
            place = f"{name}:{number}"
            if isinstance(values, Mapping):
                yield to_row(place, values, roles)
            else:
                kind = "number" if isinstance(values, Spelled) else type(values).__name__
                yield Row("", error=f"{place}: a {kind} in place of a record like the first", place=place)


def _sampled(records: Sequence[object]) -> list[Mapping[str, object]]:
    """The first records."""
    return [values for values in records[:SAMPLED_RECORDS] if isinstance(values, Mapping)]


def read_tables(stream: io.BufferedReader, name: str, options: JsonOptions) -> dict[str, Table]:
    """Return the tables of a JSON file by name, none if it is empty; raises what `tables_of` raises, and DataError."""
    refuse_other_content(stream.peek(MAGIC)[:MAGIC], name, options.encoding)
    content = stream.read(options.most_bytes + 1)
    advice = f"make JSON lines of it, which are not: jq -c '.[]' {name} > {name.partition('.')[0]}.jsonl"
    if len(content) > options.most_bytes:
        raise DataError(f"{name}: JSON is read as a whole, up to {options.most_bytes:,} bytes; {advice}")
    if sum(content.count(mark) for mark in (b"[", b"{", b",")) > options.most_values:
        raise DataError(f"{name}: JSON is read as a whole, up to {options.most_values:,} values; {advice}")
    values = _decode_all(_text(content, name, options.encoding), name)
    if not values or values == [[]]:
        return {}
    return tables_of(values[0] if len(values) == 1 else values, where=name, part=options.part, wanted=options.wanted)


def _text(content: bytes, name: str, encoding: Encoding) -> str:
    try:
        return content.decode(encoding.codec)
    except UnicodeDecodeError as error:
        line, start = content.count(b"\n", 0, error.start) + 1, content.rfind(b"\n", 0, error.start) + 1
        advice = encoding.advise(content[start:].partition(b"\n")[0])
        raise DataError(f"{name}:{line}: byte 0x{content[error.start]:02x} is not {advice}") from error
    except UnicodeError as error:
        raise DataError(f"{name}: not {encoding.advise()}") from error


def _decode_all(text: str, name: str) -> list[object]:
    """The values of a text, of which there is one, or several in a row."""
    values: list[object] = []
    place = 0
    try:
        while rest := _skip_space(text, place):
            value, place = JSON.raw_decode(text, rest - 1)
            values.append(value)
    except json.JSONDecodeError as error:
        raise DataError(f"{name}:{error.lineno}: not JSON ({error.msg} at character {error.colno})") from error
    except (ValueError, RecursionError) as error:
        raise DataError(f"{name}: not JSON that can be read ({error})") from error
    return values


def _skip_space(text: str, place: int) -> int:
    """One more than the place of the next character that is no white space; 0 if there is none."""
    while place < len(text) and text[place] in " \t\r\n":
        place += 1
    return place + 1 if place < len(text) else 0
