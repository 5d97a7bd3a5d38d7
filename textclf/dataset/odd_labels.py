"""Refuses labels that are none: texts, numbers to predict, ids. Knows how often each occurs, and no texts."""

from collections.abc import Collection, Mapping
from math import isfinite
from statistics import fmean
from typing import Final

from textclf.errors import DataError
from textclf.sources.document import Columns, shortened
from textclf.system.wording import counted

MOSTLY: Final = 0.5
"""Share of documents with a label of their own from which texts and numbers are no labels."""

NEARLY_ALL: Final = 0.9
"""The same for names, which may be of rare classes."""

FEW: Final = 5
"""Documents below which there may be no second one of any class."""

LONG: Final = 40
"""Characters of labels, on average, from which they are texts."""


def refuse_odd_labels(source: str, columns: Columns, labels: Mapping[str, int], *, texts: int) -> None:
    """Raise DataError that says what the labels look like, and which option takes others.

    labels: training documents of each label. texts: different texts of all documents.
    """
    documents, single = sum(labels.values()), sum(count == 1 for count in labels.values())
    is_name = not (_are_texts(labels) or _are_numbers(labels))
    if documents < FEW or single < (NEARLY_ALL if is_name else MOSTLY) * documents:
        return
    column = f"the column {columns.label!r}" if columns.label is not None else "the label"
    found = f"{counted(documents, 'training document has', 'training documents have')} {counted(len(labels), 'label')}"
    raise DataError(
        f"{source}: {column} looks like {_kind(labels)}, not like classes: {found}, such as "
        f"{shortened(next(iter(labels)))}; {_advice(columns, labels, texts)}"
    )


def are_measured(labels: Collection[str], *, at_most: int = 20) -> bool:
    """Whether many labels are numbers with fractions, as of something that was measured."""
    return len(labels) > at_most and _are_numbers(labels) and any(not label.strip().isdecimal() for label in labels)


def _kind(labels: Collection[str]) -> str:
    if _are_texts(labels):
        return "texts"
    if _are_numbers(labels):
        return "ids" if all(label.strip().isdecimal() for label in labels) else "numbers that are measured"
    return "ids or names of single documents"


def _advice(columns: Columns, labels: Mapping[str, int], texts: int) -> str:
    """The option that takes another column; where few texts repeat, the two columns have changed places."""
    if columns.label is None:
        return "a class needs several documents"
    if _are_texts(labels) and 2 * texts < len(labels) and len(columns.text) == 1:
        (text,) = columns.text
        return (
            f"the column {text!r} has {counted(texts, 'different text')}, so the two seem to be swapped: add "
            f"--text-column {_in_shell(columns.label)} --label-column {_in_shell(text)}"
        )
    if are_measured(labels, at_most=0):
        return "put the numbers into a few classes, or name another column: --label-column NAME"
    return "name the column of the classes: --label-column NAME"


def _in_shell(name: str) -> str:
    return name if name.isalnum() else f"'{name}'"


def _are_texts(labels: Collection[str]) -> bool:
    return fmean(map(len, labels)) >= LONG or fmean(label.count(" ") for label in labels) >= 3


def _are_numbers(labels: Collection[str]) -> bool:
    return all(map(_is_number, labels))


def _is_number(label: str) -> bool:
    try:
        return isfinite(float(label.replace(",", ".")))
    except ValueError:
        return False
