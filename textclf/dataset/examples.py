"""Documents that show a problem of the data, by name: copies in two splits, texts with two labels, empty texts."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from textclf.dataset.documents import Documents, labels_of
from textclf.dataset.near_copies import NearCopies
from textclf.dataset.splits import DocumentCodes, first_copies

MOST_KEPT: Final = 1_000
"""Groups of documents per problem that the report keeps."""

MOST_LABELS: Final = 10
"""Documents of one text with several labels, one for each label."""

Rows = list[list[int]]
"""Groups of row numbers."""


@dataclass(frozen=True, slots=True)
class Example:
    """A document of a group."""

    id: str
    """The source's: from the id column, a file name or a row number."""
    split: str
    label: str
    document: str
    """The id in the data directory."""


Examples = Mapping[str, Sequence[Sequence[Example]]]
"""Groups of documents by problem: "crossing", "near_crossing", "conflicting" and "empty"."""


def rows(
    codes: DocumentCodes, near: NearCopies, is_empty: NDArray[np.bool_], *, most: int = MOST_KEPT
) -> Mapping[str, Rows]:
    """Groups of rows of the table by problem."""
    return {
        "crossing": crossing(codes, most=most),
        "near_crossing": near.crossing[:most].tolist(),
        "conflicting": conflicting(codes, most=most),
        "empty": [[row] for row in np.flatnonzero(is_empty)[:most].tolist()],
    }


def crossing(documents: DocumentCodes, *, most: int = MOST_KEPT) -> Rows:
    """Pairs of a text's first document and a copy in a later split; documents are in the order of splits."""
    first = first_copies(documents.text)
    copies = np.flatnonzero(documents.split != documents.split[first])[:most]
    return [list(pair) for pair in zip(first[copies].tolist(), copies.tolist(), strict=True)]


def conflicting(documents: DocumentCodes, *, most: int = MOST_KEPT) -> Rows:
    """For each text with several labels, the first document with each label."""
    several = np.flatnonzero(np.bincount(documents.text)[documents.text] > 1)  # whose text another document has
    labels, texts = documents.label[several], documents.text[several].astype(np.int64)
    pairs = texts * (int(labels.max(initial=0)) + 1) + labels
    rows = several[np.sort(np.unique(pairs, return_index=True)[1])]  # one for each text and label
    text, counts = np.unique(documents.text[rows], return_counts=True)
    groups: dict[int, list[int]] = {each: [] for each in text[counts > 1][:most].tolist()}
    for row in rows[np.isin(documents.text[rows], list(groups))].tolist():
        groups[int(documents.text[row])].append(row)
    return [group[:MOST_LABELS] for group in groups.values()]


def named(table: Documents, rows: Mapping[str, Iterable[Sequence[int]]]) -> Examples:
    """The documents at these rows of the table."""
    return {problem: [[_example(table, row) for row in group] for group in groups] for problem, groups in rows.items()}


def _example(table: Documents, row: int) -> Example:
    labels = ", ".join(labels_of(table.label_of(row)))
    return Example(table.source[row], table.split_of(row), labels, table.id_of(row))
