"""The parts of words: runs of 3 and 4 characters, which tell what an unknown word is like. Needs numpy only.

As in https://arxiv.org/abs/1607.04606 a word stands between two marks, so that its beginning and end differ from its
middle.
"""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from textclf import ragged

LENGTHS: Final = (3, 4)  # characters; 3 to 5 did no better on our development sets and takes half as long again
SHORT_TEXT: Final = 1_000_000  # tokens of training text up to which parts of 3 characters are known, too


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
    characters = np.concatenate((characters, np.zeros(max(LENGTHS), dtype="<u4")))
    starts, counts, windows = ragged.offsets(sizes)[:-1], [], []
    for length in LENGTHS:
        count = np.maximum(sizes - length + 1, 0)
        where = ragged.places(starts, count)
        window = np.zeros((len(where), max(LENGTHS)), dtype="<u4")
        for place in range(length):
            window[:, place] = characters[where + place]
        counts.append(count)
        windows.append(window)
    spellings, part = _distinct(np.concatenate(windows))
    word = np.concatenate([np.repeat(np.arange(len(words)), count) for count in counts])
    order = np.argsort(word, kind="stable")
    return Parts(spellings, part[order], word[order])


def _distinct(windows: NDArray[np.uint32]) -> tuple[list[str], NDArray[np.int64]]:
    """Four characters each, shape (N, 4), as distinct strings by spelling, and the place of each among them."""
    is_there = np.zeros(int(windows.max(initial=0)) + 1, dtype=bool)
    is_there[windows.ravel()] = True
    alphabet = np.flatnonzero(is_there).astype("<u4")
    string = f"<U{max(LENGTHS)}"  # four characters are one string to numpy
    if len(alphabet) > 1 << 16:
        strings, part = np.unique(windows.view(string).ravel(), return_inverse=True)
        return strings.tolist(), part
    # Four letters of so small an alphabet are one number, too: numbers sort several times as fast, in the same order.
    codes = (np.cumsum(is_there) - 1)[windows].astype(">u2").view(">u8").ravel()
    numbers, part = np.unique(codes.astype(np.uint64), return_inverse=True)
    letters = numbers.astype(">u8").view(">u2")
    return alphabet[letters].view(string).tolist(), part


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
