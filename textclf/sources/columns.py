"""Finds the columns of a table that hold the text, the label and the id, and turns its records into rows.

Knows nothing about file formats or the Hub: both hand over the names of columns and mappings from name to value.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence, Set
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

SAMPLED_RECORDS: Final = 50
"""Records by which columns are found where their names do not say."""

RANGE: Final = ".."
"""Between the first and the last of several columns, as in anger..trust."""

FLAGS: Final = {"1": True, "1.0": True, "true": True, "0": False, "0.0": False, "false": False}
"""What a column of 1 and 0 may hold."""

BRACKETS: Final = {"[": "]", "(": ")", "{": "}"}
"""Around a list that was written as a program spells it."""

QUOTES: Final = "'\""
"""Around its elements."""

SEPARATORS: Final = (";", "|", "\t")
"""Between the labels of a cell that is written, if the documents had no other: the first that is in no label."""


class Roles(NamedTuple):
    """The columns of one table by their role."""

    text: tuple[str, ...]
    label: str | None
    id: str | None
    flags: tuple[str, ...] = ()
    """Of 1 and 0, one per label, in place of the one of the label."""
    separator: str | None = None
    """What is between several labels in one cell."""

    def names(self) -> list[str]:
        """Each of the columns once."""
        return [name for name in dict.fromkeys((*self.text, self.label, self.id, *self.flags)) if name is not None]

    def within(self, present: Sequence[str]) -> list[str]:
        """The columns of a file that these are or, if they are dotted paths, are in."""
        names = self.names()
        return [column for column in present if any(f"{name}.".startswith(f"{column}.") for name in names)]


Sample = Callable[[], Iterable[Mapping[str, object]]]
"""The first records of a table, read only if they are needed."""

FindColumns = Callable[..., Roles]
"""Finds the roles among the names of columns, by a `Sample` where names do not say; raises UsageError."""


def no_sample() -> Iterable[Mapping[str, object]]:
    """No records."""
    return ()


def find_columns(
    columns: Columns,
    present: Sequence[str],
    sample: Sample = no_sample,
    *,
    where: str,
    needs_label: bool,
    known: Columns = Columns(),  # noqa: B008
) -> Roles:
    """Find the text, the label and the id among the names of columns.

    Those asked for, else those `known` from a table read before, where they are present, else the usual ones; an id is
    not looked for by usual names. Where no column is the label, columns of 1 and 0 are labels by their names. Raises
    UsageError if a column that is asked for is missing, or if the text, or a label that is needed, is not clear.
    """
    has = f"; {where} has the columns {listed(present)}"
    if columns.flags and columns.label is not None:
        raise UsageError(
            "--label-column names one column of labels, and --label-columns those of 1 and 0: leave out one of them"
        )
    for name in (*columns.text, columns.label, columns.id):
        if name is not None and name not in present:
            raise UsageError(f"no column {name!r}{has}")
    flags = _flags(columns, present, has)
    others = {*present} - {columns.label, columns.id, *flags}
    text = columns.text or (known.text if others.issuperset(known.text) else ())
    row_id = columns.id or (known.id if known.id in others.difference(text) else None)
    free = [name for name in present if name not in (*text, row_id)]
    if not flags and columns.label is None and known.flags:
        flags = tuple(name for name in known.flags if name in free) if {*known.flags} <= {*free} else ()
    label = None if flags else columns.label or (known.label if known.label in free else usual_name(LABEL_NAMES, free))
    if label is None and not flags and needs_label:
        flags = _columns_of_flags(free, sample)
        if not flags:
            raise UsageError(f"which column is the label? add --label-column NAME{has}")
    usual_text = usual_name(TEXT_NAMES, [name for name in free if name not in (label, *flags)])
    text = text or ((usual_text,) if usual_text else ())
    if not text:
        raise UsageError(f"which column is the text? add --text-column NAME{has}")
    if both := {label, *flags}.intersection(text):
        raise UsageError(f"the column {both.pop()!r} cannot be both the text and the label{has}")
    return Roles(text, label, row_id, flags, columns.separator or (known.separator if label == known.label else None))


def _flags(columns: Columns, present: Sequence[str], has: str) -> tuple[str, ...]:
    """The columns of 1 and 0 that are asked for; FIRST..LAST are those from one to another."""
    names: list[str] = []
    for name in columns.flags:
        first, dots, last = name.partition(RANGE)
        if name in present:
            names.append(name)
        elif dots and first in present and last in present and present.index(first) <= present.index(last):
            names += present[present.index(first) : present.index(last) + 1]
        else:
            raise UsageError(f"no column {name!r}{has}")
    return tuple(dict.fromkeys(names))


def _columns_of_flags(free: Sequence[str], sample: Sample) -> tuple[str, ...]:
    """The columns in which each of the first records has a 1 or a 0, and some a 1, if there are several."""
    records = list(sample())
    found = [name for name in free if records and all(_flag(values.get(name)) is not None for values in records)]
    has_one = any(_flag(values.get(name)) for values in records for name in found)
    return tuple(found) if len(found) > 1 and has_one else ()


def _flag(value: object) -> bool | None:
    """What a cell of 1 or 0 says; None for another value."""
    return FLAGS.get(str(value).strip().lower()) if isinstance(value, str | bool | Number) else None


def usual_name(names: Sequence[str], present: Sequence[str]) -> str | None:
    """Return the first of the names that is present, ignoring case and surrounding spaces."""
    by_name = {name.strip().lower(): name for name in reversed(present)}
    return next((by_name[name] for name in names if name in by_name), None)


def cell_separator(columns: Columns, labels: Collection[str]) -> str:
    """What is between the labels of a cell that is written: as in the documents, else what none of the labels has."""
    free = (one for one in SEPARATORS if not any(one in label for label in labels))
    return columns.separator or next(free, SEPARATORS[0])


def refuse_repeated(place: str, names: Sequence[str]) -> None:
    """Raise DataError if two columns have one name; spreadsheets leave columns unnamed, and nobody asks for those."""
    repeated = sorted(name for name, times in Counter(names).items() if name and times > 1)
    if repeated:
        raise DataError(f"{place}: two columns are named {shortened(repeated[0])}")


def told_apart(names: Sequence[str]) -> list[str]:
    """The names of columns; where several have none, these are called by their places, such as column_3."""
    if Counter(names)[""] <= 1:
        return list(names)
    found: list[str] = []
    for place, name in enumerate(names, start=1):
        free = name or f"column_{place}"
        while not name and free in names:
            free = f"{free}_"
        found.append(free)
    return found


def listed(names: Sequence[str]) -> str:
    """Join names for a message: long ones and long lists are cut, and control characters are escaped."""
    shown = [name if _is_plain(name) else shortened(name) for name in names[:MAX_SHOWN]]
    return ", ".join(shown) + (f" and {len(names) - MAX_SHOWN:,} more" if len(names) > MAX_SHOWN else "")


def _is_plain(name: str) -> bool:
    return name.isprintable() and 0 < len(name) <= MAX_SHOWN


def to_row(place: str, values: Mapping[str, object], roles: Roles, *, limit: int = MAX_CHARACTERS) -> Row:
    """Turn a record into a row; a text of several columns is joined, a value that cannot be used is an error."""
    text, error = _text(values, roles.text, limit)
    name, id_error = _value(values, roles.id)
    is_listed = roles.flags or roles.separator or _several(_cell(values, roles.label)) is not None
    read = _labels if is_listed else _label
    (label, *others), has_labels, label_error = read(values, roles)
    training_error = label_error or id_error
    return Row(
        text,
        name,
        label,
        error and f"{place}: {error}",
        training_error and f"{place}: {training_error}",
        tuple(filter(None, others)),
        has_labels and label_error is None,
        place=place,
        record=values,
    )


class _Labels(NamedTuple):
    """What a record says about its labels."""

    labels: Sequence[str | None]
    """At least one; None if there is no label, or if what is there is wrong."""
    are_listed: bool = False
    """Whether there may be several, or none."""
    error: str | None = None


def _label(values: Mapping[str, object], roles: Roles) -> _Labels:
    """The one label of a record."""
    label, error = _value(values, roles.label)
    if label is not None and not label.strip():
        error = f"the label is empty (column {roles.label!r})"
    return _Labels((label,), error=error)


def _labels(values: Mapping[str, object], roles: Roles) -> _Labels:
    """The labels of a record that says with flags, a list, or a separator which it has."""
    found, error = _flagged(values, roles.flags) if roles.flags else _listed(values, roles)
    return _Labels(found or (None,), are_listed=True, error=error)


def _flagged(values: Mapping[str, object], flags: Sequence[str]) -> tuple[list[str], str | None]:
    """Return the columns that hold a 1, or what is wrong with one."""
    found = []
    for name in flags:
        value = _cell(values, name)
        flag = _flag(value)
        if flag is None:
            return [], f"the column {name!r} holds {shortened(str(value))}; for each document it must hold 1 or 0"
        if flag:
            found.append(name)
    return found, None


def _listed(values: Mapping[str, object], roles: Roles) -> tuple[list[str], str | None]:
    """Return the labels in a list, or in a cell with separators, or what is wrong with one; an empty cell has none."""
    value = _cell(values, roles.label)
    if roles.separator and (value is None or value == ""):
        return [], None
    several = _several(value)
    parts = [value] if several is None else several
    found: list[str] = []
    for part in parts:
        label, error = _value({str(roles.label): part}, str(roles.label))
        if label is None:
            return [], error
        if not roles.separator and not label.strip():
            return [], f"a label is empty (column {roles.label!r})"
        found += _pieces(label, roles.separator) if roles.separator else [label]
    return found, None


def _pieces(cell: str, separator: str) -> list[str]:
    """The labels in a cell, without the brackets and quotes around them if a program wrote the list."""
    plain, quotes = cell.strip(), ""
    if len(plain) > 1 and BRACKETS.get(plain[0]) == plain[-1] and plain[0] not in plain[1:-1]:
        plain, quotes = plain[1:-1], QUOTES
    pieces = (piece.strip() for piece in plain.split(separator))
    return [piece for piece in (piece.strip(quotes) if quotes else piece for piece in pieces) if piece]


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
    value = _cell(values, column)
    if isinstance(value, str | bytes):
        return _unicode(value, column)
    if is_missing(value):
        return None, f"no value in the column {column!r}"
    if isinstance(value, bool) or type(value).__name__ == "bool":  # numpy's bool is none of Python's
        return str(value).lower(), None
    if isinstance(value, Number | date | time):
        return str(value), None
    return None, f"the column {column!r} holds a {type(value).__name__}, not one value{_inside(column, value)}"


def _several(value: object) -> list[object] | None:
    """The elements of a list, in whatever a cell may hold one; None if it is no list."""
    if hasattr(value, "tolist") and getattr(value, "ndim", 0) == 1:  # an array, as in a cell of a data frame
        value = value.tolist()
    return list(value) if isinstance(value, list | tuple | Set) else None


def _cell(values: Mapping[str, object], column: str | None) -> object:
    """What is in a column, or at a dotted path; None if there is nothing."""
    if column is None:
        return None
    value = values.get(column)
    return follow(values, column) if value is None and "." in column and column not in values else value


def _unicode(value: str | bytes, column: str) -> tuple[str | None, str | None]:
    """A text, or None and what is wrong with it; some programs write texts to Parquet as bytes."""
    if isinstance(value, str):
        return (str(value), None) if is_unicode(value) else (None, "half a surrogate pair, which no file can hold")
    try:
        return value.decode(), None
    except UnicodeDecodeError as error:
        return None, f"the column {column!r} holds bytes, of which 0x{value[error.start]:02x} is not UTF-8"


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
