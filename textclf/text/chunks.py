"""The distinct chunks of a corpus as numbers: a text is read once, by any process, before the vocabulary is known.

A corpus has few distinct chunks beside its many texts, so counting words and looking up their ids are a few operations
on arrays of numbers. So is finding the numbers: a batch of texts is one array of bytes, the chunks in it are integers,
and all are looked up at once, in less than half the time that strings and a dictionary take.

Equal to `textclf.text.tokenizer.Tokenizer.encode` of each text. Knows no files and no labels.
"""

import os
import re
import struct
from array import array
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from textclf import ragged
from textclf.text.tokenizer import Tokenizer, split_chunk

_INT32: Final = struct.Struct("=i")
_LONGEST: Final = 40  # characters; longer chunks are addresses and unspaced scripts, rarely seen twice
_UNSPACED: Final = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff]")
_MARK: Final = " "  # before what is a token already: no chunk has white space
_SHORT: Final = 15  # bytes of a chunk that two 8-byte integers can hold, with its length: nearly all are so short
_MASKS: Final = np.array([(1 << 8 * min(size, _SHORT)) - 1 for size in range(_SHORT + 2)], dtype=object)
_LOW: Final = (_MASKS & 0xFFFFFFFFFFFFFFFF).astype(np.uint64)  # by the bytes of a chunk: those of its first eight
_HIGH: Final = (_MASKS >> 64).astype(np.uint64)  # and of the next seven, behind which its length stands
_LENGTH: Final = np.arange(_SHORT + 2, dtype=np.uint64) << np.uint64(56)
_PLAIN: Final = bytes(ord(" ") if chr(byte).isspace() and byte < 0x80 else byte for byte in range(256))


class Texts(NamedTuple):
    """Texts cut at white space, as `tokenizer.chunks_of` cuts them: where their chunks are in one run of UTF-8."""

    texts: list[bytes]
    """Each in UTF-8, with no white space but spaces."""
    content: bytes
    """All of them with a space between, and enough behind to read sixteen bytes from wherever a chunk starts."""
    starts: NDArray[np.int64]
    """Of all chunks, shape (C,)."""
    ends: NDArray[np.int64]
    counts: NDArray[np.int64]
    """Chunks of each text, shape (T,)."""

    @classmethod
    def of(cls, texts: Sequence[str]) -> "Texts":
        """Cut texts."""
        plain = [text if text.isascii() else " ".join(text.split()) for text in texts]  # there are spaces beyond ASCII
        encoded = [text.encode("utf-8", "surrogatepass").translate(_PLAIN) for text in plain]
        content = b" ".join([*encoded, b" " * (_SHORT + 1)])
        is_space = np.frombuffer(content, dtype=np.uint8) == ord(" ")
        edges = np.flatnonzero(np.diff(is_space, prepend=True))
        starts, ends = edges[::2], edges[1::2]
        lengths = np.fromiter(map(len, encoded), dtype=np.int64, count=len(encoded))
        return cls(encoded, content, starts, ends, np.diff(np.searchsorted(starts, ragged.offsets(lengths + 1))))

    def spaced(self) -> Iterator[bytes]:
        """Each text with one space between its chunks and none around them."""
        for text in self.texts:
            yield b" ".join(text.split()) if b"  " in text or len(text.strip()) < len(text) else text

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Bytes of all chunks, shape (C,)."""
        return self.ends - self.starts

    def keys(self) -> "_Keys":
        """Two integers for each chunk, which say its length and its bytes if it is short."""
        lengths = np.minimum(self.lengths, _SHORT + 1)
        eight = np.ndarray(len(self.content) - 7, dtype="<u8", buffer=self.content, strides=(1,))  # from each byte on
        low = eight[self.starts] & _LOW[lengths]
        return _Keys(low, eight[self.starts + 8] & _HIGH[lengths] | _LENGTH[lengths])

    def chunks(self, places: NDArray[np.int64]) -> Iterator[str]:
        """The chunks that are at these places."""
        for start, end in zip(self.starts[places].tolist(), self.ends[places].tolist(), strict=True):
            yield self.content[start:end].decode("utf-8", "surrogatepass")


class _Keys(NamedTuple):
    """The chunks that are looked up in a table, as two integers each."""

    low: NDArray[np.uint64]
    high: NDArray[np.uint64]

    def at(self, places: NDArray[np.int64]) -> "_Keys":
        return _Keys(self.low[places], self.high[places])


class _Table:
    """Keys to numbers, many at a time: a hash table in arrays, where keys that collide go to the next free places."""

    def __init__(self, *, bits: int = 12) -> None:
        self._shift, self._last = np.uint64(64 - bits), (1 << bits) - 1
        # by chance, so that nobody can write texts whose chunks all collide
        self._factors = np.frombuffer(os.urandom(24), dtype=np.uint64) | np.uint64(1)
        self._keys = _Keys(*np.zeros((2, 1 << bits), dtype=np.uint64))
        self._numbers = np.full(1 << bits, -1, dtype=np.int32)
        self._used = 0

    def find(self, keys: _Keys) -> NDArray[np.int32]:
        """The number of each key, -1 if it has none."""
        return self._numbers[self._places(keys)]

    def add(self, keys: _Keys, numbers: NDArray[np.int32]) -> "_Table":
        """Add keys that differ and have no number; returns the table, a larger one if need be."""
        self._used += len(numbers)
        if 2 * self._used > len(self._numbers):
            there = np.flatnonzero(self._numbers >= 0)
            larger = _Table(bits=(2 * self._used).bit_length())
            return larger.add(self._keys.at(there), self._numbers[there]).add(keys, numbers)
        left = np.arange(len(numbers))
        while len(left):
            places, first = np.unique(self._places(keys.at(left)), return_index=True)  # those that want one wait
            added = left[first]
            self._keys.low[places], self._keys.high[places] = keys.at(added)
            self._numbers[places] = numbers[added]
            left = np.delete(left, first)
        return self

    def _places(self, keys: _Keys) -> NDArray[np.int64]:
        """Where each key stands, or would stand."""
        first, second, third = self._factors
        places: NDArray[np.int64] = ((keys.low * first ^ keys.high * second) * third >> self._shift).astype(np.int64)
        left = np.arange(len(places))
        while len(left := left[self._is_taken(places[left], keys.at(left))]):
            places[left] = (places[left] + 1) & self._last
        return places

    def _is_taken(self, places: NDArray[np.int64], keys: _Keys) -> NDArray[np.bool_]:
        """Whether another key stands there."""
        high = self._keys.high[places]  # 0 where none is: no chunk has no length
        is_taken: NDArray[np.bool_] = (high != 0) & ((high != keys.high) | (self._keys.low[places] != keys.low))
        return is_taken


class Numbers(dict[str, bytes]):
    """Chunk to its number, 4 bytes, given as chunks are met; that of one process.

    What would rarely come twice is cut at once, and its tokens are numbered instead: a chunk has one number or several.
    Thus there are not many more numbers than words, in any script.
    """

    def __init__(self) -> None:
        super().__init__()
        self._new: list[str] = []
        self._table = _Table()  # of the short chunks that have one number: several times as fast as the dictionary

    def of(self, texts: Texts) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """The numbers of texts, end to end, and how many each text has."""
        keys = texts.keys()
        numbers = self._table.find(keys)
        rest = np.flatnonzero(numbers < 0)
        found = [self[chunk] for chunk in texts.chunks(rest)]
        sizes = np.ones(len(numbers), dtype=np.int64)
        sizes[rest] = np.fromiter(map(len, found), dtype=np.int64, count=len(found)) // _INT32.size
        everything = np.repeat(numbers, sizes)
        everything[everything < 0] = np.frombuffer(b"".join(found), dtype=np.int32)
        ends = ragged.offsets(sizes)
        kept = rest[(sizes[rest] == 1) & (texts.lengths[rest] <= _SHORT)]
        new, first = np.unique(everything[ends[kept]], return_index=True)
        self._table = self._table.add(keys.at(kept[first]), new)
        return everything, np.diff(ends[ragged.offsets(texts.counts)]).astype(np.int32)

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
