"""Where a network of sequences reads the subwords of words, and which.

In a list of names hardly any name comes again. There the words alone say nothing: rare ones are read as their subwords,
in order. In other short texts a word is read with all its subwords at once, so that an unknown or rare word is what it
resembles (https://arxiv.org/abs/1607.04606). In long texts other words make up for it. Scripts without spaces between
words need no subwords: each character is a word already (see `textclf.text.unspaced`).
"""

from collections.abc import Iterable
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from textclf.text.tokenizer import UNK_ID, Tokenizer

RARE: Final = 0.5
"""Corpora are spelled in which a larger share of the words occurs once, and is so unknown elsewhere (Good and Turing:
https://doi.org/10.1093/biomet/40.3-4.237). In languages with spaces that is 0.3 at most, even of a hundred texts."""

COMMON: Final = 5
"""Occurrences in the training documents with which a word is read as itself, too."""

SHORT_TEXT: Final = 64
"""Mean words per training document up to which words are read with their subwords."""


class Spelling(NamedTuple):
    """What each token id is read as."""

    words: int
    """Word ids below are read as themselves, before their parts; the ids of parts follow."""
    ids: NDArray[np.int32]
    """The ids of all token ids, end to end."""
    counts: NDArray[np.int32]
    """Shape (words + parts of the tokenizer,), how many ids each token id is read as."""

    @classmethod
    def of(cls, tokenizer: Tokenizer, *, words: int, shortest: bool = True) -> "Spelling":
        """A word is itself, or ``<unk>`` from id ``words`` on, and its parts, or only the shortest."""
        sizes = np.fromiter(map(len, tokenizer.parts), dtype=np.int64, count=len(tokenizer.parts))
        is_read = sizes <= sizes.min() if shortest and len(sizes) else np.ones(len(sizes), dtype=np.bool_)
        row = words - 1 + np.cumsum(is_read)  # of each part that is read
        parts, counts = tokenizer.spelling()
        word = np.repeat(np.arange(tokenizer.size), counts)[is_read[parts]]
        own = np.arange(tokenizer.size)
        ids = np.concatenate((np.where(own < words, own, UNK_ID), row[parts[is_read[parts]]]))
        order = np.argsort(np.concatenate((own, word)), kind="stable")  # each word before its parts
        of_words = 1 + np.bincount(word, minlength=tokenizer.size)
        return cls(
            words,
            np.concatenate((ids[order], row[is_read])).astype(np.int32),
            np.concatenate((of_words, is_read)).astype(np.int32),
        )


def word_counts(documents: Iterable[Any], tokenizer: Tokenizer) -> tuple[NDArray[np.int64], int]:
    """How often each word occurs in batches of token ids, lengths and rows, shape (size,), and how many documents."""
    counts, number = np.zeros(tokenizer.size + len(tokenizer.parts), dtype=np.int64), 0
    for tokens, lengths, _ in documents:
        np.add.at(counts, tokens, np.int64(1))
        number += len(lengths)
    return counts[: tokenizer.size], number


def needs_spelling(tokenizer: Tokenizer, counts: NDArray[np.int64]) -> bool:
    """Whether the words of a corpus, which occur so often, say too little to be read alone."""
    if not tokenizer.parts:
        return False
    rare = counts[UNK_ID] + (counts[UNK_ID + 1 :] == 1).sum()
    return bool(rare > RARE * counts.sum())


def needs_pieces(tokenizer: Tokenizer, counts: NDArray[np.int64], *, documents: int) -> bool:
    """Whether the documents of a corpus, whose words occur so often, are so short that subwords help."""
    return bool(tokenizer.parts and counts.sum() <= SHORT_TEXT * documents)


def spelling_of(tokenizer: Tokenizer, counts: NDArray[np.int64]) -> Spelling:
    """The spelling of a vocabulary whose words occur so often; ids are sorted by falling count."""
    common = np.flatnonzero(counts[UNK_ID + 1 :] >= COMMON)
    return Spelling.of(tokenizer, words=UNK_ID + 2 + int(common.max(initial=-1)))
