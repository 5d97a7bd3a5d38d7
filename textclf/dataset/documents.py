"""What is known of each document but its text and tokens: its split, tier, label, length. Knows no files.

Millions of documents are 13 bytes each: what follows from the row, or is rarely asked for, is not in memory.
"""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from textclf.config import TIERS
from textclf.sources.document import SPLITS

Label = str | tuple[str, ...]
"""A label, or the sorted labels of a document that may have several."""

NO_TIER: Final = -1
"""Tier of a document outside of train."""


class DocumentNames(NamedTuple):
    """The ids of documents, such as ``train-0000017``, which follow from the row. They name the tensor files."""

    counts: tuple[int, ...]
    """Documents of each of SPLITS."""

    def of(self, rows: Iterable[int]) -> list[str]:
        """The ids of the documents of these rows."""
        firsts = list(accumulate(self.counts, initial=0))[:-1]
        at = [(bisect_right(firsts, row) - 1, row) for row in rows]
        return [f"{SPLITS[split]}-{row - firsts[split]:07}" for split, row in at]

    def slices(self) -> dict[str, slice]:
        """The rows of each split."""
        ends = list(accumulate(self.counts, initial=0))
        return {split: slice(*bounds) for split, bounds in zip(SPLITS, pairwise(ends), strict=True)}


@dataclass(frozen=True, slots=True)
class Documents:
    """D documents: all of train, then validation, then test. A document is its row."""

    names: DocumentNames
    source: Sequence[str]
    """The source's id of each: from an id column, a file name, a row number."""
    label: NDArray[np.int32]
    """Shape (D,), like the rest: index in ``labels``."""
    labels: tuple[Label, ...]
    """The distinct labels, in alphabetical order."""
    tier: NDArray[np.int8]
    """Index in TIERS of the smallest tier that the document is in; NO_TIER outside of train."""
    tokens: NDArray[np.int32]
    """Length in tokens."""
    crc32: NDArray[np.uint32]
    """Of the token ids: see `tensors.checksum`."""

    def __len__(self) -> int:
        return len(self.label)

    @property
    def is_multi(self) -> bool:
        """Whether documents may have several labels: these are tuples then."""
        return bool(self.labels) and not isinstance(self.labels[0], str)

    def rows(self, part: str) -> NDArray[np.int32]:
        """The rows of a split (train, validation, test) or tier (tiny, small, mid, full), rising; else none."""
        if part in TIERS:
            tier = self.tier[: self.names.counts[0]]
            return np.flatnonzero((tier > NO_TIER) & (tier <= list(TIERS).index(part))).astype(np.int32)
        rows = self.names.slices().get(part, slice(0, 0))
        return np.arange(rows.start, rows.stop, dtype=np.int32)

    def counts(self, rows: slice) -> dict[Label, int]:
        """How many of the documents of these rows have each label, or all labels of a tuple and no other."""
        found = np.bincount(self.label[rows], minlength=len(self.labels)).tolist()
        return {label: count for label, count in zip(self.labels, found, strict=True) if count}

    def id_of(self, row: int) -> str:
        """Our id of a document."""
        return self.names.of([row])[0]

    def split_of(self, row: int) -> str:
        """The split of a document."""
        return SPLITS[bisect_right(list(accumulate(self.names.counts)), row)]

    def label_of(self, row: int) -> Label:
        """The label of a document, or the tuple of its labels."""
        return self.labels[int(self.label[row])]


def labels_of(label: Label) -> tuple[str, ...]:
    """The labels of a document as a tuple, whether or not it may have several."""
    return (label,) if isinstance(label, str) else label
