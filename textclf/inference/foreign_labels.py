"""Labels of a file that the model does not have: how many rows have them, and which of its labels look like them."""

import math
from collections.abc import Collection, Iterable, Mapping
from typing import Final

from textclf.sources import LABEL
from textclf.sources.document import shortened
from textclf.system.wording import counted, form

MOST_LISTED: Final = 5
"""Labels that a sentence lists."""

_TRUTH: Final = {"true": 1.0, "false": 0.0}


def describe_foreign(counts: Mapping[str, int], labels: Collection[str]) -> str | None:
    """Say which labels of a file the model does not have; None if it has them all.

    `counts` has the rows of each label of the file, `labels` are those of the model.
    """
    foreign = {label: count for label, count in counts.items() if label not in labels}
    if not foreign:
        return None
    alike = _listed_alike(foreign, labels)
    if len(foreign) == len(counts):
        named, known = _listed(sorted(foreign)), _listed(sorted(labels))
        hint = alike or "name another --label-column, or the run that was trained on these labels with --run"
        return f"none of the file's labels ({named}) is a label of the model ({known}), so there is no accuracy; {hint}"
    frequent = sorted(foreign, key=lambda label: (-foreign[label], label))
    named = _listed(frequent, (f" ({foreign[label]:,})" for label in frequent))
    rows, every = sum(foreign.values()), sum(counts.values())
    have = form(rows, "has", "have")
    which = "a label that the model does not have, which counts as an error"
    said = f"{rows:,} of {counted(every, 'row')} {have} {which}: {named}"
    return f"{said}; {alike}" if alike else said


def alike(label: str, labels: Iterable[str]) -> str | None:
    """Return the label that is the same but for case, marks and spaces, or else the same number or truth value."""
    known = list(labels)
    for key in (_letters, _number):
        wanted = key(label)
        found = [other for other in known if wanted and key(other) == wanted]
        if found:
            return found[0]
    return None


def _letters(label: str) -> str:
    """The letters and digits of a label in lower case; empty for a number, whose sign and point count."""
    plain = label.removeprefix(LABEL).casefold()
    return "".join(filter(str.isalnum, plain)) if plain in _TRUTH or not _number(plain) else ""


def _number(label: str) -> str:
    """The number that a label spells, in one spelling; empty if it is none."""
    try:
        number = _TRUTH.get(label.strip().casefold())
        number = float(label) if number is None else number
    except ValueError:
        return ""
    return repr(number) if math.isfinite(number) else ""


def _listed_alike(foreign: Iterable[str], labels: Collection[str]) -> str:
    pairs = [(label, alike(label, labels)) for label in sorted(foreign)]
    said = [f"{shortened(label)} looks like {shortened(other)}" for label, other in pairs if other is not None]
    return ", ".join(said[:MOST_LISTED])


def _listed(labels: list[str], after: Iterable[str] | None = None) -> str:
    named = [f"{shortened(label)}{more}" for label, more in zip(labels, after or [""] * len(labels), strict=True)]
    more = f" and {len(named) - MOST_LISTED:,} more" if len(named) > MOST_LISTED else ""
    return ", ".join(named[:MOST_LISTED]) + more
