"""Models of fastText (.bin): a word's vector is the mean of those of its own and of its character n-grams.

So words that the model has never seen get a vector, too (https://arxiv.org/abs/1607.04606). The layout is that of
https://github.com/facebookresearch/fastText (args.cc, dictionary.cc, densematrix.cc): little-endian numbers, the words
with their counts, then a matrix with a row for each word and for each bucket of n-grams. Its rows are mapped, not read.
"""

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from textclf.system import files
from textclf.word_vectors.found import Found, Wanted
from textclf.word_vectors.stream import Progress

MAGIC: Final = struct.pack("<i", 793712314)
VERSIONS: Final = (11, 12)

_ARGUMENTS: Final = struct.Struct("<13id")
"""The version, dim, ws, epoch, minCount, neg, wordNgrams, loss, model, bucket, minn, maxn, lrUpdateRate, and t."""
_END: Final = b"</s>"
"""The word that stands for the end of a line."""
_DICTIONARY: Final = struct.Struct("<3i2q")
_ENTRY: Final = struct.Struct("<qb")
"""After the word and a zero byte: its count, and 0 if it is a word, not a label."""
_MATRIX: Final = struct.Struct("<2q")
_CHUNK: Final = 1 << 20
"""Bytes of the words that are looked at together."""
_OFFSET, _PRIME = 2166136261, 16777619
"""Of the hash FNV-1a, 32 bits."""


class _Model(NamedTuple):
    words: int
    buckets: int
    shortest: int
    """Characters of the shortest n-grams; 0, and no longest, if it has none."""
    longest: int
    matrix: NDArray[np.float32]
    """Shape (words + buckets, D)."""

    def of_word(self, row: int, word: bytes) -> NDArray[np.float32]:
        """The vector of a word that the model knows."""
        return self._mean([row, *self.ngram_rows(word)])

    def of_unknown(self, word: bytes) -> NDArray[np.float32] | None:
        """The vector of another word; None if it has no n-grams."""
        rows = self.ngram_rows(word)
        return self._mean(rows) if rows else None

    def ngram_rows(self, word: bytes) -> list[int]:
        """The rows of the n-grams of a word, which stands between < and >."""
        if not self.buckets or word == _END:
            return []
        characters = [each.encode("utf-8", "surrogateescape") for each in word.decode("utf-8", "surrogateescape")]
        marked = [b"<", *characters, b">"]
        return [
            self.words + _hash(b"".join(marked[start : start + size])) % self.buckets
            for start in range(len(marked))
            for size in range(self.shortest, min(self.longest, len(marked) - start) + 1)
            if not (size == 1 and start in (0, len(marked) - 1))
        ]

    def _mean(self, rows: list[int]) -> NDArray[np.float32]:
        vector: NDArray[np.float32] = self.matrix[rows].mean(axis=0)
        if not np.isfinite(vector).all():
            raise ValueError("it has a number that is not finite")
        return vector


def read(path: Path, wanted: Wanted, progress: Progress) -> Found:
    """Read a model; raises ValueError if it is damaged, or of a kind that cannot be read."""
    content = files.map_file(path)
    try:
        model, known = _parsed(content, wanted, progress, path.name)
    except (struct.error, IndexError) as error:
        raise ValueError("it ends early; is it cut off? Download it again") from error
    for row, word in known:
        if places := wanted.places(word):
            wanted.give(word, places, model.of_word(row, word))
    for place, word in wanted.missing():
        if (vector := model.of_unknown(word)) is not None:
            wanted.give(word, [place], vector)
    return wanted.found(dimension=model.matrix.shape[1], words=model.words, kind="fastText binary")


def _parsed(
    content: memoryview, wanted: Wanted, progress: Progress, name: str
) -> tuple[_Model, list[tuple[int, bytes]]]:
    """The model, and the rows of those of its words that may be wanted."""
    version, dimension, *_, buckets, shortest, longest, _, _ = _ARGUMENTS.unpack_from(content, len(MAGIC))
    if version not in VERSIONS:
        raise ValueError(f"it has version {version} of fastText's format")
    at = len(MAGIC) + _ARGUMENTS.size
    entries, words, labels, _, pruned = _DICTIONARY.unpack_from(content, at)
    if not (0 < words <= entries == words + labels and dimension > 0 and buckets >= 0):
        raise ValueError("its header is damaged")
    at += _DICTIONARY.size
    known = []
    for row, (word, after) in enumerate(progress(_words(content, at, entries), f"reading {name}", entries)):
        at = after
        if row < words and wanted.may_want(word):
            known.append((row, word))
    if pruned >= 0 or content[at]:
        raise ValueError("it is a quantised model (.ftz): take the .bin, or the .vec of its words")
    rows, columns = _MATRIX.unpack_from(content, at + 1)
    if (rows, columns) != (words + buckets, dimension):
        raise ValueError("its matrix has another size than its header says")
    at += 1 + _MATRIX.size
    if len(content) < at + 4 * rows * columns:
        raise ValueError("it ends before its last number; is it cut off? Download it again")
    matrix = np.frombuffer(content, "<f4", rows * columns, at).reshape(rows, columns)
    return _Model(words, buckets if longest else 0, shortest, longest, matrix), known


def _words(content: memoryview, at: int, entries: int) -> Iterator[tuple[bytes, int]]:
    """Each word, and where the next one begins."""
    start, chunk = at, bytes(content[at : at + _CHUNK])
    for _ in range(entries):
        end = chunk.find(b"\0", at - start)
        if end < 0 or start + end + 1 + _ENTRY.size > start + len(chunk):
            start, chunk = at, bytes(content[at : at + _CHUNK])
            end = chunk.index(b"\0") if b"\0" in chunk else len(chunk)
        _ENTRY.unpack_from(chunk, end + 1)
        word, at = chunk[at - start : end], start + end + 1 + _ENTRY.size
        yield word, at


def _hash(ngram: bytes) -> int:
    """FNV-1a as fastText computes it, where a byte from 128 on is negative."""
    value = _OFFSET
    for byte in ngram:
        value = ((value ^ (byte | 0xFFFFFF00 if byte > 127 else byte)) * _PRIME) & 0xFFFFFFFF
    return value
