"""The parts of words: runs of 3 and 4 characters, which tell what an unknown word is like. Needs numpy only.

As in https://arxiv.org/abs/1607.04606 a word stands between two marks, so that its beginning and end differ from its
middle.
"""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from textclf.text import ragged
from textclf.text.bit_rank import Ranks

LENGTHS: Final = (3, 4)  # characters; 3 to 5 did no better on our development sets and takes half as long again
SHORT_TEXT: Final = 1_000_000  # tokens of training text up to which parts of 3 characters are known, too


TABLE_BITS: Final = 24  # of numbers, up to which a table of them, 16 MB, is faster than sorting those that there are


class Parts(NamedTuple):
    """The parts of some words, word by word, N in all."""

    spellings: list[str]
    """Each distinct part once, by spelling."""
    part: NDArray[np.int64]
    """Shape (N,), places among the spellings."""
    word: NDArray[np.int64]
    """Shape (N,), rising: which of the words each is a part of."""


def word_parts(word: str) -> list[str]:
    """The parts of a word, the shorter ones first, each as often as it stands there."""
    marked = f"<{word}>"
    return [marked[start : start + n] for n in LENGTHS for start in range(len(marked) - n + 1)]


def parts_of_words(words: Sequence[str]) -> Parts:
    """The same of many words at once, several times as fast."""
    sizes = np.fromiter(map(len, words), dtype=np.int64, count=len(words)) + 2
    characters = np.frombuffer("".join(f"<{word}>" for word in words).encode("utf-32-le", "surrogatepass"), dtype="<u4")
    starts = ragged.offsets(sizes)[:-1]
    counts = [np.maximum(sizes - length + 1, 0) for length in LENGTHS]
    spellings, part = _distinct(characters, [ragged.places(starts, count) for count in counts])
    word = np.concatenate([np.repeat(np.arange(len(words)), count) for count in counts])
    order = np.argsort(word, kind="stable")
    return Parts(spellings, part[order], word[order])


def _distinct(
    characters: NDArray[np.uint32], starts: Sequence[NDArray[np.int64]]
) -> tuple[list[str], NDArray[np.int64]]:
    """The strings of each of the LENGTHS that start at these places: each once, by spelling, and the place of each.

    Four letters of so small an alphabet as texts have are one number, which is found and sorted many times as fast.
    """
    alphabet, letters = _letters(characters)
    longest, bits = max(LENGTHS), len(alphabet).bit_length()
    if longest * bits > 64:
        strings, part = np.unique(_strings(characters, starts), return_inverse=True)
        return strings.tolist(), part
    following = np.append(letters, np.zeros(longest, dtype=np.uint64))
    codes = following[: len(letters)]
    for place in range(1, longest):
        codes = codes << np.uint64(bits) | following[place : len(letters) + place]
    found = []
    for length, where in zip(LENGTHS, starts, strict=True):
        rest = np.uint64(bits * (longest - length))
        found.append(codes[where] >> rest << rest)
    numbers, part = _numbered(np.concatenate(found), bits=longest * bits)
    shifts = np.arange(longest - 1, -1, -1, dtype=np.uint64) * np.uint64(bits)
    spelled = np.append(np.uint32(0), alphabet)[numbers[:, None] >> shifts & np.uint64((1 << bits) - 1)]
    return spelled.view(f"<U{longest}").ravel().tolist(), part  # to numpy, four characters are one string


def _letters(characters: NDArray[np.uint32]) -> tuple[NDArray[np.uint32], NDArray[np.uint64]]:
    """The characters that there are, by code point, and each as a number: its place among them, from 1."""
    is_there = np.zeros(int(characters.max(initial=0)) + 1, dtype=bool)
    is_there[characters] = True
    return np.flatnonzero(is_there).astype("<u4"), np.cumsum(is_there, dtype=np.uint64)[characters]


def _strings(characters: NDArray[np.uint32], starts: Sequence[NDArray[np.int64]]) -> NDArray[np.str_]:
    """What starts at these places, of each of the LENGTHS, end to end."""
    longest = max(LENGTHS)
    following = np.append(characters, np.zeros(longest, dtype="<u4"))
    windows = [
        np.where(np.arange(longest) < length, following[where[:, None] + np.arange(longest)], np.uint32(0))
        for length, where in zip(LENGTHS, starts, strict=True)
    ]
    return np.concatenate(windows).view(f"<U{longest}").ravel()


def _numbered(values: NDArray[np.uint64], *, bits: int) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """Each distinct value once, rising, and the place of each among them; by a table of all there could be if small."""
    if bits > TABLE_BITS:
        return np.unique(values, return_inverse=True)
    is_there = np.zeros(1 << bits, dtype=bool)
    is_there[values] = True
    distinct = np.flatnonzero(is_there)
    return distinct.astype(np.uint64), Ranks(distinct, bits=bits)(values.view(np.int64)).astype(np.int64)


def most_frequent_parts(counts: Mapping[str, int], *, limit: int, min_count: int) -> list[str]:
    """The parts that are in the most occurrences of words, by falling count, then by spelling; twice in one is once.

    In a long text those of 4 characters say it all, and there are half as many.
    """
    spellings, part, word = parts_of_words(list(counts))
    pairs = np.sort(word * np.int64(len(spellings)) + part)  # one number each: several times as fast as by two
    word, part = np.divmod(pairs[np.diff(pairs, prepend=-1) != 0], max(len(spellings), 1))
    occurrences = np.fromiter(counts.values(), dtype=np.int64, count=len(counts))
    frequency = np.bincount(part, occurrences[word], minlength=len(spellings)).astype(np.int64)
    if occurrences.sum() > SHORT_TEXT:
        frequency[np.array(list(map(len, spellings)), dtype=np.int64) < max(LENGTHS)] = 0
    order = np.argsort(-frequency, kind="stable")[:limit]
    return [spellings[place] for place in order[frequency[order] >= min_count].tolist()]
