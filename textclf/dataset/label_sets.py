"""The labels of documents as sets of labels: one each, or several or none where a document may have several.

Each distinct set has a number, so that a document is one integer whatever it has. S sets, C labels, D documents.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from textclf.dataset.documents import Label
from textclf.errors import DataError
from textclf.sources.document import Columns, shortened
from textclf.system.wording import counted

SINGLE: Final = "single"
MULTI: Final = "multi"

FASTTEXT: Final = (
    "; in fastText lines a label is a word that begins with __label__, --label-prefix names another beginning, and "
    "--label-prefix '' takes the first word of each line for its label"
)
"""How to find labels in lines that have no columns."""


class LabelSets(NamedTuple):
    """The distinct sets of labels that documents have."""

    sets: Sequence[tuple[str, ...]]
    """Each sorted, and all in alphabetical order."""
    task: str
    """SINGLE if each document has one label, MULTI if it may have several or none."""

    def names(self) -> list[str]:
        """The distinct labels, sorted."""
        return sorted({label for labels in self.sets for label in labels})

    def matrix(self, names: Sequence[str]) -> NDArray[np.bool_]:
        """Which set has which of C labels, shape (S, C)."""
        place = {name: at for at, name in enumerate(names)}
        found = np.zeros((len(self.sets), len(names)), dtype=bool)
        pairs = [(row, place[name]) for row, labels in enumerate(self.sets) for name in labels if name in place]
        found[tuple(np.array(pairs, dtype=np.int64).reshape(-1, 2).T)] = True
        return found

    def counts(self, documents: NDArray[np.integer]) -> dict[str, int]:
        """How many of the documents, shape (D,), numbers of sets, have each label; without labels that none has."""
        names, sizes = self.names(), np.bincount(documents, minlength=len(self.sets))
        per_label = sizes @ self.matrix(names)
        return {name: count for name, count in zip(names, per_label.tolist(), strict=True) if count}

    def labels(self) -> tuple[Label, ...]:
        """What documents have: a label, or the tuple of their labels."""
        return tuple(self.sets) if self.task == MULTI else tuple(labels[0] for labels in self.sets)

    def strata(self, documents: NDArray[np.int32], *, counts: dict[str, int]) -> NDArray[np.int32]:
        """What splits and tiers are drawn by, shape (D,): the label of each document, of several the rarest.

        Documents without a label are a stratum of their own. ``counts`` are documents of each label.
        """
        if self.task == SINGLE:
            return documents
        place = {name: at for at, name in enumerate(self.names())}
        rarest = [min(labels, key=lambda label: (counts.get(label, 0), label), default=None) for labels in self.sets]
        strata = np.array([len(place) if label is None else place[label] for label in rarest], dtype=np.int32)
        return strata[documents]


def find_task(
    asked: str, sets: Sequence[tuple[str, ...]], columns: Columns, *, source: str, first: Sequence[str]
) -> str:
    """SINGLE or MULTI, as asked; "auto" is MULTI if columns of 1 and 0, a separator or several labels say so.

    ``first`` has the source's id of the first document with each set. Raises DataError if a document has no label, or
    several, and must have one.
    """
    odd = [place for place, labels in enumerate(sets) if len(labels) != 1]
    has_several = any(len(labels) > 1 for labels in sets)
    if asked == MULTI or (asked == "auto" and (columns.flags or columns.separator or has_several)):
        return MULTI
    for place in odd:
        labels = sets[place]
        found = f"{counted(len(labels), 'label')}: {', '.join(map(shortened, labels[:3]))}" if labels else "no label"
        hint = "" if labels or columns.text else FASTTEXT
        raise DataError(f"{source}: document {first[place]} has {found}; each must have one, or add --task multi{hint}")
    return SINGLE
