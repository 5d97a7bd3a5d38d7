"""Texts cut at white space, and short chunks looked up by the thousand: as integers, in a hash table of arrays.

A batch of texts is one array of bytes and the chunks in it are pairs of integers, so that all are found at once, in
less than half the time that strings and a dictionary take. Knows nothing about what the numbers of the table mean.
"""

import os
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from textclf import ragged

SHORT: Final = 15  # bytes of a chunk that two 8-byte integers can hold, with its length: nearly all are so short
_MASKS: Final = np.array([(1 << 8 * min(size, SHORT)) - 1 for size in range(SHORT + 2)], dtype=object)
_LOW: Final = (_MASKS & 0xFFFFFFFFFFFFFFFF).astype(np.uint64)  # by the bytes of a chunk: those of its first eight
_HIGH: Final = (_MASKS >> 64).astype(np.uint64)  # and of the next seven, behind which its length stands
_LENGTH: Final = np.arange(SHORT + 2, dtype=np.uint64) << np.uint64(56)
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
        content = b" ".join([*encoded, b" " * (SHORT + 1)])
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

    def keys(self) -> "Keys":
        """Two integers for each chunk, which say its length and its bytes if it is short."""
        lengths = np.minimum(self.lengths, SHORT + 1)
        eight = np.ndarray(len(self.content) - 7, dtype="<u8", buffer=self.content, strides=(1,))  # from each byte on
        low = eight[self.starts] & _LOW[lengths]
        return Keys(low, eight[self.starts + 8] & _HIGH[lengths] | _LENGTH[lengths])

    def chunks(self, places: NDArray[np.int64]) -> Iterator[str]:
        """The chunks that are at these places."""
        for start, end in zip(self.starts[places].tolist(), self.ends[places].tolist(), strict=True):
            yield self.content[start:end].decode("utf-8", "surrogatepass")


class Keys(NamedTuple):
    """The chunks that are looked up in a table, as two integers each."""

    low: NDArray[np.uint64]
    high: NDArray[np.uint64]

    def at(self, places: NDArray[np.int64]) -> "Keys":
        """Those at these places."""
        return Keys(self.low[places], self.high[places])


class Table:
    """Keys to numbers, many at a time: a hash table in arrays, where keys that collide go to the next free places."""

    def __init__(self, *, bits: int = 12) -> None:
        self._shift, self._last = np.uint64(64 - bits), (1 << bits) - 1
        # by chance, so that nobody can write texts whose chunks all collide
        self._factors = np.frombuffer(os.urandom(24), dtype=np.uint64) | np.uint64(1)
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
            places, first = np.unique(self._places(keys.at(left)), return_index=True)  # those that want one wait
            added = left[first]
            self._keys.low[places], self._keys.high[places] = keys.at(added)
            self._numbers[places] = numbers[added]
            left = np.delete(left, first)
        return self

    def _places(self, keys: Keys) -> NDArray[np.int64]:
        """Where each key stands, or would stand."""
        first, second, third = self._factors
        places: NDArray[np.int64] = ((keys.low * first ^ keys.high * second) * third >> self._shift).astype(np.int64)
        left = np.arange(len(places))
        while len(left := left[self._is_taken(places[left], keys.at(left))]):
            places[left] = (places[left] + 1) & self._last
        return places

    def _is_taken(self, places: NDArray[np.int64], keys: Keys) -> NDArray[np.bool_]:
        """Whether another key stands there."""
        high = self._keys.high[places]  # 0 where none is: no chunk has no length
        is_taken: NDArray[np.bool_] = (high != 0) & ((high != keys.high) | (self._keys.low[places] != keys.low))
        return is_taken
