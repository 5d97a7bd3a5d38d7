"""The ids of many texts at once: their words, and the parts of unknown ones, are looked up as integers.

That takes a quarter of the time of `textclf.text.tokenizer.Tokenizer.encode`, whose ids these are, once there are
tables of the vocabulary; making those takes as long as some hundred texts.
"""

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from textclf.text import ragged
from textclf.text.byte_strings import SHORT, Slices, Table, Texts
from textclf.text.subwords import LENGTHS

_ELSEWHERE: Final = -2  # in place of the id of what is no short token of ASCII


class Lookup:
    """Finds the ids of texts; words have the ids from ``first`` on, and parts those that follow."""

    def __init__(
        self, words: Sequence[str], parts: Sequence[str], *, first: int, unknown: int, look_up: Callable[[str], bytes]
    ) -> None:
        self._words = _numbered(words, first)
        self._parts = _numbered(parts, first + len(words))
        self._unknown = unknown
        self._look_up = look_up
        """Gives the ids of a chunk that the tables cannot have, 4 bytes each."""

    def __call__(self, texts: Sequence[str]) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        """The ids of texts, end to end, and how many each has, shape (T,); one of ``unknown`` for an empty text."""
        together = Texts.of(texts)
        tokens = together.tokens()
        keys = tokens.keys()
        ids = self._words.find(keys)
        sizes = np.ones(len(ids), dtype=np.int64)
        missing = np.flatnonzero(ids < 0)
        is_short = keys.at(missing).are_short_ascii()
        unknown, elsewhere = missing[is_short], missing[~is_short]
        ids[elsewhere] = _ELSEWHERE
        of_unknown, sizes[unknown] = self._unknown_words(tokens, unknown)
        found = [self._look_up(chunk) for chunk in tokens.strings(elsewhere)]
        sizes[elsewhere] = np.fromiter(map(len, found), dtype=np.int64, count=len(found)) // ids.itemsize
        everything = np.repeat(ids, sizes)
        is_elsewhere = everything == _ELSEWHERE
        everything[(everything < 0) & ~is_elsewhere] = of_unknown
        everything[is_elsewhere] = np.frombuffer(b"".join(found), dtype=np.int32)
        ends = ragged.offsets(sizes)[ragged.offsets(together.counts(tokens))]
        lengths = np.diff(ends)
        is_empty = lengths == 0
        return np.insert(everything, ends[:-1][is_empty], self._unknown), lengths + is_empty

    def _unknown_words(self, tokens: Slices, places: NDArray[np.int64]) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        """The ids of unknown words and of their known parts, end to end, and how many each word has."""
        sizes = tokens.lengths[places] + 2
        marked = np.frombuffer(tokens.content, dtype=np.uint8)[ragged.places(tokens.starts[places] - 1, sizes)]
        ends = ragged.offsets(sizes)
        marked[ends[:-1]], marked[ends[1:] - 1] = b"<>"
        runs = np.maximum(sizes[:, None] + 1 - LENGTHS, 0)  # of each length in each word, shape (W, lengths)
        starts = ragged.places(np.repeat(ends[:-1], len(LENGTHS)), runs.ravel())
        length = np.repeat(np.tile(LENGTHS, len(runs)), runs.ravel())
        parts = self._parts.find(Slices(marked.tobytes() + bytes(SHORT + 1), starts, starts + length).keys())
        is_known = parts >= 0
        counts = runs.sum(axis=1)
        known = np.add.reduceat(is_known, ragged.offsets(counts)[:-1], dtype=np.int64)
        return np.insert(parts[is_known], ragged.offsets(known)[:-1], self._unknown), known + 1


def _numbered(strings: Sequence[str], first: int) -> Table:
    """A table of the short ones among strings, in whose order their numbers rise from ``first``."""
    slices = Slices.of(strings)
    lengths = slices.lengths
    kept = np.flatnonzero((lengths > 0) & (lengths <= SHORT))
    return Table().add(slices.keys().at(kept), (kept + first).astype(np.int32))
