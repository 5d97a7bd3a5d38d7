"""Finds the columns of a table that hold the text, the label and the id, and turns its records into rows.

Knows nothing about file formats or the Hub: both hand over the names of columns and mappings from name to value.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import date, time
from numbers import Number
from typing import Final, NamedTuple

from textclf.errors import DataError, UsageError
from textclf.sources.document import MAX_CHARACTERS, MAX_SHOWN, Columns, Row, shortened

TEXT_NAMES: Final = (
    "text", "sentence", "content", "body", "review", "document", "message", "comment", "tweet", "question",
)  # fmt: skip
LABEL_NAMES: Final = ("label", "labels", "class", "category", "target", "topic", "intent", "sentiment")


MOST_DEPTH: Final = 10
"""Levels of nested values whose names are listed."""

MOST_DIGITS: Final = 10
"""Digits of a place in a list."""


class Roles(NamedTuple):
    """The columns of one table by their role."""

    text: tuple[str, ...]
    label: str | None
    id: str | None

    def names(self) -> list[str]:
        """Each of the columns once."""
        return [name for name in dict.fromkeys((*self.text, self.label, self.id)) if name is not None]

    def within(self, present: Sequence[str]) -> list[str]:
        """The columns of a file that these are or, if they are dotted paths, are in."""
        names = self.names()
        return [column for column in present if any(f"{name}.".startswith(f"{column}.") for name in names)]


FindColumns = Callable[[Sequence[str]], Roles]
"""Finds the roles among the names of columns; raises UsageError."""


def find_columns(
    columns: Columns,
    present: Sequence[str],
    *,
    where: str,
    needs_label: bool,
    known: Columns = Columns(),  # noqa: B008
) -> Roles:
    """Find the text, the label and the id among the names of columns.

    Those asked for, else those `known` from a table read before, where they are present, else the usual ones; an id is
    not looked for by usual names. Raises UsageError if a column that is asked for is missing, or if the text, or a
    label that is needed, is not clear.
    """
    has = f"; {where} has the columns {listed(present)}"
    for name in (*columns.text, columns.label, columns.id):
        if name is not None and name not in present:
            raise UsageError(f"no column {name!r}{has}")
    others = {*present} - {columns.label, columns.id}
    text = columns.text or (known.text if others.issuperset(known.text) else ())
    row_id = columns.id or (known.id if known.id in others.difference(text) else None)
    free = [name for name in present if name not in (*text, row_id)]
    label = columns.label or (known.label if known.label in free else usual_name(LABEL_NAMES, free))
    if label is None and needs_label:
        raise UsageError(f"which column is the label? add --label-column NAME{has}")
    usual_text = usual_name(TEXT_NAMES, [name for name in free if name != label])
    text = text or ((usual_text,) if usual_text else ())
    if not text:
        raise UsageError(f"which column is the text? add --text-column NAME{has}")
    if label in text:
        raise UsageError(f"the column {label!r} cannot be both the text and the label{has}")
    return Roles(text, label, row_id)


def usual_name(names: Sequence[str], present: Sequence[str]) -> str | None:
    """Return the first of the names that is present, ignoring case and surrounding spaces."""
    by_name = {name.strip().lower(): name for name in reversed(present)}
    return next((by_name[name] for name in names if name in by_name), None)


def refuse_repeated(place: str, names: Sequence[str]) -> None:
    """Raise DataError if two columns have one name; spreadsheets leave columns unnamed, and nobody asks for those."""
    repeated = sorted(name for name, times in Counter(names).items() if name and times > 1)
    if repeated:
        raise DataError(f"{place}: two columns are named {shortened(repeated[0])}")


def listed(names: Sequence[str]) -> str:
    """Join names for a message: long ones and long lists are cut, and control characters are escaped."""
    shown = [name if name.isprintable() and len(name) <= MAX_SHOWN else shortened(name) for name in names[:MAX_SHOWN]]
    return ", ".join(shown) + (f" and {len(names) - MAX_SHOWN:,} more" if len(names) > MAX_SHOWN else "")


def to_row(place: str, values: Mapping[str, object], roles: Roles, *, limit: int = MAX_CHARACTERS) -> Row:
    """Turn a record into a row; a text of several columns is joined, a value that cannot be used is an error."""
    text, error = _text(values, roles.text, limit)
    label, label_error = _value(values, roles.label)
    name, id_error = _value(values, roles.id)
    if label is not None and not label.strip():
        label_error = f"the label is empty (column {roles.label!r})"
    training_error = label_error or id_error
    return Row(
        text,
        name,
        label,
        error and f"{place}: {error}",
        training_error and f"{place}: {training_error}",
        place=place,
    )


def _text(values: Mapping[str, object], columns: Sequence[str], limit: int) -> tuple[str, str | None]:
    """Return the text, or "" and what is wrong with it."""
    parts = []
    for column in columns:
        part, error = _value(values, column)
        if part is None:
            return "", error
        parts.append(part)
    text = "\n".join(parts)
    return (text, None) if len(text) <= limit else ("", f"the text has {len(text):,} characters; the most is {limit:,}")


def _value(values: Mapping[str, object], column: str | None) -> tuple[str | None, str | None]:
    """Return a value as text, or None and what is wrong with it; (None, None) if there is no such column.

    Numbers and dates are spelled as Python does, booleans as JSON does.
    """
    if column is None:
        return None, None
    value = values.get(column)
    if value is None and "." in column and column not in values:
        value = follow(values, column)
    if isinstance(value, str):
        return (value, None) if is_unicode(value) else (None, "half a surrogate pair, which no file can hold")
    if is_missing(value):
        return None, f"no value in the column {column!r}"
    if isinstance(value, bool) or type(value).__name__ == "bool":  # numpy's bool is none of Python's
        return str(value).lower(), None
    if isinstance(value, Number | date | time):
        return str(value), None
    return None, f"the column {column!r} holds a {type(value).__name__}, not one value{_inside(column, value)}"


def is_missing(value: object) -> bool:
    """Tell whether a value stands for none: None, a NaN of any type, and NA and NaT of pandas."""
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return True
    return isinstance(value, Number) and bool(value != value)  # noqa: PLR0124 (as NaN alone does)


def _inside(column: str, value: object) -> str:
    """Name what is in a nested value, for a message."""
    paths = [path for path in names_in({column: value}) if path != column]
    return f"; in it is {listed(paths)}" if paths else ""


def names_in(values: Mapping[str, object], *, depth: int = MOST_DEPTH) -> list[str]:
    """Return the names of a record's values and, after each, the dotted paths of what is in it.

    Of a list, those of its first element, such as ``annotations.0.label``.
    """
    names = []
    for name, value in values.items():
        names.append(name)
        inner: object = {"0": value[0]} if isinstance(value, list) and value else value
        if isinstance(inner, Mapping) and depth:
            names += [f"{name}.{path}" for path in names_in(inner, depth=depth - 1)]
    return names


def follow(values: object, path: str) -> object:
    """Return what is at a dotted path in nested objects and lists, whose elements are numbered from 0; None if nothing.

    A key with points in it is found, too, if no shorter one is there.
    """
    if isinstance(values, Mapping) and path in values:
        return values[path]
    name, _, rest = path.partition(".")
    if isinstance(values, list) and name.isdecimal() and len(name) < MOST_DIGITS:
        inner = values[int(name)] if int(name) < len(values) else None
    else:
        inner = values.get(name) if isinstance(values, Mapping) else None
    return follow(inner, rest) if rest and inner is not None else None if rest else inner


def is_unicode(text: str) -> bool:
    """Tell whether UTF-8 can hold a text: escapes in JSON and names of files can be half a surrogate pair."""
    if text.isascii():  # already known, and true of most texts
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
