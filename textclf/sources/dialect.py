"""Finds how delimited text is written, by its first lines: the character between fields, and the one around them.

The delimiter is found where it is plain: where the first lines have the same number of fields. The quote is not: it is
that of the delimiter, unless it is asked for. Where lines do not fit, other dialects are tried for the advice alone.
"""

import csv
import re
import shlex
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple

from textclf.errors import UsageError
from textclf.sources.document import MAX_CHARACTERS, Columns

DELIMITERS: Final = (",", "\t", ";", "|")
QUOTES: Final = ('"', "", "'")

PLAIN: Final = 0.9
"""Share of the first lines that must have the same number of fields; of a few lines, all but one."""

_MARKS: Final = re.compile(r"(?<=[\w\s\"'])[|:;,~^$#@*=%&<>/\\+-]{2,}(?=[\w\s\"'])")
"""Several marks between two words."""

IsHeader = Callable[[Sequence[str]], bool]
"""Whether these are names of columns that can be used."""


class Dialect(NamedTuple):
    """How delimited text is written."""

    delimiter: str
    quote: str
    """Empty: none, so that a quotation mark is a character like others and a row is a line."""

    def read(self, lines: Iterable[str]) -> Iterator[list[str]]:
        """The fields of each record; raises csv.Error at a broken one."""
        csv.field_size_limit(MAX_CHARACTERS)  # the limit of the whole process, which is 131,072 characters unless set
        if not self.quote:
            return csv.reader(lines, delimiter=self.delimiter, quoting=csv.QUOTE_NONE, strict=True)
        return csv.reader(lines, delimiter=self.delimiter, quotechar=self.quote, strict=True)

    def options(self, other: "Dialect") -> str:
        """The options that ask for this dialect in place of another."""
        delimiter = f"--delimiter {in_shell(self.delimiter)}" if self.delimiter != other.delimiter else ""
        without = other if self.delimiter == other.delimiter else usual(self.delimiter)
        quote = f"--quote {in_shell(self.quote)}" if self.quote != without.quote else ""
        return " ".join(filter(None, (delimiter, quote)))


def in_shell(character: str) -> str:
    """A delimiter or quote as the command line takes it."""
    named = {"\t": "tab", "": "none", "'": '"\'"'}
    plain = f"'{character}'" if character.isprintable() else f"$'\\x{ord(character):02x}'"
    return named.get(character, plain)


def usual(delimiter: str) -> Dialect:
    """The dialect with this delimiter: with tabs, quotation marks are characters of the text."""
    return Dialect(delimiter, "" if delimiter == "\t" else '"')


def check(columns: Columns) -> None:
    """Raise UsageError if what is asked for cannot be the dialect of a file."""
    for option, value in (("--delimiter", columns.delimiter), ("--quote", columns.quote or None)):
        if value is not None and (len(value) != 1 or value in "\r\n"):
            is_long = option == "--delimiter" and len(value) > 1
            instead = f"; {with_tabs(value, 'FILE')}" if is_long else ""
            raise UsageError(f"{option} {value!r}: it must be one character, such as {option} ';'{instead}")
    if columns.delimiter is not None and columns.delimiter == columns.quote:
        raise UsageError(f"--delimiter and --quote are both {columns.delimiter!r}: choose another one of them")
    if repeated := {name for name in columns.names if columns.names.count(name) > 1 or not name.strip()}:
        raise UsageError(f"--columns: {min(repeated)!r} must be a name, and come once; separate names with commas")


def with_tabs(delimiter: str, name: str) -> str:
    """Say how to put a tab in place of a delimiter of several characters."""
    pattern = re.sub(r"([].*[\\^$/])", r"\\\1", delimiter)
    script = shlex.quote(f"s/{pattern}/\\t/g")
    return f"put a tab in place of {delimiter!r}: sed {script} {shlex.quote(name)} > {Path(name).stem}.tsv"


def long_delimiter(lines: Sequence[str]) -> str | None:
    """The several marks, such as ::, that are equally often in each of the first lines; None if there are none."""
    first, *others = [line for line in lines if line.strip()] or [""]
    for found in dict.fromkeys(_MARKS.findall(first)):
        if others and all(line.count(found) == first.count(found) for line in others):
            return str(found)
    return None


def later_header(sample: Sequence[str], is_header: IsHeader, *, most: int = 10) -> int | None:
    """The place of the first line after others that names columns; None if there is none among the first lines."""
    for place, line in enumerate(sample[1:most], start=1):
        for delimiter in DELIMITERS:
            names = next(iter(records([line], usual(delimiter))), [])
            if len(names) > 1 and is_header(names):
                return place
    return None


def odd_delimiter(header: str, is_header: IsHeader) -> str | None:
    """A mark that the names of columns stand between; None if there is none."""
    marks = dict.fromkeys(character for character in header if not character.isalnum() and character not in " _.\r\n")
    return next((mark for mark in marks if is_header(header.strip().split(mark))), None)


def refuse_dialect(columns: Columns, where: str) -> None:
    """Raise UsageError if a dialect is asked for where there is no delimited text."""
    if columns.delimiter is not None or columns.quote is not None or columns.names:
        raise UsageError(f"{where} is not delimited text: leave out --delimiter, --quote and --columns")


def find_dialect(sample: Sequence[str], *, own: str, asked: Columns, known: Columns, is_header: IsHeader) -> Dialect:
    """The dialect asked for; else the one delimiter that is plain in the first lines, or the format's `own`.

    A delimiter of the training documents is preferred like that of the format, and brings its quote.
    """
    with_quote = partial(_with_quote, sample, asked=asked, known=known)
    if asked.delimiter is not None:
        return with_quote(asked.delimiter)
    first = next((line for line in sample if line.strip()), "")
    if known.delimiter is not None and known.delimiter in first:
        own = known.delimiter
    candidates = [with_quote(delimiter) for delimiter in dict.fromkeys((own, *DELIMITERS)) if delimiter in first]
    plain = [dialect for dialect in candidates if _is_plain(_counts(sample, dialect), len(asked.names) or None)]
    usable = [] if asked.names else [dialect for dialect in plain if is_header(_first_record(sample, dialect))]
    best = usable or plain
    return best[0] if len(best) == 1 else with_quote(own)


def _with_quote(sample: Sequence[str], delimiter: str, *, asked: Columns, known: Columns) -> Dialect:
    """The dialect with this delimiter: with the quote asked for, else that of documents like these, else the usual.

    Documents are not like these if no field begins with their quote, and some do with the usual one.
    """
    if asked.quote is not None:
        return Dialect(delimiter, asked.quote)
    own = usual(delimiter)
    if known.quote is None or known.delimiter != delimiter:
        return own
    dialect = Dialect(delimiter, known.quote)
    is_other = own.quote and _encloses(sample, own) and not _encloses(sample, dialect)
    return own if is_other else dialect


def _encloses(sample: Sequence[str], dialect: Dialect) -> bool:
    """Whether any field of the first lines begins with the quote."""
    quote = dialect.quote
    return any(field.strip().startswith(quote) for line in sample for field in line.split(dialect.delimiter))


def is_one_column(sample: Sequence[str], dialect: Dialect) -> bool:
    """Whether all records of the first lines have one field, of which some are in quotes."""
    found = records(sample, dialect)
    return bool(dialect.quote) and _encloses(sample, dialect) and all(len(record) == 1 for record in found)


def better_dialect(sample: Sequence[str], dialect: Dialect) -> Dialect | None:
    """A dialect that the first lines fit, if they do not fit this one."""
    if _fits_all(sample, dialect):
        return None
    delimiters = dict.fromkeys((dialect.delimiter, *DELIMITERS))
    others = (
        Dialect(delimiter, quote)
        for delimiter in delimiters
        for quote in dict.fromkeys((usual(delimiter).quote, *QUOTES))
    )
    return next((other for other in others if other != dialect and _fits_all(sample, other, rows=2)), None)


def _fits_all(sample: Sequence[str], dialect: Dialect, *, rows: int = 1) -> bool:
    """Whether all records of the first lines have as many fields as the first, at least two."""
    counts = [len(record) for record in records(sample, dialect, goes_on=False)]
    return len(counts) >= rows and counts[0] >= 2 and len(set(counts)) == 1


def records(sample: Sequence[str], dialect: Dialect, *, goes_on: bool = True) -> list[list[str]]:
    """The records of the first lines; a broken one is empty, and one that `goes_on` after them is left out."""
    reader = dialect.read(sample)
    found: list[list[str]] = []
    while True:
        try:
            for record in reader:
                if record:
                    found.append(record)
        except csv.Error as error:
            if not (goes_on and "unexpected end" in str(error)):
                found.append([])
        else:
            return found


def _first_record(sample: Sequence[str], dialect: Dialect) -> list[str]:
    return next(iter(records(sample, dialect)), [])


def _counts(sample: Sequence[str], dialect: Dialect) -> list[int]:
    return [len(record) for record in records(sample, dialect)]


def _is_plain(counts: Sequence[int], width: int | None = None) -> bool:
    """Whether most records have `width` fields, or as many as the first, if these are several."""
    width = width or (counts[0] if counts else 0)
    others = sum(count != width for count in counts)
    return width >= 2 and (others <= (1 - PLAIN) * len(counts) or (others == 1 and len(counts) > 2))
