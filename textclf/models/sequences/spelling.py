"""Which corpora a network of sequences must spell, and how: words that are rare are read as their subwords, in order.

In a list of names hardly any name comes again. There the words alone say nothing. Scripts without spaces between words
need no spelling: each character is a word already (see `textclf.text.unspaced`).
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


class Spelling(NamedTuple):
    """What each token id is read as."""

    words: int
    """Word ids below are read as themselves, before their parts; the ids of parts follow."""
    ids: NDArray[np.int32]
    """The ids of all token ids, end to end."""
    counts: NDArray[np.int32]
    """Shape (words + parts of the tokenizer,), how many ids each token id is read as."""

    @classmethod
    def of(cls, tokenizer: Tokenizer, *, words: int) -> "Spelling":
        """A word is itself, or ``<unk>`` from id ``words`` on, and its shortest parts; longer parts are not read."""
        sizes = np.fromiter(map(len, tokenizer.parts), dtype=np.int64, count=len(tokenizer.parts))
        is_read = sizes == sizes.min(initial=np.iinfo(np.int64).max)
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


def word_counts(documents: Iterable[Any], tokenizer: Tokenizer) -> NDArray[np.int64]:
    """How often each word occurs in batches of token ids, lengths and rows, shape (size,)."""
    counts = np.zeros(tokenizer.size + len(tokenizer.parts), dtype=np.int64)
    for tokens, _, _ in documents:
        np.add.at(counts, tokens, np.int64(1))
    return counts[: tokenizer.size]


def needs_spelling(tokenizer: Tokenizer, counts: NDArray[np.int64]) -> bool:
    """Whether the words of a corpus, which occur so often, say too little to be read alone."""
    if not tokenizer.parts:
        return False
    rare = counts[UNK_ID] + (counts[UNK_ID + 1 :] == 1).sum()
    return bool(rare > RARE * counts.sum())


def spelling_of(tokenizer: Tokenizer, counts: NDArray[np.int64]) -> Spelling:
    """The spelling of a vocabulary whose words occur so often; ids are sorted by falling count."""
    common = np.flatnonzero(counts[UNK_ID + 1 :] >= COMMON)
    return Spelling.of(tokenizer, words=UNK_ID + 2 + int(common.max(initial=-1)))
