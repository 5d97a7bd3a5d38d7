"""The distinct chunks of a corpus as numbers: a text is read once, by any process, before the vocabulary is known.

A corpus has few distinct chunks beside its many texts, so counting words and looking up their ids are a few operations
on arrays of numbers. Equal to `textclf.text.tokenizer.Tokenizer.encode` of each text. Knows no files and no labels.
"""

import re
import struct
from array import array
from collections.abc import Iterable
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from textclf.text import ragged
from textclf.text.byte_strings import SHORT, Slices, Table, Texts
from textclf.text.tokenizer import Tokenizer, split_chunk

_INT32: Final = struct.Struct("=i")
_LONGEST: Final = 40  # characters; longer chunks are addresses and unspaced scripts, rarely seen twice
_UNSPACED: Final = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff]")
_MARK: Final = " "  # before what is a token already: no chunk has white space


class Numbers(dict[str, bytes]):
    """Chunk to its number, 4 bytes, given as chunks are met; that of one process.

    What would rarely come twice is cut at once, and its tokens are numbered instead: a chunk has one number or several.
    Thus there are not many more numbers than words, in any script.
    """

    def __init__(self) -> None:
        super().__init__()
        self._new: list[str] = []
        self._table = Table()  # of the short chunks that have one number: several times as fast as the dictionary

    def of(self, texts: Texts, chunks: Slices) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """The numbers of texts that were cut into these chunks, end to end, and how many each text has."""
        keys = chunks.keys()
        numbers = self._table.find(keys)
        rest = np.flatnonzero(numbers < 0)
        found = [self[chunk] for chunk in chunks.strings(rest)]
        sizes = np.fromiter(map(len, found), dtype=np.int64, count=len(found)) // _INT32.size
        of_rest = np.frombuffer(b"".join(found), dtype=np.int32)
        is_kept = (sizes == 1) & (chunks.lengths[rest] <= SHORT)
        new, first = np.unique(of_rest[ragged.offsets(sizes)[:-1][is_kept]], return_index=True)
        self._table = self._table.add(keys.at(rest[is_kept][first]), new)
        lengths = texts.counts(chunks)
        if (sizes != 1).any():
            text = np.searchsorted(ragged.offsets(lengths), rest, side="right") - 1
            np.add.at(lengths, text, sizes - 1)
            copies = np.ones(len(numbers), dtype=np.int64)
            copies[rest] = sizes
            numbers = np.repeat(numbers, copies)
        numbers[numbers < 0] = of_rest
        return numbers, lengths.astype(np.int32)

    def __missing__(self, chunk: str) -> bytes:
        is_token = chunk.startswith(_MARK)
        if not is_token and (len(chunk) > _LONGEST or (not chunk.isascii() and _UNSPACED.search(chunk))):
            return b"".join([self[_MARK + token] for token in split_chunk(chunk)])
        number = self[chunk] = _INT32.pack(len(self))
        self._new.append(chunk)
        return number

    def take_new(self) -> list[str]:
        """The chunks that were numbered since this was last asked, in the order of their numbers."""
        new, self._new = self._new, []
        return new


class Cut(NamedTuple):
    """Distinct chunks, cut into tokens."""

    tokens: list[str]
    """Each distinct token once."""
    token: NDArray[np.int32]
    """Places among the tokens: those of all chunks end to end."""
    lengths: NDArray[np.int64]
    """Tokens of each chunk, shape (C,)."""

    def counts(self, occurrences: NDArray[np.int64]) -> dict[str, int]:
        """How often each token occurs, if the chunks occur so often, shape (C,); without those that do not."""
        weights = np.repeat(occurrences, self.lengths)
        counts = np.bincount(self.token, weights, minlength=len(self.tokens)).astype(np.int64)
        return {token: count for token, count in zip(self.tokens, counts.tolist(), strict=True) if count}

    def encoded(self, tokenizer: Tokenizer) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        """The token ids of all chunks end to end, and where each chunk's ids start and the last one's end."""
        ids, lengths = tokenizer.ids_of_tokens(self.tokens)
        starts, sizes = ragged.offsets(lengths)[:-1][self.token], lengths[self.token]
        ends = ragged.offsets(sizes)  # of the tokens' ids, chunk by chunk
        return ids[ragged.places(starts, sizes)], ends[ragged.offsets(self.lengths)]


class Chunks:
    """All distinct chunks of a corpus, numbered as they come from the processes, each of which has its own numbers."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}
        self._ours: dict[int, array[int]] = {}  # of each process: its number to ours

    def __len__(self) -> int:
        return len(self._numbers)

    def renumber(self, numbers: NDArray[np.int32], *, process: int, new: Iterable[str]) -> NDArray[np.int32]:
        """A process's numbers in ours, given the chunks that it met for the first time; in its own order."""
        ours = self._ours.setdefault(process, array("i"))
        ours.extend([self._numbers.setdefault(chunk, len(self._numbers)) for chunk in new])
        return np.frombuffer(ours, dtype=np.int32)[numbers]

    def cut(self) -> Cut:
        """All chunks cut into tokens, each once."""
        places: dict[str, int] = {}
        token, lengths = array("i"), array("q")
        for chunk in self._numbers:
            if chunk.startswith(_MARK):
                tokens = [chunk[len(_MARK) :]]
            else:
                is_word = chunk.isascii() and chunk.isalnum()  # as most are: there is nothing to cut
                tokens = [chunk] if is_word else split_chunk(chunk)
            token.extend([places.setdefault(each, len(places)) for each in tokens])
            lengths.append(len(tokens))
        return Cut(list(places), np.frombuffer(token, dtype=np.int32), np.frombuffer(lengths, dtype=np.int64))
