"""Finds labels that look like lists of labels, such as ``billing;cancel``, by the parts that they share.

A name may well contain a separator ("R&D; sales"); what gives lists away is that their parts are labels themselves, or
occur in several lists, at different places.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Final, NamedTuple

from textclf.sources.columns import BRACKETS, QUOTES

SEPARATORS: Final = (";", "|", "\n", "\t", ",")
"""Parts that recur are enough to tell a list."""

USUAL_IN_NAMES: Final = ("/", "+", ":", " ")
"""Separators that names of classes often have: all parts must be labels themselves, and words, not letters."""


class LabelLists(NamedTuple):
    """The labels that look like lists, and what separates their parts."""

    labels: list[str]
    separator: str


def find_label_lists(labels: Sequence[str]) -> LabelLists | None:
    """Return the labels, all of them distinct, that look like lists; None if there are none."""
    for separator in (*SEPARATORS, *USUAL_IN_NAMES):
        parts = {label: _parts(label, separator) for label in labels if separator in label.strip()}
        lists = {label: found for label, found in parts.items() if len(found) > 1}
        names = {_bare(label) for label in labels if label not in lists}
        if found := _lists(lists, names, may_recur=separator in SEPARATORS):
            return LabelLists(found, separator)
    return None


def _lists(lists: Mapping[str, list[str]], names: set[str], *, may_recur: bool) -> list[str]:
    """Return the labels that look like lists, given the parts of each and the names of the other labels."""
    if may_recur and _recur(lists.values()):
        return list(lists)
    if may_recur:
        return [label for label, parts in lists.items() if names.issuperset(parts) or _is_bracketed(label)]
    return [label for label, parts in lists.items() if names.issuperset(parts) and _are_words(label, parts)]


def _are_words(label: str, parts: Sequence[str]) -> bool:
    """Whether parts differ and have more than one letter, unless brackets show that they are a list."""
    return len({*parts}) == len(parts) and (_is_bracketed(label) or min(map(len, parts)) > 1)


def _recur(lists: Collection[Sequence[str]]) -> bool:
    """Whether a third of the parts recur, some at several places, or, in three lists or more, over half of them.

    Names with a path in them, such as ``rec/autos`` and ``rec/hockey``, have a part at one place only.
    """
    distinct = [{*parts} for parts in lists]
    times = Counter(part for parts in distinct for part in parts)
    first, later = ({part for parts in lists for part in parts[some]} for some in (slice(1), slice(1, None)))
    recurring = sum(count > 1 for count in times.values())
    moves = any(times[part] > 1 for part in first & later)
    return (moves and 3 * recurring >= len(times)) or (len(lists) > 2 and 2 * recurring > len(times))


def _parts(label: str, separator: str) -> list[str]:
    """The parts of a label, without the brackets and quotes that a program writes."""
    inner = label.strip()[1:-1] if _is_bracketed(label) else label
    return [part for part in (_bare(each) for each in inner.split(separator)) if part]


def _bare(label: str) -> str:
    inner = label.strip()
    return (inner[1:-1] if _is_bracketed(inner) else inner).strip().strip(QUOTES)


def _is_bracketed(label: str) -> bool:
    plain = label.strip()
    return len(plain) > 1 and BRACKETS.get(plain[0]) == plain[-1]
