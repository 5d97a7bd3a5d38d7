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
    spelled = np.concatenate(windows).view(f"<U{max(LENGTHS)}").ravel()  # four characters are one string to numpy
    spellings, part = np.unique(spelled, return_inverse=True)
    word = np.concatenate([np.repeat(np.arange(len(words)), count) for count in counts])
    order = np.argsort(word, kind="stable")
    return Parts(spellings.tolist(), part[order], word[order])


def most_frequent_parts(counts: Mapping[str, int], *, limit: int, min_count: int) -> list[str]:
    """The parts that are in the most occurrences of words, by falling count, then by spelling; twice in one is once.

    In a long text those of 4 characters say it all, and there are half as many.
    """
    spellings, part, word = parts_of_words(list(counts))
    order = np.lexsort((part, word))
    word, part = word[order], part[order]
    first = (np.diff(word, prepend=-1) != 0) | (np.diff(part, prepend=-1) != 0)
    occurrences = np.fromiter(counts.values(), dtype=np.int64, count=len(counts))
    frequency = np.bincount(part[first], occurrences[word[first]], minlength=len(spellings)).astype(np.int64)
    if occurrences.sum() > SHORT_TEXT:
        frequency[np.array(list(map(len, spellings)), dtype=np.int64) < max(LENGTHS)] = 0
    order = np.argsort(-frequency, kind="stable")[:limit]
    return [spellings[place] for place in order[frequency[order] >= min_count].tolist()]
