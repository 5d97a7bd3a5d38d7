"""Texts split into byte strings by the thousand: the strings in one run of bytes are pairs of offsets.

So numpy finds all of them at once, and looks them up in a `textclf.text.hash_table`, in less than half the time that
Python strings and a dictionary take. Knows nothing of vocabularies.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from textclf.text import ragged
from textclf.text.hash_table import Keys

SHORT: Final = 15  # bytes of a string that two 8-byte integers can hold together with its length: nearly all are short
_MASKS: Final = np.array([(1 << 8 * min(size, SHORT)) - 1 for size in range(SHORT + 2)], dtype=object)
_LOW: Final = (_MASKS & 0xFFFFFFFFFFFFFFFF).astype(np.uint64)  # by length in bytes: mask of the first eight bytes
_HIGH: Final = (_MASKS >> 64).astype(np.uint64)  # mask of the next seven bytes; the length goes into the eighth
_LENGTH: Final = np.arange(SHORT + 2, dtype=np.uint64) << np.uint64(56)
_TO_SPACES: Final = bytes(ord(" ") if chr(byte).isspace() and byte < 0x80 else byte for byte in range(256))
_SPACE, _WORD, _PUNCTUATION, _NOT_ASCII = range(4)
"""Classes of bytes."""
_CLASSES: Final = bytes(
    _NOT_ASCII
    if byte >= 0x80
    else _SPACE
    if chr(byte).isspace()
    else _WORD
    if re.match(r"\w", chr(byte))
    else _PUNCTUATION
    for byte in range(256)
)


class ByteStrings(NamedTuple):
    """S strings in one run of UTF-8."""

    content: bytes
    """Padded at the end, so that sixteen bytes can be read from any start."""
    starts: NDArray[np.int64]
    """Shape (S,)."""
    ends: NDArray[np.int64]

    @classmethod
    def of(cls, strings: Sequence[str]) -> "ByteStrings":
        """Encode strings end to end."""
        encoded = [string.encode("utf-8", "surrogatepass") for string in strings]
        offsets = ragged.offsets(np.fromiter(map(len, encoded), dtype=np.int64, count=len(encoded)))
        return cls(b"".join([*encoded, bytes(SHORT + 1)]), offsets[:-1], offsets[1:])

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Bytes of each string, shape (S,)."""
        return self.ends - self.starts

    def keys(self) -> Keys:
        """A key for each string, from its length and, if it is short, its bytes."""
        lengths = np.minimum(self.lengths, SHORT + 1)
        eight = np.ndarray(len(self.content) - 7, dtype="<u8", buffer=self.content, strides=(1,))  # from each byte on
        low, high = eight[self.starts] & _LOW[lengths], _LENGTH[lengths]
        longer = np.flatnonzero(lengths > 8)
        high[longer] |= eight[self.starts[longer] + 8] & _HIGH[lengths[longer]]
        return Keys(low, high)

    def strings(self, indices: NDArray[np.int64]) -> Iterator[str]:
        """Decode the strings at these indices."""
        for start, end in zip(self.starts[indices].tolist(), self.ends[indices].tolist(), strict=True):
            yield self.content[start:end].decode("utf-8", "surrogatepass")


class TextBatch(NamedTuple):
    """T texts in one run of UTF-8."""

    texts: list[bytes]
    """Each text, with all white space replaced by spaces."""
    content: bytes
    """All texts joined by spaces, padded for `ByteStrings`."""

    @classmethod
    def of(cls, texts: Sequence[str]) -> "TextBatch":
        """Encode texts."""
        plain = [text if text.isascii() else " ".join(text.split()) for text in texts]  # Unicode has other spaces
        encoded = [text.encode("utf-8", "surrogatepass").translate(_TO_SPACES) for text in plain]
        return cls(encoded, b" ".join([*encoded, b" " * (SHORT + 1)]))

    def pre_tokens(self) -> ByteStrings:
        """The pre-tokens, as `tokenizer.pre_tokens_of` gives them."""
        is_space = np.frombuffer(self.content, dtype=np.uint8) == ord(" ")
        edges = np.flatnonzero(np.diff(is_space, prepend=True))
        return ByteStrings(self.content, edges[::2], edges[1::2])

    def tokens(self) -> ByteStrings:
        """The tokens, as `tokenizer.split_pre_token` gives them; pre-tokens that are not ASCII are left whole."""
        classes = np.frombuffer(self.content.translate(_CLASSES), dtype=np.uint8)
        if not self.content.isascii():
            classes = _with_whole_pre_tokens(classes, self.pre_tokens())
        is_start, is_end = np.ones((2, len(classes)), dtype=bool)
        is_alone = classes == _PUNCTUATION  # also next to other punctuation
        np.not_equal(classes[1:], classes[:-1], out=is_start[1:])
        is_end[:-1] = is_start[1:] | is_alone[:-1]
        is_start |= is_alone
        is_there = classes != _SPACE
        return ByteStrings(self.content, np.flatnonzero(is_start & is_there), np.flatnonzero(is_end & is_there) + 1)

    def count_per_text(self, strings: ByteStrings) -> NDArray[np.int64]:
        """How many of these strings each text has, shape (T,)."""
        lengths = np.fromiter(map(len, self.texts), dtype=np.int64, count=len(self.texts))
        return np.diff(np.searchsorted(strings.starts, ragged.offsets(lengths + 1)))

    def normalized(self, pre_tokens: ByteStrings) -> Iterator[bytes]:
        """Each text as its pre-tokens, given all of them, joined by single spaces."""
        counts = self.count_per_text(pre_tokens)
        sizes = np.diff(ragged.offsets(pre_tokens.lengths)[ragged.offsets(counts)]) + counts - 1  # bytes, when joined
        for text, size in zip(self.texts, sizes.tolist(), strict=True):
            yield text if len(text) == size else b" ".join(text.split())


def _with_whole_pre_tokens(classes: NDArray[np.uint8], pre_tokens: ByteStrings) -> NDArray[np.uint8]:
    """Put all bytes of a pre-token with any byte that is not ASCII into one class."""
    is_whole = np.logical_or.reduceat(classes == _NOT_ASCII, pre_tokens.starts)
    changed = classes.copy()
    changed[ragged.places(pre_tokens.starts[is_whole], pre_tokens.lengths[is_whole])] = _NOT_ASCII
    return changed


def are_short_ascii(keys: Keys) -> NDArray[np.bool_]:
    """Whether each string is ASCII and short, so that no other string has its key."""
    is_ascii: NDArray[np.bool_] = (keys.low | keys.high) & np.uint64(0x8080808080808080) == 0
    return is_ascii & (keys.high < np.uint64(SHORT + 1 << 56))
