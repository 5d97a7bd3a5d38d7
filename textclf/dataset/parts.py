"""The parts of a data directory: runs of documents, each with one file of the table and one of tokens.

Which documents a part has depends on their number alone, so that one process and a cluster write the same bytes.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

PART: Final = 1 << 18
"""Least documents of a part: above the number up to which each has a tensor file, so that most corpora are one part."""

MOST: Final = 512
"""Most parts: a process has all of them open, and most systems allow it 1,024 files."""


@dataclass(frozen=True, slots=True)
class Parts:
    """D documents, divided into runs of ``size``; the last may be shorter."""

    documents: int
    size: int

    @classmethod
    def of(cls, documents: int) -> "Parts":
        """As documents are divided: parts of PART documents, of twice as many while there would be more than MOST."""
        size = PART
        while documents > MOST * size:
            size *= 2
        return cls(documents, size)

    @property
    def count(self) -> int:
        """Number of parts."""
        return -(-self.documents // self.size)

    def __iter__(self) -> Iterator[slice]:
        """The rows of each part."""
        return map(self.rows, range(self.count))

    def rows(self, number: int) -> slice:
        """The rows of one part."""
        return slice(number * self.size, min((number + 1) * self.size, self.documents))


def name_of(number: int) -> str:
    """The name of a part's files, without their ending."""
    return f"part-{number:05}"
