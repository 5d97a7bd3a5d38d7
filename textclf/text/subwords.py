"""The parts of words (subwords): all runs of 3 and 4 characters, which tell what an unknown word resembles. No torch.

As in https://arxiv.org/abs/1607.04606 a word is put between the marks < and >, so that its beginning and end differ
from its middle.
"""

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from textclf.text import arrays
from textclf.text.batch_encoder import HashTable, Keys
from textclf.text.distinct_strings import Strings

LENGTHS: Final = (3, 4)  # characters; 3 to 5 was no better on our development sets and takes half as long again
LONGEST: Final = max(LENGTHS)
SHORT_TEXT: Final = 1_000_000  # tokens of training text up to which parts of 3 characters are learned, too
CHARACTERS_AT_ONCE: Final = 200_000  # of words whose parts are in memory together, 150 bytes for each
CHARACTER_BITS: Final = 21  # of Unicode


def word_parts(word: str) -> list[str]:
    """The parts of a word, those of 3 characters first, each as often as it occurs in the word."""
    marked = f"<{word}>"
    return [marked[start : start + n] for n in LENGTHS for start in range(len(marked) - n + 1)]


class PartTable:
    """Finds the known parts of many words at once, in any script; the ids of parts count up from ``first_id``."""

    def __init__(self, parts: Sequence[str], *, first_id: int) -> None:
        known = [index for index, part in enumerate(parts) if len(part) in LENGTHS]
        sizes = np.array([len(parts[index]) for index in known], dtype=np.int64)
        characters = _characters("".join([parts[index] for index in known]))
        self._ids = HashTable()
        keys = _keys(characters, arrays.offsets(sizes)[:-1], sizes)
        self._ids.add(keys, np.array(known, dtype=np.int32) + np.int32(first_id))

    def find(
        self, words: Sequence[str], *, at_once: int = CHARACTERS_AT_ONCE
    ) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        """Ids of the known parts, word by word as in `word_parts`, and the index of the word of each, shape (N,)."""
        found = [self._find(words[some], first=some.start) for some in _slices(words, at_once)]
        ids, word = zip(*found, strict=True) if found else ((), ())
        return np.concatenate([np.empty(0, dtype=np.int32), *ids]), np.concatenate([np.empty(0, dtype=np.int64), *word])

    def _find(self, words: Sequence[str], *, first: int) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        parts = _parts(words)
        ids = self._ids.find(parts.keys())
        known = np.flatnonzero(ids >= 0)
        known = known[np.argsort(parts.word[known], kind="stable")]
        return ids[known], parts.word[known] + first


def most_frequent_parts(
    words: Strings,
    counts: NDArray[np.int64],
    *,
    limit: int,
    min_count: int,
    short_text: int = SHORT_TEXT,
    at_once: int = CHARACTERS_AT_ONCE,
) -> list[str]:
    """The parts that occur in the most tokens, by falling count, then by spelling; a part counts once per token.

    N distinct words have ``counts``, shape (N,). In a text longer than ``short_text`` tokens only parts of 4 characters
    are learned: half as many, and as good.
    """
    lengths = LENGTHS if counts.sum() <= short_text else (LONGEST,)
    table, frequency = HashTable(), np.zeros(0, dtype=np.int64)
    for some in _slices(words, at_once):
        parts = _parts([words[number] for number in range(some.start, some.stop)], lengths)
        part = table.number(parts.keys())
        pairs = np.sort(parts.word * np.int64(len(table)) + part)  # sorted as single numbers: several times as fast
        word, part = np.divmod(pairs[np.diff(pairs, prepend=-1) != 0], max(len(table), 1))
        found = np.bincount(part, counts[some][word], minlength=len(table)).astype(np.int64)
        found[: len(frequency)] += frequency
        frequency = found
    return _first_by_count(table.keys, frequency, limit=limit, min_count=min_count)


def _first_by_count(keys: Keys, frequency: NDArray[np.int64], *, limit: int, min_count: int) -> list[str]:
    """The first parts by falling count, then by spelling."""
    last = np.partition(frequency, -limit)[-limit] if 0 < limit < len(frequency) else 0
    kept = np.flatnonzero(frequency >= max(last, min_count))
    characters, lengths = _spelled(keys.at(kept))
    by_spelling = characters.astype(np.uint64).T
    order = np.lexsort((lengths, *reversed(by_spelling), -frequency[kept]))[:limit]
    text = characters[order].tobytes().decode("utf-32-le", "surrogatepass")
    return [
        text[start : start + length] for start, length in zip(range(0, len(text), LONGEST), lengths[order], strict=True)
    ]


class _Parts(NamedTuple):
    """N parts of words as runs of characters: those of 3 characters of all words, then those of 4."""

    characters: NDArray[np.uint32]
    """Of the marked words, end to end."""
    starts: NDArray[np.int64]
    """Where each part starts, shape (N,)."""
    lengths: NDArray[np.int64]
    """Characters of each part, shape (N,)."""
    word: NDArray[np.int64]
    """The index of the word that each part is from, shape (N,)."""

    def keys(self) -> Keys:
        """The key of each part."""
        return _keys(self.characters, self.starts, self.lengths)


def _parts(words: Sequence[str], lengths: Sequence[int] = LENGTHS) -> _Parts:
    sizes = np.fromiter(map(len, words), dtype=np.int64, count=len(words)) + 2
    first = arrays.offsets(sizes)[:-1]
    counts = [np.maximum(sizes - length + 1, 0) for length in lengths]
    return _Parts(
        characters=_characters("".join([f"<{word}>" for word in words])),
        starts=np.concatenate([arrays.places(first, count) for count in counts]),
        lengths=np.repeat(lengths, [int(count.sum()) for count in counts]),
        word=np.concatenate([np.repeat(np.arange(len(words)), count) for count in counts]),
    )


def _slices(words: Strings, at_once: int) -> Iterator[slice]:
    """Slices of words, each with this many characters or a little more."""
    start = characters = 0
    for number in range(len(words)):
        characters += len(words[number])
        if characters >= at_once:
            yield slice(start, number + 1)
            start, characters = number + 1, 0
    if start < len(words):
        yield slice(start, len(words))


def _characters(text: str) -> NDArray[np.uint32]:
    """The code points of a text, padded so that LONGEST can be read from any place."""
    padded = text + "\0" * LONGEST
    return np.frombuffer(padded.encode("utf-32-le", "surrogatepass"), dtype="<u4")


def _keys(characters: NDArray[np.uint32], starts: NDArray[np.int64], lengths: NDArray[np.int64]) -> Keys:
    """A hash table key for each string of LENGTHS characters: three characters in ``low``, the fourth in ``high``."""
    low = characters[starts].astype(np.uint64)
    for place in (1, 2):
        low |= characters[starts + place].astype(np.uint64) << np.uint64(place * CHARACTER_BITS)
    fourth = np.where(lengths == LONGEST, characters[starts + 3], np.uint32(0))
    return Keys(low, lengths.astype(np.uint64) << np.uint64(32) | fourth)


def _spelled(keys: Keys) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
    """The characters of the strings that have these keys, shape (N, LONGEST), and their number, shape (N,)."""
    mask = np.uint64((1 << CHARACTER_BITS) - 1)
    three = [keys.low >> np.uint64(place * CHARACTER_BITS) & mask for place in range(LONGEST - 1)]
    fourth = keys.high & np.uint64(0xFFFFFFFF)
    return np.stack((*three, fourth), axis=1).astype("<u4"), (keys.high >> np.uint64(32)).astype(np.int64)
