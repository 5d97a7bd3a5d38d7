"""Which label is taken for which: pairs of a label and an answer, as a matrix of many classes cannot show them."""

from collections import Counter
from itertools import product
from typing import NamedTuple

import numpy as np

from textclf.evaluation.outcome import Outcome


class Confusion(NamedTuple):
    """Documents that lack one label in their answer and have another, wrong one in its place."""

    label: str
    answer: str
    documents: int
    share: float
    """Of the documents with the label, above 0 and at most 1."""


def confusions(outcome: Outcome, *, most: int) -> list[Confusion]:
    """The most frequent pairs, those of equal frequency in alphabetical order.

    Of a document with several labels, each label that it is not given is paired with each that it is given wrongly.
    """
    known, given = outcome.truth[:, : len(outcome.names)], outcome.given
    missed, wrong = known & ~given, given & ~known
    pairs: Counter[tuple[int, int]] = Counter()
    for place in np.flatnonzero(missed.any(axis=1) & wrong.any(axis=1)):
        pairs.update(product(np.flatnonzero(missed[place]).tolist(), np.flatnonzero(wrong[place]).tolist()))
    labelled, names = known.sum(axis=0).tolist(), outcome.names
    found = sorted(pairs.items(), key=lambda pair: (-pair[1], names[pair[0][0]], names[pair[0][1]]))
    return [
        Confusion(names[label], names[answer], count, count / labelled[label])
        for (label, answer), count in found[:most]
    ]
