"""Texts cut at white space or into tokens, and short ones of these looked up by the thousand: as integers, in arrays.

A batch of texts is one array of bytes and the strings in it are pairs of integers, so that all are found at once, in
less than half the time that strings and a dictionary take. Knows nothing about what the numbers of the table mean.
"""

import os
import re
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from textclf.text import ragged

SHORT: Final = 15  # bytes of a chunk that two 8-byte integers can hold, with its length: nearly all are so short
_MASKS: Final = np.array([(1 << 8 * min(size, SHORT)) - 1 for size in range(SHORT + 2)], dtype=object)
_LOW: Final = (_MASKS & 0xFFFFFFFFFFFFFFFF).astype(np.uint64)  # by the bytes of a chunk: those of its first eight
_HIGH: Final = (_MASKS >> 64).astype(np.uint64)  # and of the next seven, behind which its length stands
_LENGTH: Final = np.arange(SHORT + 2, dtype=np.uint64) << np.uint64(56)
_PLAIN: Final = bytes(ord(" ") if chr(byte).isspace() and byte < 0x80 else byte for byte in range(256))
_SPACE, _LETTER, _MARK, _BEYOND = range(4)
"""Kinds of bytes: of white space, of words, of punctuation, and all beyond ASCII."""
_KINDS: Final = bytes(
    _BEYOND if byte >= 0x80 else _SPACE if chr(byte).isspace() else _LETTER if re.match(r"\w", chr(byte)) else _MARK
    for byte in range(256)
)


class Slices(NamedTuple):
    """Strings that stand in one run of UTF-8, C of them."""

    content: bytes
    """With enough behind to read sixteen bytes from wherever one starts."""
    starts: NDArray[np.int64]
    """Shape (C,)."""
    ends: NDArray[np.int64]

    @classmethod
    def of(cls, strings: Sequence[str]) -> "Slices":
        """Put strings together."""
        encoded = [string.encode("utf-8", "surrogatepass") for string in strings]
        ends = ragged.offsets(np.fromiter(map(len, encoded), dtype=np.int64, count=len(encoded)))
        return cls(b"".join([*encoded, bytes(SHORT + 1)]), ends[:-1], ends[1:])

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Bytes of each, shape (C,)."""
        return self.ends - self.starts

    def keys(self) -> "Keys":
        """Two integers for each, which say its length and its bytes if it is short."""
        lengths = np.minimum(self.lengths, SHORT + 1)
        eight = np.ndarray(len(self.content) - 7, dtype="<u8", buffer=self.content, strides=(1,))  # from each byte on
        low, high = eight[self.starts] & _LOW[lengths], _LENGTH[lengths]
        longer = np.flatnonzero(lengths > 8)
        high[longer] |= eight[self.starts[longer] + 8] & _HIGH[lengths[longer]]
        return Keys(low, high)

    def strings(self, places: NDArray[np.int64]) -> Iterator[str]:
        """Those at these places."""
        for start, end in zip(self.starts[places].tolist(), self.ends[places].tolist(), strict=True):
            yield self.content[start:end].decode("utf-8", "surrogatepass")


class Texts(NamedTuple):
    """Texts in one run of UTF-8."""

    texts: list[bytes]
    """Each, with no white space but spaces."""
    content: bytes
    """All of them with a space between, and enough behind for `Slices`."""

    @classmethod
    def of(cls, texts: Sequence[str]) -> "Texts":
        """Put texts together."""
        plain = [text if text.isascii() else " ".join(text.split()) for text in texts]  # there are spaces beyond ASCII
        encoded = [text.encode("utf-8", "surrogatepass").translate(_PLAIN) for text in plain]
        return cls(encoded, b" ".join([*encoded, b" " * (SHORT + 1)]))

    def chunks(self) -> Slices:
        """The texts cut at white space, as `tokenizer.chunks_of` cuts them."""
        is_space = np.frombuffer(self.content, dtype=np.uint8) == ord(" ")
        edges = np.flatnonzero(np.diff(is_space, prepend=True))
        return Slices(self.content, edges[::2], edges[1::2])

    def tokens(self) -> Slices:
        """The chunks cut into tokens, as `tokenizer.split_chunk` cuts them; those beyond ASCII are left whole."""
        kinds = np.frombuffer(self.content.translate(_KINDS), dtype=np.uint8)
        if not self.content.isascii():
            kinds = _with_whole_chunks(kinds, self.chunks())
        is_start, is_end = np.ones((2, len(kinds)), dtype=bool)
        is_alone = kinds == _MARK  # also where another mark is beside it
        np.not_equal(kinds[1:], kinds[:-1], out=is_start[1:])
        is_end[:-1] = is_start[1:] | is_alone[:-1]
        is_start |= is_alone
        is_there = kinds != _SPACE
        return Slices(self.content, np.flatnonzero(is_start & is_there), np.flatnonzero(is_end & is_there) + 1)

    def counts(self, slices: Slices) -> NDArray[np.int64]:
        """How many slices of the content are in each text, shape (T,)."""
        lengths = np.fromiter(map(len, self.texts), dtype=np.int64, count=len(self.texts))
        return np.diff(np.searchsorted(slices.starts, ragged.offsets(lengths + 1)))

    def spaced(self, chunks: Slices) -> Iterator[bytes]:
        """Each text with one space between its chunks, which these are, and none around them."""
        counts = self.counts(chunks)
        sizes = np.diff(ragged.offsets(chunks.lengths)[ragged.offsets(counts)]) + counts - 1  # bytes, if it is so
        for text, size in zip(self.texts, sizes.tolist(), strict=True):
            yield text if len(text) == size else b" ".join(text.split())


def _with_whole_chunks(kinds: NDArray[np.uint8], chunks: Slices) -> NDArray[np.uint8]:
    """The kinds of bytes, where those of a chunk with one beyond ASCII are all such."""
    is_beyond = np.logical_or.reduceat(kinds == _BEYOND, chunks.starts)
    changed = kinds.copy()
    changed[ragged.places(chunks.starts[is_beyond], chunks.lengths[is_beyond])] = _BEYOND
    return changed


class Keys(NamedTuple):
    """The strings that are looked up in a table, as two integers each."""

    low: NDArray[np.uint64]
    high: NDArray[np.uint64]

    def at(self, places: NDArray[np.int64]) -> "Keys":
        """Those at these places."""
        return Keys(self.low[places], self.high[places])

    def are_short_ascii(self) -> NDArray[np.bool_]:
        """Whether the strings are short, so that no others have these keys, and without characters beyond ASCII."""
        is_ascii: NDArray[np.bool_] = (self.low | self.high) & np.uint64(0x8080808080808080) == 0
        return is_ascii & (self.high < np.uint64(SHORT + 1 << 56))


class Table:
    """Keys to numbers, many at a time: a hash table in arrays, where keys that collide go to the next free places.

    The hash is the high bits of a sum of products (https://doi.org/10.1006/jagm.1997.0873).
    """

    def __init__(self, *, bits: int = 12) -> None:
        self._shift, self._last = np.uint64(64 - bits), (1 << bits) - 1
        # by chance, so that nobody can write texts whose chunks all collide
        self._factors = np.frombuffer(os.urandom(16), dtype=np.uint64) | np.uint64(1)
        self._keys = Keys(*np.zeros((2, 1 << bits), dtype=np.uint64))
        self._numbers = np.full(1 << bits, -1, dtype=np.int32)
        self._used = 0

    def find(self, keys: Keys) -> NDArray[np.int32]:
        """The number of each key, -1 if it has none."""
        return self._numbers[self._places(keys)]

    def add(self, keys: Keys, numbers: NDArray[np.int32]) -> "Table":
        """Add keys that differ and have no number; returns the table, a larger one if need be."""
        self._used += len(numbers)
        if 2 * self._used > len(self._numbers):
            there = np.flatnonzero(self._numbers >= 0)
            larger = Table(bits=(2 * self._used).bit_length())
            return larger.add(self._keys.at(there), self._numbers[there]).add(keys, numbers)
        left = np.arange(len(numbers))
        while len(left):
            places = self._places(keys.at(left))
            self._numbers[places] = left  # of those that want one place the last has it, and the others go on
            has_place = self._numbers[places] == left
            places, added = places[has_place], left[has_place]
            self._keys.low[places], self._keys.high[places] = keys.at(added)
            self._numbers[places] = numbers[added]
            left = left[~has_place]
        return self

    def _places(self, keys: Keys) -> NDArray[np.int64]:
        """Where each key stands, or would stand."""
        first, second = self._factors
        places: NDArray[np.int64] = (keys.low * first + keys.high * second >> self._shift).view(np.int64)
        left = np.flatnonzero(self._is_taken(places, keys))
        while len(left):
            places[left] = (places[left] + 1) & self._last
            left = left[self._is_taken(places[left], keys.at(left))]
        return places

    def _is_taken(self, places: NDArray[np.int64], keys: Keys) -> NDArray[np.bool_]:
        """Whether another key stands there."""
        high = self._keys.high[places]  # 0 where none is: no chunk has no length
        is_taken: NDArray[np.bool_] = (high != 0) & ((high != keys.high) | (self._keys.low[places] != keys.low))
        return is_taken
