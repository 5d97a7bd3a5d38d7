"""Rows of any table to documents: which columns hold text, label and id, and what a value may be.

Knows nothing about file formats or the Hub: both hand over records.
"""

import math
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import date, time
from decimal import Decimal
from typing import Final, NamedTuple

from textclf.errors import DataError, UsageError
from textclf.sources.document import Document

MAX_CHARACTERS: Final = 10_000_000
"""In one text, field or line; more is a file of another kind, and would fill the memory before anyone noticed."""

SHOWN: Final = 60
"""Characters of a value, or names of columns, that a message shows at the most."""

TEXT_NAMES: Final = (
    "text", "sentence", "content", "body", "review", "document", "message", "comment", "tweet", "question",
)  # fmt: skip
LABEL_NAMES: Final = ("label", "labels", "class", "category", "target", "topic", "intent", "sentiment")


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns to read; those left empty are found by their usual names."""

    text: tuple[str, ...] = ()
    """Joined in this order, one a line."""
    label: str | None = None
    id: str | None = None
    """None: documents are numbered."""


class Roles(NamedTuple):
    """The columns of one table, found."""

    text: tuple[str, ...]
    label: str
    id: str | None


class Record(NamedTuple):
    """One row, line or file as it was read, and where: ``path:line``."""

    place: str
    values: Mapping[str, object]


Records = Generator[Record, None, None]


def documents(records: Records, *, columns: Columns, where: str) -> Iterator[Document]:
    """Yield a checked document for each record; the first record shows which columns there are.

    Raises UsageError if the columns cannot be told, DataError for a record that is no labelled text, for an id that
    comes twice, and if there are no records.
    """
    roles = None
    places: dict[str, str] = {}
    with closing(records):  # a file is closed as soon as one of its rows is refused
        for number, record in enumerate(records, start=1):
            roles = roles or find_columns(columns, list(record.values), where=where)
            document = _document(record, roles, number)
            if roles.id is not None and (first := places.setdefault(document.id, record.place)) != record.place:
                raise DataError(f"{record.place}: the id {shortened(document.id)} is taken by {first}; ids must differ")
            yield document
    if roles is None:
        raise DataError(f"{where}: no documents in it")


def find_columns(columns: Columns, present: Sequence[str], *, where: str) -> Roles:
    """Tell which of the columns are the text, the label and the id; raises UsageError if that is not clear."""
    has = f"; {where} has the columns {listed(present)}"
    for name in (*columns.text, columns.label, columns.id):
        if name is not None and name not in present:
            raise UsageError(f"no column {name!r}{has}")
    free = [name for name in present if name not in (*columns.text, columns.id)]
    label = columns.label or usual_name(LABEL_NAMES, free)
    if label is None:
        raise UsageError(f"which column is the label? add --label-column NAME{has}")
    usual_text = usual_name(TEXT_NAMES, [name for name in free if name != label])
    text = columns.text or ((usual_text,) if usual_text else ())
    if not text:
        raise UsageError(f"which column is the text? add --text-column NAME{has}")
    if label in text:
        raise UsageError(f"the column {label!r} cannot be both the text and the label{has}")
    return Roles(text, label, columns.id)


def _document(record: Record, roles: Roles, number: int) -> Document:
    place = record.place
    text = "\n".join(value_of(record, name) for name in roles.text)
    label = value_of(record, roles.label)
    name = str(number) if roles.id is None else value_of(record, roles.id)
    if not label.strip():
        raise DataError(f"{place}: the label is empty (column {roles.label!r})")
    if len(text) > MAX_CHARACTERS:
        raise DataError(f"{place}: the text has {len(text):,} characters; {MAX_CHARACTERS:,} is the most")
    try:
        if not (name.isascii() and label.isascii() and text.isascii()):  # which is known, and most are
            f"{name}{label}{text}".encode()
    except UnicodeEncodeError as error:
        raise DataError(f"{place}: half a surrogate pair, which no file can hold ({error.reason})") from error
    return Document(name, text, label)


def value_of(record: Record, column: str) -> str:
    """Return a value as text: numbers and dates as Python spells them, booleans as JSON does; raises DataError."""
    value = record.values.get(column)
    if isinstance(value, str):
        return value
    if value is None or (isinstance(value, float) and math.isnan(value)):
        raise DataError(f"{record.place}: no value in the column {column!r}")
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float | Decimal | date | time):
        return str(value)
    raise DataError(f"{record.place}: the column {column!r} holds a {type(value).__name__}, not one value")


def shortened(text: str) -> str:
    """Return a text as Python spells it, cut where it is too long for a line that a person reads."""
    return repr(text if len(text) <= SHOWN else f"{text[:SHOWN]}…")


def listed(names: Sequence[str]) -> str:
    """Return names as a list to read: what a terminal might obey is spelled out, and long lists are cut."""
    shown = [name if name.isprintable() and len(name) <= SHOWN else shortened(name) for name in names[:SHOWN]]
    return ", ".join(shown) + (f" and {len(names) - SHOWN:,} more" if len(names) > SHOWN else "")


def usual_name(names: Sequence[str], present: Sequence[str]) -> str | None:
    """Return the first of the names that is present, in whatever case."""
    by_name = {name.strip().lower(): name for name in reversed(present)}
    return next((by_name[name] for name in names if name in by_name), None)
