"""Which document is in which split and tier. Splits keep copies of a text together, and tiers are nested.

Pure functions of labels, texts and a seed: the same in every process, on every machine, with every version of numpy.
Documents are integers here, so that millions of them take megabytes and the texts need not be in memory.
"""

import hashlib
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from textclf.config import TIERS
from textclf.errors import DataError, UsageError
from textclf.sources.document import SPLITS
from textclf.system.wording import counted

Indices = NDArray[np.int32]
"""Of at most two billion documents, labels or texts."""


FILLED_AT_ONCE: Final = 1 << 16
"""Groups of documents that are looked at as Python integers, of 40 bytes, when a split is drawn."""


class DocumentCodes(NamedTuple):
    """D documents as three integers each."""

    split: NDArray[np.int8]
    """Shape (D,), like the rest: index in SPLITS."""
    label: Indices
    """Index among the sorted labels."""
    text: Indices
    """Number of the text, the same for all its copies: see `number_texts`."""

    def take(self, rows: NDArray[np.integer] | NDArray[np.bool_]) -> "DocumentCodes":
        """The documents at these indices."""
        return DocumentCodes(self.split[rows], self.label[rows], self.text[rows])

    def of_split(self, split: str) -> "DocumentCodes":
        """The documents of one split."""
        return self.take(self.split == SPLITS.index(split))


class Duplicates(NamedTuple):
    """Texts that occur more than once; two texts are the same if ``fold`` makes them equal."""

    copies: int
    """Documents whose text an earlier document has."""
    crossing: int
    """Those of them whose text first occurs in an earlier split: mostly what test and validation share with train."""
    conflicting: int
    """Texts with two labels or more."""


def fold(text: str) -> str:
    """Return the text without differences in case and white space."""
    return " ".join(text.casefold().split())


def digest(folded: str | bytes) -> bytes:
    """Return a 16-byte hash of a folded text, or of its UTF-8: no two texts of a corpus collide."""
    content = folded.encode("utf-8", "surrogatepass") if isinstance(folded, str) else folded
    return hashlib.blake2b(content, digest_size=16).digest()


def digest_of_pieces(pieces: Iterable[str]) -> bytes:
    """The digest of a folded text, given the text cut at white space."""
    found, between = hashlib.blake2b(digest_size=16), b""
    for piece in pieces:
        if content := fold(piece).encode("utf-8", "surrogatepass"):
            found.update(between + content)
            between = b" "
    return found.digest()


def number_texts(digests: bytes | bytearray) -> Indices:
    """Number the documents' texts, shape (D,), given their digests end to end; copies have the same number.

    Distinct texts are numbered in order of appearance.
    """
    halves = np.frombuffer(digests, dtype="<u8").reshape(-1, 2)
    order = np.lexsort((halves[:, 1], halves[:, 0])).astype(np.int32)  # stable: of equal ones the first comes first
    is_new = np.zeros(len(order), dtype=np.bool_)
    is_new[:1] = True
    for half in range(2):  # one after the other: both would take 300 bytes per document for a moment
        ordered = halves[order, half]
        is_new[1:] |= ordered[1:] != ordered[:-1]
    first = order[is_new]  # document of each distinct digest, in the order of the digests
    is_first = np.zeros(len(order), dtype=np.bool_)
    is_first[first] = True
    appearance = np.cumsum(is_first, dtype=np.int32) - 1
    numbers = np.empty(len(order), dtype=np.int32)
    numbers[order] = appearance[first][np.cumsum(is_new, dtype=np.int32) - 1]
    return numbers


def draw_missing(
    documents: DocumentCodes, *, test_size: float | None, validation_size: float, seed: int
) -> NDArray[np.int8]:
    """Draw the splits that a source lacks from its train split; returns the split of each document, shape (D,).

    Sizes are fractions of the documents of the source's train split; with a test size of None there is no test split.
    A drawn split has the labels in train's proportions, copies of a text stay in one split, and train keeps a document
    of every label. Raises UsageError for sizes that leave nothing, DataError if there are too few documents.
    """
    sizes = {} if test_size is None else {"test": test_size}
    sizes["validation"] = validation_size
    if not (min(sizes.values()) > 0 and sum(sizes.values()) < 1):  # false for NaN, too
        given = " ".join(f"--{split}-size {size:g}" for split, size in sizes.items())
        raise UsageError(f"{given}: both must be above 0, and their sum below 1")
    there = np.unique(documents.split).tolist()
    lacking = {split: size for split, size in sizes.items() if SPLITS.index(split) not in there}
    drawn = documents.split.copy()
    if lacking:
        train = documents.of_split("train")
        counts = {split: max(1, round(size * len(train.label))) for split, size in lacking.items()}
        drawn[drawn == 0] = _draw(train, counts, seed)
    return drawn


def draw(documents: DocumentCodes, counts: Mapping[str, int], *, seed: int) -> NDArray[np.int8]:
    """Draw so many of the documents for each split, or as many as there are to spare; the rest is train, which is 0.

    Returns the split of each document, shape (D,), drawn as `draw_missing` does.
    """
    if not len(documents.label):
        return np.zeros(0, dtype=np.int8)
    text = np.unique(documents.text, return_inverse=True)[1].astype(np.int32)
    return _draw(documents._replace(text=text), counts, seed, must_have=False)


def more_tiers(labels: Indices, is_new: NDArray[np.bool_], *, before: Mapping[str, int], seed: int) -> NDArray[np.int8]:
    """The smallest tier of each of D training documents that join others, shape (D,).

    ``before``: documents of each tier that are there and stay. Each tier grows to the size that all documents together
    give it, and gets a document of each label that is new to them, which ``is_new``, shape (D,), tells of documents.
    """
    smallest = np.empty(len(labels), dtype=np.int8)
    if not len(labels):
        return smallest
    order = nested_order(labels, seed=seed)
    newest = order[is_new[order]]
    first = newest[np.sort(np.unique(labels[newest], return_index=True)[1])]  # a document of each new label
    order = np.concatenate((first, order[~np.isin(order, first)]))
    every, sizes = before["full"] + len(labels), list[int]()
    for name, tier in TIERS.items():
        wanted = max(tier.size(every) - before[name], len(first), *sizes)
        sizes.append(min(wanted, len(labels)))
    for place, size in reversed(list(enumerate(sizes))):
        smallest[order[:size]] = place
    return smallest


def tiers(labels: Indices, *, seed: int) -> NDArray[np.int8]:
    """The smallest tier that each training document is in, shape (D,), given the labels; each tier has all labels.

    A tier is its index in TIERS.
    """
    order, classes = nested_order(labels, seed=seed), len(np.unique(labels))
    smallest = np.empty(len(labels), dtype=np.int8)
    for place, tier in reversed(list(enumerate(TIERS.values()))):
        smallest[order[: max(tier.size(len(labels)), classes)]] = place
    return smallest


def nested_order(labels: Indices, *, seed: int) -> Indices:
    """A permutation, shape (D,), each prefix of which has the labels, shape (D,), in their proportions.

    It begins with one document of each of the C labels, so that every prefix of C or more has all labels.
    """
    codes = _without_gaps(labels)
    order = _stratified_order(codes, np.ones_like(codes), seed)
    first = np.sort(np.unique(codes[order], return_index=True)[1])  # (C,), the place of each label's first document
    return np.concatenate([order[first], np.delete(order, first)])


def duplicates(documents: DocumentCodes) -> Duplicates:
    """Count the texts that occur more than once, within a split and across splits; documents are in order of split."""
    first = first_copies(documents.text)
    crossing = documents.split != documents.split[first]
    conflicting = np.unique(documents.text[documents.label != documents.label[first]])
    copies = int((first != np.arange(len(first))).sum())
    return Duplicates(copies, int(crossing.sum()), len(conflicting))


def first_copies(text: Indices) -> Indices:
    """The first document that has the text of each document, shape (D,), itself if there is none before it."""
    first = np.zeros(text.max(initial=-1) + 1, dtype=np.int32)
    first[text[::-1]] = np.arange(len(text), dtype=np.int32)[::-1]  # of several values numpy keeps the last
    copies: Indices = first[text]
    return copies


def _draw(
    documents: DocumentCodes, counts: Mapping[str, int], seed: int, *, must_have: bool = True
) -> NDArray[np.int8]:
    """Draw splits of so many documents; returns each document's index in SPLITS, shape (D,), 0 for train."""
    codes, groups = _without_gaps(documents.label), documents.text  # (D,)
    weights = np.bincount(groups).astype(np.int32)  # (G,), documents of a group
    order = _stratified_order(_majority(groups, codes, weights), weights, seed)  # (G,)
    free = np.delete(order, _last_of_each_label(order, groups, codes))
    places = np.zeros(len(weights), dtype=np.int8)
    for split, count in counts.items():
        taken = _fill(free, weights, count) if count else []
        if not taken and must_have:
            raise DataError(
                f"too few documents to draw a {split} split ({len(codes):,} with {counted(codes.max() + 1, 'label')}, "
                f"{counted(len(weights), 'different text')}): "
                f"add --{split} FILE"
            )
        places[taken] = SPLITS.index(split)
        free = free[places[free] == 0]
    return places[groups]


def _fill(order: Indices, weights: Indices, room: int) -> list[int]:
    """Take groups in order until the room is full; a group larger than the room that is left is skipped."""
    taken = []
    for start in range(0, len(order), FILLED_AT_ONCE):
        some = order[start : start + FILLED_AT_ONCE]
        for group, weight in zip(some.tolist(), weights[some].tolist(), strict=True):
            if weight <= room:
                taken.append(group)
                room -= weight
            if not room:
                return taken
    return taken


def _stratified_order(codes: Indices, weights: Indices, seed: int) -> Indices:
    """An order of units, shape (U,), each prefix of which has about the same fraction of every class.

    The units of a class are shuffled and spread evenly over the interval from 0 to 1, by weight, from an offset drawn
    for each class: with one offset for all, small classes would all enter at the same place.
    """
    # shuffle() and permutation() may change with the version of numpy; the bits of a generator do not
    bits = np.random.PCG64(seed)
    shuffled = np.argsort(bits.random_raw(len(codes)), kind="stable").astype(np.int32)
    units = shuffled[np.argsort(codes[shuffled], kind="stable")]  # (U,), class after class, shuffled within
    unit_codes, unit_weights = codes[units], weights[units]
    totals = np.bincount(unit_codes, weights=unit_weights)  # (C,)
    offsets = bits.random_raw(len(totals)) / 2.0**64  # (C,), from 0 to 1
    # In place, because each of these arrays takes 8 bytes per document: (before + offset * weight) / total.
    keys = np.cumsum(unit_weights, dtype=np.float64)
    keys -= unit_weights
    keys -= (np.cumsum(totals) - totals)[unit_codes]  # what is before the unit in its class
    keys += offsets[unit_codes] * unit_weights
    keys /= totals[unit_codes]
    order: Indices = units[np.argsort(keys, kind="stable")]
    return order


def _last_of_each_label(order: Indices, groups: Indices, codes: Indices) -> Indices:
    """For each label, the last place in the order with a group that has it: these groups stay in train."""
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    last = np.zeros(codes.max() + 1, dtype=np.int32)
    np.maximum.at(last, codes, rank[groups])
    return np.unique(last)


def _majority(groups: Indices, codes: Indices, weights: Indices) -> Indices:
    """The most common label of each group, shape (G,); of equally common labels the first by name."""
    classes = int(codes.max()) + 1
    majority = np.empty(len(weights), dtype=np.int32)
    majority[groups] = codes
    several = weights[groups] > 1  # in groups of more than one document, of which there are few
    pairs, counts = np.unique(groups[several].astype(np.int64) * classes + codes[several], return_counts=True)
    pairs = pairs[np.lexsort((pairs, -counts, pairs // classes))]  # by group, then the most common label first
    found, first = np.unique(pairs // classes, return_index=True)
    majority[found] = pairs[first] % classes
    return majority


def _without_gaps(labels: Indices) -> Indices:
    """Each label as its index among the labels that occur."""
    occurs = np.bincount(labels) > 0
    return (np.cumsum(occurs, dtype=np.int32) - 1)[labels]
