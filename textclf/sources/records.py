"""Divides lines of delimited text into records, and finds rows that a quote has swallowed. Knows no columns.

A broken record is an error of its first line; the lines after it are read again.
"""

import csv
from collections import deque
from collections.abc import Collection, Iterator, Sequence
from typing import Final, NamedTuple

from textclf.sources.dialect import Dialect
from textclf.sources.document import MAX_CHARACTERS
from textclf.sources.text_lines import Line

TRIED: Final = 5
"""Lines of a record that are tried as rows before all of them are: few, as texts of many lines are read often."""


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
                (number, text, error), *others = taken
                taken.clear()
                self.read_again(others)
                reason = f"the row is broken ({broken}); a quote inside a field is written twice{self._instead(text)}"
                yield Record(number, [], error or f"{self._name}:{number}: {reason}")

    def _instead(self, text: str) -> str:
        """How to write quotes twice that have a backslash before them."""
        quote = self._dialect.quote
        if f"\\{quote}" not in text or quote != '"':
            return ""
        return f""", not with a backslash: sed 's/\\\\"/""/g' {self._name} > new.csv"""

    def read_again(self, lines: Sequence[Line]) -> None:
        """Read these lines before all that follow."""
        self._again.extendleft(reversed(lines))

    def _take(self) -> Iterator[str]:
        """Yield lines, and keep those of one record.

        Raises csv.Error in a record of more than the limit of characters, or of so many lines that they would fill the
        memory.
        """
        characters, limit, most_lines, taken, again = 0, self._limit, self._limit // 10, self._taken, self._again
        lines = self._lines
        while line := again.popleft() if again else next(lines, None):
            text = line[1]
            characters = len(text) if not taken else characters + len(text)
            taken.append(line)
            if characters > limit or len(taken) > most_lines:
                raise csv.Error(f"a quote is not closed within {limit:,} characters and {most_lines:,} lines")
            yield text


def rows_within(
    record: Record, dialect: Dialect, *, width: int, label_at: int | None, labels: Collection[str]
) -> bool | None:
    """Whether the lines of one record are rows that a quote has swallowed; None if they could be.

    They are if at least half of them have, each by itself, `width` fields and one of the `labels`, not counting the
    line with the record's own label. They could be if each line has `width` fields. A quotation mark is a character
    here.
    """
    texts = [text for _, text, _ in record.lines[1:]]
    if not (_are_rows(texts[:TRIED], dialect, width) and _are_rows(texts, dialect, width)):
        return False
    lines = [record.lines[0][1], *texts]
    rows = _by_themselves(lines, dialect)
    if label_at is not None:
        in_lines = next(at for at, field in enumerate(record.fields) if "\n" in field or "\r" in field)
        others = rows[1:] if label_at < in_lines else rows[:-1]
        own = [row[label_at].strip(f"{dialect.quote} \r\n") for row in others if len(row) == width]
        if 2 * sum(label in labels for label in own if label) >= len(others):
            return True
    return None if all(len(row) == width for row in rows) else False


def _are_rows(texts: Sequence[str], dialect: Dialect, width: int) -> bool:
    """Whether at least half of the lines have `width` fields each; quick, as few do."""
    delimiter = dialect.delimiter
    return 2 * [text.count(delimiter) for text in texts].count(width - 1) >= len(texts)


def _by_themselves(lines: Sequence[str], dialect: Dialect) -> list[list[str]]:
    """The fields of each line that is not blank, without quotes."""
    return [line.split(dialect.delimiter) for line in lines if not line.isspace()]
