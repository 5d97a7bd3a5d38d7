"""Lines of a stream of UTF-8, and the rows that need no columns: a text a line, and lines as fastText has them."""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import IO, Final, NamedTuple

from textclf.errors import DataError

LONGEST: Final = 10_000_000
"""Bytes of one line; more is an error, and is skipped without being held in memory."""

ENDLESS: Final = 1_000_000_000
"""Bytes without an end of line after which there is none to be waited for: a device, or no lines at all."""

_PIECE: Final = 1 << 20

LABEL: Final = "__label__"
_LABELS: Final = re.compile(rf"(?:(?<=\s)|^){LABEL}(\S*)\s*", flags=re.ASCII)


class Row(NamedTuple):
    """One row of the input."""

    text: str
    """Empty where there is an error."""
    id: str | None = None
    """What its id column holds."""
    label: str | None = None
    """Its own label, to compare the answer with."""
    error: str | None = None
    """Where it is and why it cannot be read."""


class Line(NamedTuple):
    """One line, with its end."""

    place: str
    text: str
    error: str | None
    """Why it cannot be read, the place included; the text then is what can be read of it."""


def lines(stream: IO[bytes], name: str, *, refused: Mapping[bytes, str] | None = None) -> Iterator[Line]:
    """Yield the lines of a stream, those that are no text with an error.

    Raises DataError for a stream that begins with one of the patterns ``refused``, and one that does not end its line.
    """
    number = 0
    while content := stream.readline(LONGEST):
        number += 1
        place = f"{name}, line {number}"
        if number == 1:
            _refuse(content[:16], name, refused or {})
        if len(content) == LONGEST and not content.endswith(b"\n"):
            _skip(stream, place)
            yield Line(place, "", f"{place}: longer than {LONGEST:,} bytes")
            continue
        try:
            yield Line(place, content.decode("utf-8-sig" if number == 1 else "utf-8"), None)
        except UnicodeDecodeError as error:
            said = f"{place}: not UTF-8 ({error.reason}); convert it: iconv -t utf-8"
            yield Line(place, content.decode("utf-8", errors="replace"), said)


def _refuse(start: bytes, name: str, refused: Mapping[bytes, str]) -> None:
    for pattern, kind in refused.items():
        if re.match(pattern, start):
            raise DataError(f"{name} is not text but {kind}")


def _skip(stream: IO[bytes], place: str) -> None:
    """Read to the end of the line."""
    skipped = LONGEST
    while content := stream.readline(_PIECE):
        skipped += len(content)
        if content.endswith(b"\n"):
            return
        if skipped >= ENDLESS:
            raise DataError(f"{place}: longer than {LONGEST:,} bytes, and no end after {ENDLESS:,}")


def plain(lines: Iterator[Line], _name: str = "") -> Iterator[Row]:
    """Each line is a text."""
    for line in lines:
        yield Row(line.text.rstrip("\r\n")) if line.error is None else Row("", error=line.error)


def fasttext(lines: Iterator[Line], _name: str, *, tell: Callable[[str], None]) -> Iterator[Row]:
    """Each line is a text; the words of it that begin with __label__ are its labels, of which the first counts."""
    told = False
    for line in lines:
        if line.error is not None or LABEL not in line.text:
            yield from plain(iter((line,)))
            continue
        labels = _LABELS.findall(line.text)
        if len(labels) > 1 and not told:
            told = True
            tell(f"{line.place}: more than one label; here and in the lines that follow, the first counts")
        yield Row(_LABELS.sub("", line.text).rstrip("\r\n"), label=labels[0] if labels else None)
