"""The words that are looked for in a file of vectors, and what has been found of them. Knows no file.

V words that are looked for, D numbers of a vector.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """The vectors of V words."""

    values: Floats
    """Shape (V, D); 0 for a word that was not found."""
    is_found: NDArray[np.bool_]
    """Shape (V,)."""
    words: int
    """Number of words of the file."""
    kind: str
    """What the file is, for people."""

    @property
    def dimension(self) -> int:
        """Length of a vector."""
        return int(self.values.shape[1])


class Wanted:
    """The words that are looked for, and the vectors that they get.

    A word gets the vector of its own spelling or, if the file has not that, of the first that differs in case alone:
    files are sorted by falling count.
    """

    def __init__(self, words: Sequence[str]) -> None:
        """Distinct words."""
        self.size = len(words)
        self._exact = {word.encode("utf-8", "surrogatepass"): place for place, word in enumerate(words)}
        self._folded: dict[bytes, list[int]] = {}
        for word, place in self._exact.items():
            self._folded.setdefault(folded(word), []).append(place)
        self._is_exact = np.zeros(self.size, dtype=np.bool_)
        self._is_found = np.zeros(self.size, dtype=np.bool_)
        self._values: Floats | None = None

    def may_want(self, word: bytes) -> bool:
        """Whether a word of the file is one that is looked for, but for its case."""
        return folded(word) in self._folded

    def places(self, word: bytes) -> list[int]:
        """The words that want the vector of this word of the file, by their places; mostly none."""
        place = self._exact.get(word)
        if place is not None and not self._is_exact[place]:
            return [place, *self._others(word, place)]
        return self._others(word, place)

    def _others(self, word: bytes, own: int | None) -> list[int]:
        alike = self._folded.get(folded(word), ())
        return [place for place in alike if place != own and not self._is_found[place]]

    def give(self, word: bytes, places: Sequence[int], vector: Floats) -> None:
        """Give some words the vector of a word of the file."""
        if self._values is None:
            self._values = np.zeros((self.size, len(vector)), dtype=np.float32)
        self._values[places] = vector
        self._is_found[places] = True
        if (own := self._exact.get(word)) is not None:
            self._is_exact[own] = True

    def missing(self) -> list[tuple[int, bytes]]:
        """The words that have none yet, with their places."""
        return [(place, word) for word, place in self._exact.items() if not self._is_found[place]]

    def found(self, *, dimension: int, words: int, kind: str) -> Found:
        """What all have got from a file with so many words."""
        values = np.zeros((self.size, dimension), dtype=np.float32) if self._values is None else self._values
        return Found(values, self._is_found, words, kind)


def folded(word: bytes) -> bytes:
    """A word in lower case; bytes that are no UTF-8 stay as they are."""
    if word.isascii():
        return word.lower()
    try:
        return word.decode().lower().encode()
    except UnicodeDecodeError:
        return word
