"""A few documents of each label, for experiments: which are trained on, and which are validation. Knows no files.

D documents. Draws are nested: what is drawn with fewer documents of each label is drawn with more, for the same use.
"""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

EVERY: Final = 10
"""One in this many of the documents is validation, as `textclf preprocess` has it by default."""


class Pairs(NamedTuple):
    """Which document has which label; a document may have several. P pairs."""

    document: NDArray[np.int64]
    """Shape (P,), from 0 to D - 1. A document in no pair has no label, and those count as a label of their own."""
    label: NDArray[np.int64]
    """Shape (P,)."""


class Shots(NamedTuple):
    """The documents that are drawn, in rising order."""

    train: NDArray[np.int64]
    validation: NDArray[np.int64]


def draw(pairs: Pairs, *, documents: int, shots: int, seed: int) -> Shots:
    """Draw those documents that are among the first ``shots`` of one of their labels, in an order drawn at random.

    Each label that has so many gets ``shots`` documents or, where documents have several labels, at least so many. The
    first document of each label is trained on; of the others one in EVERY is validation.
    """
    bits = np.random.PCG64(seed)  # its bits do not change with the version of numpy, shuffle() may
    chance = bits.random_raw(documents)  # (D,)
    ranks = _ranks(pairs, chance)  # (D,)
    order = np.lexsort((chance, ranks))
    drawn, first = order[: int((ranks < shots).sum())], int((ranks == 0).sum())
    is_validation = (np.arange(len(drawn)) - first) % EVERY == 0
    is_validation[:first] = False
    return Shots(np.sort(drawn[~is_validation]), np.sort(drawn[is_validation]))


def _ranks(pairs: Pairs, chance: NDArray[np.uint64]) -> NDArray[np.int64]:
    """The place of each document among those of its label, shape (D,); of several the first. Lowest chance first."""
    without = np.setdiff1d(np.arange(len(chance)), pairs.document)
    document = np.concatenate([pairs.document, without])
    label = np.concatenate([pairs.label, np.full(len(without), -1)])
    order = np.lexsort((chance[document], label))
    labels = label[order]
    begins = np.flatnonzero(np.r_[True, labels[1:] != labels[:-1]][: len(labels)])
    lengths = np.diff(np.r_[begins, len(labels)])
    ranks = np.full(len(chance), len(label), dtype=np.int64)
    np.minimum.at(ranks, document[order], np.arange(len(labels)) - np.repeat(begins, lengths))
    return ranks
