"""Vectors as word2vec writes them with ``-binary 1``: a header line, then a word, a space, and its numbers in float32.

https://code.google.com/archive/p/word2vec/. Some writers end a record with a line break, and some do not.
"""

from collections.abc import Iterator
from typing import Final, NamedTuple

import numpy as np

from textclf.system.wording import counted
from textclf.word_vectors.found import Found, Wanted
from textclf.word_vectors.text_file import parse_header

LONGEST_WORD: Final = 10_000
"""Bytes."""


class _Record(NamedTuple):
    word: bytes
    buffer: bytes
    start: int
    """Where its numbers begin in the buffer."""


def read(blocks: Iterator[bytes], wanted: Wanted) -> Found:
    """Read a whole file; raises ValueError if it is damaged."""
    first = next(blocks, b"")
    line, _, rest = first.partition(b"\n")
    header = parse_header(line)
    if header is None or not header.dimension:
        raise ValueError("it has no header line with the numbers of words and dimensions")
    for number, record in enumerate(_records(blocks, rest, header.words, header.dimension), start=1):
        if places := wanted.places(record.word):
            vector = np.frombuffer(record.buffer, "<f4", header.dimension, record.start)
            if not np.isfinite(vector).all():
                raise ValueError(f"word {number:,} has a number that is not finite")
            wanted.give(record.word, places, vector)
    return wanted.found(dimension=header.dimension, words=header.words, kind="word2vec binary")


def _records(blocks: Iterator[bytes], buffer: bytes, words: int, dimension: int) -> Iterator[_Record]:
    at, size = 0, 4 * dimension
    for number in range(words):
        end = buffer.find(b" ", at)
        while end < 0 or len(buffer) < end + 1 + size:
            if end < 0 and len(buffer) - at > LONGEST_WORD:
                raise ValueError(f"word {number + 1:,} has no end; it is no file of word2vec, or damaged")
            block = next(blocks, b"")
            if not block:
                raise ValueError(
                    f"it has {counted(number, 'vector')} in place of {words:,}; is it cut off? Download it again"
                )
            buffer, at = buffer[at:] + block, 0
            end = buffer.find(b" ")
        yield _Record(buffer[at:end].lstrip(b"\n"), buffer, end + 1)
        at = end + 1 + size
