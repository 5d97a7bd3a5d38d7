"""Distinct strings, each numbered when it first comes: 60 bytes for a word, where a dictionary takes 200."""

from array import array
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from textclf.text import arrays
from textclf.text.batch_encoder import SHORT, ByteStrings, HashTable, Keys

END: Final = b"\n"
"""Stands after each string; no token contains white space."""

_DIGEST: Final = 15  # bytes; no two long strings of a corpus have the same digest


class Strings(Protocol):
    """Strings by their number: a list, or `DistinctStrings`."""

    def __len__(self) -> int: ...
    def __getitem__(self, number: int, /) -> str: ...


class DistinctStrings:
    """Strings without white space inside, none of them empty, each once, in the order in which they first came."""

    def __init__(self) -> None:
        self._table = HashTable()
        self._content = bytearray()
        self._ends = array("q", [0])

    def __len__(self) -> int:
        return len(self._ends) - 1

    def __getitem__(self, number: int) -> str:
        start, end = self._ends[number : number + 2]
        return self._content[start : end - len(END)].decode("utf-8", "surrogatepass")

    @property
    def ends(self) -> NDArray[np.int64]:
        """Where each string starts in its bytes, and where the last one ends: shape (len + 1,)."""
        return np.array(self._ends)

    def content(self, start: int, end: int) -> bytes:
        """The bytes from ``start`` to ``end``, with END after each string, padded as `ByteStrings` must be."""
        return bytes(self._content[start:end]) + END * (SHORT + 1)

    def add(self, strings: ByteStrings) -> NDArray[np.int32]:
        """The number of each of these strings, which may come several times."""
        known = len(self._table)
        numbers = self._table.number(keys_of(strings))
        new = np.flatnonzero(numbers >= known)
        _, first = np.unique(numbers[new], return_index=True)
        self._append(strings, new[first])
        return numbers

    def forget_numbers(self) -> None:
        """Free what finds the number of a string, when no more will be added."""
        self._table = HashTable()

    def _append(self, strings: ByteStrings, chosen: NDArray[np.int64]) -> None:
        lengths = strings.lengths[chosen]
        sizes = lengths + len(END)
        ends = np.cumsum(sizes)
        content = np.full(int(ends[-1]) if len(ends) else 0, END[0], dtype=np.uint8)
        bytes_of = np.frombuffer(strings.content, dtype=np.uint8)
        content[arrays.places(ends - sizes, lengths)] = bytes_of[arrays.places(strings.starts[chosen], lengths)]
        self._ends.frombytes((ends + len(self._content)).tobytes())
        self._content += content.data


def joined(strings: list[str]) -> bytes:
    """Strings without white space at their end in one run of bytes, with END after each: see `split`."""
    return "".join([f"{string}\n" for string in strings]).encode("utf-8", "surrogatepass")


def split(content: bytes) -> ByteStrings:
    """The strings that were joined."""
    ends = np.flatnonzero(np.frombuffer(content, dtype=np.uint8) == END[0])
    return ByteStrings(content + END * (SHORT + 1), np.append(0, ends + len(END))[:-1], ends)


def keys_of(strings: ByteStrings) -> Keys:
    """A key for each string that no other one has: its bytes, or a digest of them if it is long."""
    from hashlib import blake2b  # takes 5 ms to import, which predicting need not wait for

    keys = strings.keys()
    longer = np.flatnonzero(strings.lengths > SHORT)
    bounds = zip(strings.starts[longer].tolist(), strings.ends[longer].tolist(), strict=True)
    digests = b"".join(
        [blake2b(strings.content[start:end], digest_size=_DIGEST).digest() + b"\0" for start, end in bounds]
    )
    halves = np.frombuffer(digests, dtype="<u8").reshape(-1, 2)
    keys.low[longer], keys.high[longer] = halves[:, 0], keys.high[longer] | halves[:, 1]
    return keys
