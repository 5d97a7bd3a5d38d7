"""Which document goes where: splits that keep copies of a text together, and an order whose prefixes nest.

Pure functions of labels, texts and a seed: the same in every process, on every machine, with every version of numpy.
Documents are arrays here, so that millions of them take megabytes: the texts themselves need not be in memory.
"""

import hashlib
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from textclf.errors import DataError, UsageError
from textclf.sources.document import SPLITS

Indices = NDArray[np.int64]


class Division(NamedTuple):
    """Documents and the splits they are in: by split in the order of SPLITS, and there in the source's order."""

    split: NDArray[np.int8]
    """Shape (D,), like the rest: the place in SPLITS."""
    label: Indices
    """Place of the label among the labels by name."""
    text: Indices
    """Number of the text, the same for all its copies: see `numbered`."""

    def part(self, split: str) -> "Division":
        """The documents of one split."""
        return Division(*(column[self.split == SPLITS.index(split)] for column in self))


class Duplicates(NamedTuple):
    """Texts that come more than once; two texts are the same if ``fold`` makes them equal."""

    copies: int
    """Documents beyond the first of each text."""
    crossing: int
    """Those copies whose first is in an earlier split: what test and validation share with train, mostly."""
    conflicting: int
    """Texts that carry two labels or more."""


def fold(text: str) -> str:
    """Return what two copies of a text have in common: case and white space do not count."""
    return " ".join(text.casefold().split())


def digest(folded: str | bytes) -> bytes:
    """Return 16 bytes that stand for a text that was folded, or its UTF-8: no two texts of a corpus collide."""
    content = folded.encode("utf-8", "surrogatepass") if isinstance(folded, str) else folded
    return hashlib.blake2b(content, digest_size=16).digest()


def numbered(digests: bytes) -> Indices:
    """Return the number of each document's text, shape (D,), from digests end to end; copies have the same number.

    Distinct texts are numbered as they appear.
    """
    halves = np.frombuffer(digests, dtype="<u8").reshape(-1, 2)
    order = np.lexsort((halves[:, 1], halves[:, 0]))  # stable: of equal digests the first document comes first
    is_new = np.ones(len(order), dtype=bool)
    is_new[1:] = (halves[order[1:]] != halves[order[:-1]]).any(axis=1)
    group = np.cumsum(is_new) - 1  # (D,), in the order of the digests
    rank = np.empty(int(is_new.sum()), dtype=np.int64)
    rank[np.argsort(order[is_new])] = np.arange(len(rank))
    numbers = np.empty(len(order), dtype=np.int64)
    numbers[order] = rank[group]
    return numbers


def complete(documents: Division, *, test_size: float, validation_size: float, seed: int) -> NDArray[np.int8]:
    """Draw the splits that a source lacks from its train split; returns the split of each document, shape (D,).

    Sizes are fractions of the source's train split, in documents. What is drawn has the labels in train's proportions,
    copies of a text stay in one split, and train keeps a document of every label. Raises UsageError for sizes that
    leave nothing, DataError if there are too few documents.
    """
    sizes = {"test": test_size, "validation": validation_size}
    if not (min(sizes.values()) > 0 and sum(sizes.values()) < 1):  # so that what is no number is refused, too
        given = f"--test-size {test_size:g} --validation-size {validation_size:g}"
        raise UsageError(f"{given}: both must be above 0, and their sum below 1")
    there = np.unique(documents.split).tolist()
    lacking = {split: size for split, size in sizes.items() if SPLITS.index(split) not in there}
    drawn = documents.split.copy()
    if lacking:
        drawn[drawn == 0] = _draw(documents.part("train"), lacking, seed)
    return drawn


def nested_order(labels: Indices, *, seed: int) -> Indices:
    """Return a permutation, shape (D,), each prefix of which has the labels, shape (D,), in their proportions.

    The first C are one document of each of the C labels, so that every prefix of C or more has all of them.
    """
    codes = _without_gaps(labels)
    order = _stratified_order(codes, np.ones_like(codes), seed)
    first = np.sort(np.unique(codes[order], return_index=True)[1])  # (C,), the place of each label's first document
    return np.concatenate([order[first], np.delete(order, first)])


def unseen_labels(documents: Division, names: Sequence[str]) -> dict[str, int]:
    """Count, in validation and test, the documents of each label, named here, that train does not have."""
    is_train = documents.split == 0
    unseen = np.bincount(documents.label[~is_train], minlength=len(names))
    unseen[documents.label[is_train]] = 0
    return {names[label]: int(unseen[label]) for label in np.flatnonzero(unseen).tolist()}


def duplicates(documents: Division) -> Duplicates:
    """Count the texts that come more than once, within a split and across splits."""
    _, first, text = np.unique(documents.text, return_index=True, return_inverse=True)
    crossing = documents.split != documents.split[first][text]
    conflicting = np.unique(text[documents.label != documents.label[first][text]])
    return Duplicates(len(text) - len(first), int(crossing.sum()), len(conflicting))


def _draw(documents: Division, sizes: Mapping[str, float], seed: int) -> NDArray[np.int8]:
    """Return the place in SPLITS of each document, shape (D,): 0, for train, unless it was drawn."""
    codes, groups = _without_gaps(documents.label), documents.text  # (D,)
    weights = np.bincount(groups)  # (G,), documents of a group
    order = _stratified_order(_majority(groups, codes), weights, seed)  # (G,)
    free = np.delete(order, _last_of_each_label(order, groups, codes))
    places = np.zeros(len(weights), dtype=np.int8)
    for split, size in sizes.items():
        taken = _fill(free, weights, max(1, round(size * len(codes))))
        if not taken:
            raise DataError(
                f"too few documents to draw a {split} split ({len(codes)} with {codes.max() + 1} labels, "
                f"{len(weights)} different texts): "
                f"add --{split} FILE"
            )
        places[taken] = SPLITS.index(split)
        free = free[places[free] == 0]
    return places[groups]


def _fill(order: Indices, weights: Indices, room: int) -> list[int]:
    """Take groups in order until the room is filled; one that is larger than what is left of it is passed over."""
    taken = []
    for group, weight in zip(order.tolist(), weights[order].tolist(), strict=True):
        if weight <= room:
            taken.append(group)
            room -= weight
        if not room:
            break
    return taken


def _stratified_order(codes: Indices, weights: Indices, seed: int) -> Indices:
    """Return an order of units, shape (U,), each prefix of which has about the same fraction of every class.

    The units of a class, shuffled, are spread evenly over the interval from 0 to 1, by their weight and from an offset
    that is drawn for each class: with one offset for all, small classes would come in at the same moment.
    """
    # only the bits of a generator are the same in every version of numpy; shuffle() and permutation() may change
    bits = np.random.PCG64(seed)
    shuffled = np.argsort(bits.random_raw(len(codes)), kind="stable")
    units = shuffled[np.argsort(codes[shuffled], kind="stable")]  # (U,), class after class, shuffled within
    unit_codes, unit_weights = codes[units], weights[units]
    totals = np.bincount(unit_codes, weights=unit_weights)  # (C,)
    offsets = bits.random_raw(len(totals)) / 2.0**64  # (C,), from 0 to 1
    before = np.cumsum(unit_weights) - unit_weights - (np.cumsum(totals) - totals)[unit_codes]  # in the unit's class
    keys = (before + offsets[unit_codes] * unit_weights) / totals[unit_codes]
    return units[np.argsort(keys, kind="stable")]


def _last_of_each_label(order: Indices, groups: Indices, codes: Indices) -> Indices:
    """Return the places in the order of the last group that has each label: these stay in train."""
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    last = np.zeros(codes.max() + 1, dtype=np.int64)
    np.maximum.at(last, codes, rank[groups])
    return np.unique(last)


def _majority(groups: Indices, codes: Indices) -> Indices:
    """Return the most common label of each group, shape (G,); of equally common ones the first by name."""
    classes = int(codes.max()) + 1
    pairs, counts = np.unique(groups * classes + codes, return_counts=True)
    pairs = pairs[np.lexsort((pairs, -counts, pairs // classes))]  # by group, then the most common label first
    first = np.unique(pairs // classes, return_index=True)[1]
    majority: Indices = pairs[first] % classes
    return majority


def _without_gaps(labels: Indices) -> Indices:
    """Return codes that are labels' places among those that are there."""
    return np.unique(labels, return_inverse=True)[1]
