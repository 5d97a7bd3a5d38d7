"""Texts and labels as scikit-learn's callers give them: lists, arrays, columns of tables, generators.

A message names the row: its place, counted from 0, and its index label in a pandas Series that has another one.
"""

from collections.abc import Iterable
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from textclf.errors import UsageError
from textclf.estimator.failures import InputError
from textclf.inference.classifier import strings
from textclf.sources.columns import is_missing
from textclf.system.wording import counted

KINDS: Final = {"b": "bool", "i": "whole number", "u": "whole number", "f": "number", "U": "string", "O": "string"}
"""What labels of numpy's kinds of types are; other kinds are refused."""

Labels = NDArray[Any]


class Classes(NamedTuple):
    """The C classes of D labels."""

    values: Labels
    """Shape (C,), sorted, in the type of the labels."""
    of_rows: NDArray[np.int64]
    """Shape (D,), the place of each label among them."""

    def names(self) -> list[str]:
        """The name of each class in a model: the label as a string."""
        return list(map(str, self.values.tolist()))


def texts_of(given: Any) -> list[str]:
    """The texts as a list; raises InputError that names the row of what is no string."""
    if isinstance(given, str):
        raise InputError("texts is a string, not several: give a list, such as ['a text']")
    column = _one_column(given, "texts")
    try:
        return list(strings(column))
    except UsageError as error:
        raise InputError(f"{error}{_index_label(column, str(error))}") from None


def column_name(given: Any) -> str | None:
    """The name of a Series or of the only column of a table, if it has one."""
    columns = getattr(given, "columns", None)
    name = next(iter(columns), None) if columns is not None else getattr(given, "name", None)
    return name if isinstance(name, str) else None


def labels_of(given: Any, *, texts: int) -> Labels:
    """The labels of so many texts as an array of strings, whole numbers or bools.

    Raises InputError that names the row of a label that is missing or of another type than the others.
    """
    if given is None:
        raise InputError("labels are missing: fit requires y to be passed, but the target y is None")
    column = _one_column(given, "labels", warns=True)
    column = column if hasattr(column, "__array__") else _as_list(column, "labels")
    labels = np.asarray(column) if hasattr(column, "__array__") else None
    if labels is None or labels.dtype == object:
        labels = _of_objects(list(column), column, as_objects=labels is not None)
    if len(labels) != texts:
        raise InputError(f"{counted(texts, 'text')} and {counted(len(labels), 'label')}: give each text one label")
    _refuse_odd(labels)
    return labels


def classes_of(labels: Labels) -> Classes:
    """The classes; raises InputError if there are fewer than two."""
    if not len(labels):
        raise InputError("there are no texts (0 samples)")
    values, of_rows = np.unique(labels, return_inverse=True)
    if len(values) < 2:
        raise InputError(f"labels have one class, {values.tolist()[0]!r}: at least two are needed")
    return Classes(values, of_rows)


def _one_column(given: Any, what: str, *, warns: bool = False) -> Any:
    """A table of one column as that column; raises InputError if there are several."""
    shape = getattr(given, "shape", None)
    if shape is None or len(shape) < 2:
        return given
    if len(shape) > 2 or shape[1] != 1:
        size = counted(shape[1], "column") if len(shape) == 2 else f"{len(shape)} dimensions"
        raise InputError(f"{what} have {size}: give one column, such as table['{what.removesuffix('s')}']")
    if warns:
        from sklearn.utils import column_or_1d

        return column_or_1d(given, warn=True)
    if hasattr(given, "iloc"):
        return given.iloc[:, 0]
    return given[:, 0]


def _as_list(given: Any, what: str) -> list[Any]:
    if isinstance(given, str) or not isinstance(given, Iterable):
        raise InputError(f"{what} is a {type(given).__name__}: give a list, such as ['a label']")
    return list(given)


def _of_objects(values: list[Any], column: Any, *, as_objects: bool) -> Labels:
    """Python objects, or scalars of numpy, as an array; strings of an array of objects stay objects."""
    first = None
    for place, value in enumerate(values):
        if is_missing(value):
            row = f"labels[{place}]"
            raise InputError(f"{row} is missing; leave its text out, too{_index_label(column, row)}")
        kind = _kind(value)
        first = first or kind
        if kind is None or kind != first:
            row = f"labels[{place}]"
            found = type(value).__name__
            others = f", and those before are {first}s" if first and kind else ""
            raise InputError(
                f"{row} is a {found}{others}: give strings, whole numbers or bools{_index_label(column, row)}"
            )
    return np.array(values, dtype=object if as_objects and first == "string" else None)


def _kind(value: object) -> str | None:
    kind = "U" if isinstance(value, str) else np.asarray(value).dtype.kind if np.isscalar(value) else ""
    return KINDS.get(kind) if kind != "O" else None


def _refuse_odd(labels: Labels) -> None:
    """Raise InputError for labels that are dates or bytes, missing numbers, measured numbers or empty strings."""
    from sklearn.utils.multiclass import check_classification_targets

    if labels.dtype.kind not in KINDS:
        raise InputError(f"labels are {labels.dtype.name}: give strings, whole numbers or bools")
    if labels.dtype.kind == "f" and not np.isfinite(labels).all():
        place = int(np.flatnonzero(~np.isfinite(labels))[0])
        raise InputError(
            f"labels[{place}] is {labels[place]}: Input y contains NaN or infinity; leave its text out, too"
        )
    if labels.dtype.kind in "UO" and (places := np.flatnonzero(labels == "")).size:
        raise InputError(f"labels[{places[0]}] is empty; leave its text out, too, or name the class")
    if len(labels):
        try:
            check_classification_targets(labels)
        except ValueError as error:
            raise InputError(f"labels: {error}") from None


def _index_label(column: Any, message: str) -> str:
    """The index label of the row that a message names, in brackets, if it is not its place."""
    index = getattr(column, "index", None)
    digits = message.partition("[")[2].partition("]")[0]
    if index is None or not digits.isdecimal() or not hasattr(index, "tolist"):
        return ""
    label = index.tolist()[int(digits)]
    return "" if label == int(digits) else f" (index {label!r})"
