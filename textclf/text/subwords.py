"""The parts of words (subwords): all runs of 3 and 4 characters, which tell what an unknown word resembles. No torch.

As in https://arxiv.org/abs/1607.04606 a word is put between the marks < and >, so that its beginning and end differ
from its middle.
"""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from textclf.text import arrays
from textclf.text.arrays import Ranks
from textclf.text.batch_encoder import HashTable, Keys

LENGTHS: Final = (3, 4)  # characters; 3 to 5 was no better on our development sets and takes half as long again
LONGEST: Final = max(LENGTHS)
SHORT_TEXT: Final = 1_000_000  # tokens of training text up to which parts of 3 characters are learned, too
TABLE_BITS: Final = 24  # bits of a code up to which a table of all codes, 16 MB, is faster than sorting
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
        ids = np.array(known, dtype=np.int32) + np.int32(first_id)
        self._ids = HashTable().add(_keys(characters, arrays.offsets(sizes)[:-1], sizes), ids)

    def find(self, words: Sequence[str]) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        """Ids of the known parts, word by word as in `word_parts`, and the index of the word of each, shape (N,)."""
        parts = _parts(words)
        ids = self._ids.find(_keys(parts.characters, parts.starts, parts.lengths))
        known = np.flatnonzero(ids >= 0)
        known = known[np.argsort(parts.word[known], kind="stable")]
        return ids[known], parts.word[known]


def most_frequent_parts(
    counts: Mapping[str, int], *, limit: int, min_count: int, short_text: int = SHORT_TEXT
) -> list[str]:
    """The parts that occur in the most tokens, by falling count, then by spelling; a part counts once per token.

    In a text longer than ``short_text`` tokens only parts of 4 characters are learned: half as many, and as good.
    """
    parts = _parts(list(counts))
    spellings, part = _distinct(parts)
    pairs = np.sort(parts.word * np.int64(len(spellings)) + part)  # sorted as single numbers: several times as fast
    word, part = np.divmod(pairs[np.diff(pairs, prepend=-1) != 0], max(len(spellings), 1))
    occurrences = np.fromiter(counts.values(), dtype=np.int64, count=len(counts))
    frequency = np.bincount(part, occurrences[word], minlength=len(spellings)).astype(np.int64)
    if occurrences.sum() > short_text:
        frequency[np.array(list(map(len, spellings)), dtype=np.int64) < LONGEST] = 0
    order = np.argsort(-frequency, kind="stable")[:limit]
    return [spellings[place] for place in order[frequency[order] >= min_count].tolist()]


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


def _parts(words: Sequence[str]) -> _Parts:
    sizes = np.fromiter(map(len, words), dtype=np.int64, count=len(words)) + 2
    first = arrays.offsets(sizes)[:-1]
    counts = [np.maximum(sizes - length + 1, 0) for length in LENGTHS]
    return _Parts(
        characters=_characters("".join([f"<{word}>" for word in words])),
        starts=np.concatenate([arrays.places(first, count) for count in counts]),
        lengths=np.repeat(LENGTHS, [int(count.sum()) for count in counts]),
        word=np.concatenate([np.repeat(np.arange(len(words)), count) for count in counts]),
    )


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


def _distinct(parts: _Parts) -> tuple[list[str], NDArray[np.int64]]:
    """The distinct parts, sorted, and the index of each part among them.

    Four letters of a small alphabet fit into one integer, which is many times as fast as a string to find and sort.
    """
    alphabet, letters = _letters(parts.characters)
    bits = len(alphabet).bit_length()
    if LONGEST * bits > 64:
        strings, part = np.unique(_strings(parts), return_inverse=True)
        return strings.tolist(), part
    count = len(letters) - LONGEST
    codes = letters[:count]
    for place in range(1, LONGEST):
        codes = codes << np.uint64(bits) | letters[place : count + place]
    rest = np.uint64(bits) * (LONGEST - parts.lengths).astype(np.uint64)
    distinct, part = _distinct_codes(codes[parts.starts] >> rest << rest, bits=LONGEST * bits)
    shifts = np.arange(LONGEST - 1, -1, -1, dtype=np.uint64) * np.uint64(bits)
    spelled = np.append(np.uint32(0), alphabet)[distinct[:, None] >> shifts & np.uint64((1 << bits) - 1)]
    return spelled.view(f"<U{LONGEST}").ravel().tolist(), part  # to numpy, four characters are one string


def _letters(characters: NDArray[np.uint32]) -> tuple[NDArray[np.uint32], NDArray[np.uint64]]:
    """The distinct characters by code point, and each character as its index among them, counted from 1."""
    is_there = np.zeros(int(characters.max()) + 1, dtype=bool)
    is_there[characters] = True
    return np.flatnonzero(is_there).astype("<u4"), np.cumsum(is_there, dtype=np.uint64)[characters]


def _strings(parts: _Parts) -> NDArray[np.str_]:
    windows = parts.characters[parts.starts[:, None] + np.arange(LONGEST)]
    windows[np.arange(LONGEST) >= parts.lengths[:, None]] = 0
    strings: NDArray[np.str_] = windows.view(f"<U{LONGEST}").ravel()
    return strings


def _distinct_codes(codes: NDArray[np.uint64], *, bits: int) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """The distinct codes, sorted, and the index of each code among them."""
    if bits > TABLE_BITS:
        return np.unique(codes, return_inverse=True)
    is_there = np.zeros(1 << bits, dtype=bool)
    is_there[codes] = True
    distinct = np.flatnonzero(is_there)
    return distinct.astype(np.uint64), Ranks(distinct, bits=bits)(codes.view(np.int64)).astype(np.int64)
