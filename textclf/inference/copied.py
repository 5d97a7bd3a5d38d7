"""The columns of the input that stand before an answer: all of them, or its id alone.

Knows nothing of how answers are written.
"""

from collections.abc import Iterable, Mapping
from typing import Final

from textclf.errors import DataError
from textclf.sources import Row
from textclf.sources.readers import Spelled
from textclf.system import escaping

PREDICTED: Final = "predicted_"
"""Begins the name of a field of the answer where the input has that name."""

ANSWERED: Final = ("label", "labels")
"""Fields of the answer that always get the prefix where all columns are copied, whether the input has labels or not."""


def names_of_answer(fields: Iterable[str], copied: Iterable[str], *, all_columns: bool) -> dict[str, str]:
    """The name of each field of the answer after columns of these names, none of which it takes."""
    taken, names = set(copied), {}
    for field in fields:
        name = f"{PREDICTED}{field}" if all_columns and field in ANSWERED else field
        while name in taken:
            name = f"{PREDICTED}{name}"
        taken.add(name)
        names[field] = name
    return names


def as_json(row: Row) -> dict[str, object]:
    """The record of a row as JSON values; raises DataError if it is nested too deeply."""
    try:
        return {name: _json_value(value) for name, value in row.record.items()}
    except RecursionError:
        raise DataError(f"{row.place}: nested too deeply to be copied; leave out --keep-columns") from None


def _json_value(value: object) -> object:
    """The value with numbers where it has their spelling, null for NaN, and text for what JSON has no type for."""
    if isinstance(value, Spelled):
        return value.number()
    if isinstance(value, Mapping):
        return {str(name): _json_value(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_json_value(inner) for inner in value]
    if isinstance(value, float):
        return value if value - value == 0 else None
    return value if value is None or isinstance(value, str | bool | int) else str(value)


def as_text(value: object) -> str:
    """A value as a cell: texts and numbers as they are spelled, nothing for none, JSON for lists and objects."""
    if value is None:
        return ""
    if isinstance(value, Mapping | list | tuple):
        return escaping.to_json(_json_value(value))
    return str(value).lower() if isinstance(value, bool) else str(value)
