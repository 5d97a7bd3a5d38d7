"""One reader for each format of lines: JSON lines, fastText lines, plain lines.

Each yields rows, with their error where they cannot be read.
"""

import json
import re
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from functools import partial
from itertools import islice
from math import isfinite
from typing import Any, Final

from textclf.errors import DataError, UsageError
from textclf.sources.columns import SAMPLED_RECORDS, FindColumns, names_in, to_row
from textclf.sources.document import LABEL, Row
from textclf.sources.text_lines import Line

MOST_AHEAD: Final = 1_000_000
"""Characters of the lines that are read ahead, at about which no more are."""

_FIRST_WORD: Final = re.compile(r"\A\s*(\S+)\s?", flags=re.ASCII)


def read_json_lines(lines: Iterator[Line], name: str, find: FindColumns) -> Iterator[Row]:
    """Yield a row per line; raises UsageError if the first object has no such keys."""
    roles = None
    ahead: deque[Line] = deque()
    for number, text, error in _after(ahead, lines):
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
        roles = roles or find(names_in(values), sample=partial(_sampled, values, ahead, lines))
        yield to_row(place, values, roles)


def _after(ahead: deque[Line], lines: Iterator[Line]) -> Iterator[Line]:
    """The lines, after those that were read ahead."""
    while line := ahead.popleft() if ahead else next(lines, None):
        yield line


def _sampled(first: Mapping[str, object], ahead: deque[Line], lines: Iterator[Line]) -> Iterator[Mapping[str, object]]:
    """The first object and those on the lines that follow, which are read ahead."""
    size = 0
    for line in islice(lines, SAMPLED_RECORDS - 1):
        ahead.append(line)
        size += len(line[1])
        if size > MOST_AHEAD:
            break
    yield first
    for _, text, error in ahead:
        with suppress(DataError):  # a broken line is refused when its turn comes
            if not error and text.strip():
                yield _decode(text)


def _decode(line: str) -> dict[str, object]:
    """Return the object on a line, its numbers as they are spelled; raises DataError."""
    try:
        value = JSON.decode(line.rstrip())
    except json.JSONDecodeError as error:
        raise DataError(f"not JSON ({error.msg} at character {error.colno})") from error
    except (ValueError, RecursionError) as error:
        raise DataError(f"not JSON that can be read ({error})") from error
    if not isinstance(value, dict):
        raise DataError("not a JSON object; each line must be one")
    return value


class Spelled(str):
    """A number of JSON as it is spelled: as labels and ids, 1, 1.0 and 1e0 are three."""

    __slots__ = ()

    def number(self) -> int | float | str:
        """Its value; the spelling if Python has none, as of a number of 5,000 digits."""
        try:
            value: int | float = int(self) if self.lstrip("-").isdecimal() else float(self)
        except ValueError:
            return str(self)
        return value if isfinite(value) else str(self)


def _refuse_constant(name: str) -> object:
    raise ValueError(f"{name} is not a JSON value")


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) < len(pairs):
        raise ValueError("a key comes twice")
    return values


JSON: Final = json.JSONDecoder(
    parse_int=Spelled, parse_float=Spelled, parse_constant=_refuse_constant, object_pairs_hook=_unique_keys
)


def read_plain(
    lines: Iterator[Line], name: str, _find: FindColumns, *, refused: Callable[[str], bool] = lambda _line: False
) -> Iterator[Row]:
    """Yield a row per line: the line is the text; raises UsageError if the first line is refused."""
    for number, line, error in lines:
        if number == 1 and refused(line):
            raise UsageError(f"{name} looks like JSON: add --input-format json, or jsonl, or lines for a text per line")
        text, place = line.rstrip("\r\n"), f"{name}:{number}"
        yield Row("", error=error) if error else Row(text, is_blank=not text.strip(), place=place)


def read_fasttext(lines: Iterator[Line], name: str, _find: FindColumns, *, prefix: str = LABEL) -> Iterator[Row]:
    """Yield a row per line: the words that begin with the prefix are its labels, the rest is its text.

    With an empty prefix, the first word of a line is its label.
    """
    pattern = re.compile(rf"(?<!\S){re.escape(prefix)}(\S*)\s?", flags=re.ASCII) if prefix else _FIRST_WORD
    for number, line, error in lines:
        if error:
            yield Row("", error=error)
            continue
        place, text = f"{name}:{number}", line.rstrip("\r\n")
        labels = pattern.findall(text) if prefix in text else []
        is_empty = not all(label.strip() for label in labels)
        yield Row(
            pattern.sub("", text) if labels else text,
            label=labels[0] if labels else None,
            training_error=f"{place}: the label is empty" if is_empty else None,
            other_labels=tuple(labels[1:]),
            has_labels=True,
            is_blank=not text.strip(),
            place=place,
        )
