"""Vectors as text: a word and its numbers on each line, as GloVe and fastText (.vec) write them.

GloVe: https://nlp.stanford.edu/projects/glove/. fastText's and word2vec's text files begin with a line that has the
number of words and of dimensions. Some words of GloVe 840B contain spaces.
"""

from collections.abc import Iterable, Iterator
from math import isfinite
from typing import Final, NamedTuple

import numpy as np

from textclf.system.wording import counted
from textclf.word_vectors.found import Found, Wanted

LONGEST_LINE: Final = 1 << 20
"""Bytes; a line of 1,000 dimensions has about 10,000."""


class Header(NamedTuple):
    """The first line, if it has no vector."""

    words: int
    dimension: int


def parse_header(line: bytes) -> Header | None:
    """The numbers of a first line that has nothing else."""
    fields = line.split()
    if len(fields) != 2 or not all(field.isdigit() for field in fields):
        return None
    return Header(int(fields[0]), int(fields[1]))


def read(blocks: Iterable[bytes], wanted: Wanted) -> Found:
    """Read a whole file; raises ValueError, with the number of the line, if one is wrong."""
    numbered = enumerate(_lines(blocks), start=1)
    header, dimension, words = None, 0, 0
    for number, raw in numbered:
        line = raw.strip(b" \t\r")
        if number == 1 and (header := parse_header(line)):
            dimension = header.dimension
            continue
        if not line:
            continue
        if b"\t" in line:
            line = line.replace(b"\t", b" ")
        dimension = dimension or line.count(b" ")
        word, fields = _divided(line, number, dimension)
        words += 1
        if places := wanted.places(word):
            wanted.give(word, places, _vector(fields, number))
    if not words:
        raise ValueError("it has no vectors")
    if header and words < header.words:
        raise ValueError(
            f"it has {counted(words, 'vector')} in place of {header.words:,}; is it cut off? Download it again"
        )
    return wanted.found(dimension=dimension, words=words, kind="text with a header" if header else "text")


def _lines(blocks: Iterable[bytes]) -> Iterator[bytes]:
    rest = b""
    for block in blocks:
        *lines, rest = (rest + block).split(b"\n")
        if len(rest) > LONGEST_LINE:
            raise ValueError("it has a line of more than a million bytes, so that it is no text file of vectors")
        yield from lines
    if rest:
        yield rest


def _divided(line: bytes, number: int, dimension: int) -> tuple[bytes, bytes]:
    """The word of a line, and its numbers."""
    count = line.count(b" ")
    if not dimension:
        raise ValueError(f"line {number:,} is no word with numbers after it")
    if count == dimension:
        word, _, fields = line.partition(b" ")
        return word, fields
    word, *rest = line.rsplit(b" ", dimension)
    if count < dimension or _is_number(word.rpartition(b" ")[2]):
        raise ValueError(f"line {number:,} has {counted(count, 'number')}, and the lines before it have {dimension:,}")
    return word, b" ".join(rest)


def _is_number(field: bytes) -> bool:
    try:
        float(field)
    except ValueError:
        return False
    return True


def _vector(fields: bytes, number: int) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    try:
        numbers = [float(field) for field in fields.split(b" ")]
    except ValueError as error:
        shown = str(error).partition(": ")[2].removeprefix("b")
        raise ValueError(f"line {number:,} has {shown} where a number should be") from None
    if not all(map(isfinite, numbers)):
        raise ValueError(f"line {number:,} has a number that is not finite")
    return np.array(numbers, dtype=np.float32)
