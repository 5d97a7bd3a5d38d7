"""Which document goes where: splits that keep copies of a text together, and an order whose prefixes nest.

Pure functions of labels, texts and a seed: the same in every process, on every machine, with every version of numpy.
"""

import hashlib
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from textclf.corpora.document import SPLITS, Document
from textclf.errors import DataError, UsageError

Indices = NDArray[np.int64]
Splits = Mapping[str, list[Document]]


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


def complete(splits: Splits, *, test_size: float, validation_size: float, seed: int) -> dict[str, list[Document]]:
    """Draw the splits that a source lacks from its train split; those it has stay as they are.

    Sizes are fractions of the source's train split, in documents. What is drawn has the labels in train's proportions,
    copies of a text stay in one split, and train keeps a document of every label. Raises UsageError for sizes that
    leave nothing, DataError if there are too few documents.
    """
    sizes = {"test": test_size, "validation": validation_size}
    if min(sizes.values()) <= 0 or sum(sizes.values()) >= 1:
        given = f"--test-size {test_size:g} --validation-size {validation_size:g}"
        raise UsageError(f"{given}: both must be above 0, and their sum below 1")
    lacking = {split: size for split, size in sizes.items() if split not in splits}
    if not lacking:
        return dict(splits)
    train = splits["train"]
    places = _draw(train, lacking, seed)
    drawn = {split: [train[i] for i in np.flatnonzero(places == SPLITS.index(split))] for split in SPLITS}
    return {**drawn, **{split: rows for split, rows in splits.items() if split != "train"}}


def nested_order(labels: Sequence[str], *, seed: int) -> Indices:
    """Return a permutation, shape (D,), each prefix of which has the labels in their proportions.

    The first C are one document of each of the C labels, so that every prefix of C or more has all of them.
    """
    codes = _codes(labels)
    order = _stratified_order(codes, np.ones_like(codes), seed)
    first = np.sort(np.unique(codes[order], return_index=True)[1])  # (C,), the place of each label's first document
    return np.concatenate([order[first], np.delete(order, first)])


def unseen_labels(splits: Splits) -> dict[str, int]:
    """Count, in validation and test, the documents of each label that train does not have."""
    known = {document.label for document in splits["train"]}
    counts: dict[str, int] = {}
    for split in SPLITS[1:]:
        for document in splits.get(split, ()):
            if document.label not in known:
                counts[document.label] = counts.get(document.label, 0) + 1
    return dict(sorted(counts.items()))


def duplicates(splits: Splits) -> Duplicates:
    """Count the texts that come more than once, within a split and across splits."""
    firsts: dict[bytes, tuple[str, str]] = {}
    conflicting: set[bytes] = set()
    copies = crossing = 0
    for split in SPLITS:
        for document in splits.get(split, ()):
            key = _key(document.text)
            first_split, first_label = firsts.setdefault(key, (split, document.label))
            crossing += first_split != split
            copies += 1
            if first_label != document.label:
                conflicting.add(key)
    return Duplicates(copies - len(firsts), crossing, len(conflicting))


def _draw(documents: Sequence[Document], sizes: Mapping[str, float], seed: int) -> NDArray[np.int8]:
    """Return the place in SPLITS of each document, shape (D,): 0, for train, unless it was drawn."""
    codes = _codes([document.label for document in documents])  # (D,)
    groups = _groups(documents)  # (D,)
    weights = np.bincount(groups)  # (G,), documents of a group
    order = _stratified_order(_majority(groups, codes), weights, seed)  # (G,)
    free = np.delete(order, _last_of_each_label(order, groups, codes))
    places = np.zeros(len(weights), dtype=np.int8)
    for split, size in sizes.items():
        taken = _fill(free, weights, max(1, round(size * len(documents))))
        if not taken:
            raise DataError(
                f"too few documents to draw a {split} split ({len(documents)} with {codes.max() + 1} labels): "
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


def _groups(documents: Sequence[Document]) -> Indices:
    """Return the number of each document's text, shape (D,); distinct texts are numbered as they appear."""
    numbers: dict[bytes, int] = {}
    return np.array([numbers.setdefault(_key(document.text), len(numbers)) for document in documents], dtype=np.int64)


def _codes(labels: Sequence[str]) -> Indices:
    names = {name: code for code, name in enumerate(sorted(set(labels)))}
    return np.array([names[label] for label in labels], dtype=np.int64)


def _key(text: str) -> bytes:
    # 16 bytes instead of the folded text: a million documents then take megabytes, and no two of them collide
    return hashlib.blake2b(fold(text).encode("utf-8", "surrogatepass"), digest_size=16).digest()
