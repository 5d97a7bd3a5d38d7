"""Rows of JSON lines: each line is an object, and the first one shows which keys there are."""

import json
from collections.abc import Iterator
from typing import Any, Final

from textclf.errors import DataError
from textclf.sources.columns import FindColumns, to_row
from textclf.sources.document import Row
from textclf.sources.text_lines import Line


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
        roles = roles or find(list(values))
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
