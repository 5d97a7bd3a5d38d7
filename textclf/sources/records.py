"""Divides lines of delimited text into records, and finds rows that a quote has swallowed. Knows no columns.

A broken record is an error of its first line; the lines after it are read again.
"""

import csv
from collections import Counter, deque
from collections.abc import Collection, Iterator, Sequence
from typing import Final, NamedTuple

from textclf.sources.dialect import Dialect
from textclf.sources.document import MAX_CHARACTERS
from textclf.sources.text_lines import Line

TRIED: Final = 20
"""Lines of a record that are tried as rows before all of them are."""


class Record(NamedTuple):
    """One record; a blank line is one without fields."""

    number: int
    """Number of its first line."""
    fields: list[str]
    error: str | None
    """Where it is and why it cannot be read."""
    lines: tuple[Line, ...] = ()
    """Its lines, if there are several."""


class Records:
    """The records of lines, in order."""

    def __init__(self, lines: Iterator[Line], name: str, dialect: Dialect, *, limit: int = MAX_CHARACTERS) -> None:
        self._lines, self._name, self._dialect, self._limit = lines, name, dialect, limit
        self._taken: list[Line] = []
        self._again: deque[Line] = deque()

    def __iter__(self) -> Iterator[Record]:
        taken = self._taken
        while True:
            reader = self._dialect.read(self._take())
            try:
                for fields in reader:
                    errors = [error for _, _, error in taken if error]
                    lines = tuple(taken) if len(taken) > 1 else ()
                    number = taken[0][0]
                    taken.clear()
                    yield Record(number, fields, errors[0] if errors else None, lines)
                return
            except csv.Error as broken:
                (number, _, error), *others = taken
                taken.clear()
                self.read_again(others)
                reason = f"the row is broken ({broken}); a quote inside a field is written twice"
                yield Record(number, [], error or f"{self._name}:{number}: {reason}")

    def read_again(self, lines: Sequence[Line]) -> None:
        """Read these lines before all that follow."""
        self._again.extendleft(reversed(lines))

    def _take(self) -> Iterator[str]:
        """Yield lines, and keep those of one record.

        Raises csv.Error in a record of more than the limit of characters, or of so many lines that they would fill the
        memory.
        """
        characters, most_lines, taken, again = 0, self._limit // 10, self._taken, self._again
        while line := again.popleft() if again else next(self._lines, None):
            characters = len(line[1]) if not taken else characters + len(line[1])
            taken.append(line)
            if characters > self._limit or len(taken) > most_lines:
                raise csv.Error(f"a quote is not closed within {self._limit:,} characters and {most_lines:,} lines")
            yield line[1]


def rows_within(
    record: Record, dialect: Dialect, *, width: int, label_at: int | None, labels: Collection[str]
) -> bool | None:
    """Whether the lines of one record are rows that a quote has swallowed; None if they could be.

    They are if at least half of them have, each by itself, `width` fields and one of the `labels`, not counting the
    line with the record's own label. They could be if each line has `width` fields. A quotation mark is a character
    here.
    """
    lines = [text for _, text, _ in record.lines]
    if not _are_rows(lines[1 : 1 + TRIED], dialect, width):
        return False
    rows = _by_themselves(lines, dialect)
    if label_at is not None:
        in_lines = next(at for at, field in enumerate(record.fields) if "\n" in field or "\r" in field)
        others = rows[1:] if label_at < in_lines else rows[:-1]
        own = [row[label_at].strip(f"{dialect.quote} ") for row in others if len(row) == width]
        known = labels or {label for label, times in Counter(own).items() if times > 1}
        if 2 * sum(label in known for label in own if label) >= len(others):
            return True
    return None if all(len(row) == width for row in rows) else False


def _are_rows(lines: Sequence[str], dialect: Dialect, width: int) -> bool:
    rows = _by_themselves(lines, dialect)
    return 2 * sum(len(row) == width for row in rows) >= len(rows) > 0


def _by_themselves(lines: Sequence[str], dialect: Dialect) -> list[list[str]]:
    """The fields of each line that is not blank."""
    read = Dialect(dialect.delimiter, "").read
    return [row for line in lines for row in read([line.rstrip("\r\n")]) if row]
