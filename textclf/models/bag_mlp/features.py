"""Token ids to weighted bags of features: one bag of words and word pairs, one bag of subwords and runs. No torch.

A feature that occurs n times in a document weighs ``(1 + log n) * sqrt(idf)``, and each bag is scaled to Euclidean
length 1. The idf is the smooth one of scikit-learn's TfidfVectorizer, ``1 + log((1 + documents) / (1 + documents with
the feature))``; see https://nlp.stanford.edu/IR-book/html/htmledition/sublinear-tf-scaling-1.html. The square root is
ours: a network can learn what a word is worth, and with the full idf rare words drown the frequent ones that carry
sentiment.

Words and pairs are features if at least two training documents have them. Pairs are neighbouring words, hashed
(https://arxiv.org/abs/0902.2206), so that counting them takes the same memory for any corpus: see
`textclf.text.word_hashes`.
Subwords are runs of characters: see `textclf.text.subwords`.

In scripts without spaces between words a word is one character (see `textclf.text.unspaced`), which has no subwords to
speak of. A corpus in such a script has runs as well, in the bag of the subwords: neighbouring words, at least one of
which is of such a script, hashed like pairs. The start of the document counts as a word of a run, because a text often
begins with what it is about. There the bag of subwords and runs has the full idf: a character is in nine runs, of which
those that are words are rarer, and with the root the loss was 0.5 % higher. No other corpus has runs, or pays for them.

Letters: B documents, V views (bags per document), N features in all bags, T tokens, W words, P pairs, R runs, L lengths
of runs, F features.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import pairwise
from typing import Any, ClassVar, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from textclf.text import unspaced
from textclf.text.arrays import Ranks, offsets, places, row_slices
from textclf.text.tokenizer import PAD_ID, UNK_ID, Tokenizer
from textclf.text.word_hashes import HASH_BITS, WordHashes, are_hashes, most_frequent

MAX_PAIRS: Final = 100_000
"""Maximum number of pairs that are features."""
RUN_LENGTHS: Final = (2, 3, 4)
"""Words of a run. Part of the format of a model: never change it."""
MAX_RUNS: Final = 300_000
"""Maximum number of runs that are features; if there are no more, those that one training document has are, too."""
TOKENS_AT_ONCE: Final = 1_000_000
"""Tokens whose features are counted together, as each takes 100 bytes for a moment."""
MIN_DOCUMENTS: Final = 2
"""Training documents that must have a word or a pair for it to be a feature."""


class BagInputs(NamedTuple):
    """The weighted bags of B documents, end to end."""

    features: NDArray[np.int32]
    """Shape (N,)."""
    offsets: NDArray[np.int64]
    """Shape (V * B,), where each bag starts: first the bags of words and pairs of all documents, then the others."""
    weights: NDArray[np.float32]
    """Shape (N,); each bag has Euclidean length 1, or 0 if all its features are unknown."""


class Counts(NamedTuple):
    """The bags of B documents before they are weighted, end to end."""

    features: NDArray[np.int32]
    """Shape (N,), ascending in each bag, so that ``<pad>`` comes first."""
    offsets: NDArray[np.int64]
    """Shape (V * B,), as in `BagInputs`."""
    counts: NDArray[Any]
    """Shape (N,), how often each feature occurs in its document; integers of any size."""


class Occurrences(NamedTuple):
    """Which tokens of a document its features come from; a pair comes from two, a run from up to four."""

    features: NDArray[np.int64]
    """Shape (M,)."""
    tokens: NDArray[np.int64]
    """Shape (M,), token numbers in the document; an unknown word and its subwords are one token."""
    shares: NDArray[np.float64]
    """Shape (M,); the shares of a feature add up to its count."""


class _SubwordTable(NamedTuple):
    """The subword features of each token id, end to end; those of ``<pad>`` are ``<pad>`` itself."""

    features: NDArray[np.int32]
    starts: NDArray[np.int64]
    lengths: NDArray[np.int64]

    def of(self, tokens: NDArray[np.int32]) -> NDArray[np.int32]:
        """The features of some tokens, token by token."""
        return self.features[places(self.starts[tokens], self.lengths[tokens])]


@dataclass(frozen=True)
class Bag:
    """Counts the features of documents, and weighs them by their rarity in the training documents.

    Features are numbered: the ids of the frequent words, then the pairs, the subwords and the runs. Feature 0,
    ``<pad>``, is once in every bag with weight 0, so that no bag is empty.
    """

    words: int
    """Word ids below are features. Ids are sorted by falling count: few below are rare, and none above is frequent."""
    pairs: NDArray[np.int32]
    """Shape (P,), ascending, hashes of the pairs that are features."""
    runs: NDArray[np.int32]
    """Shape (R,), ascending, hashes of the runs that are features; empty: there are no runs."""
    subwords: NDArray[np.int32]
    """The subwords of every word, end to end, counted from 0."""
    subword_counts: NDArray[np.int32]
    """Shape (vocabulary,), number of subwords of each word."""
    rarity: NDArray[np.float32]
    """Shape (F,), square root of each feature's inverse document frequency, or all of it, in the second bag where there
    are runs; 0 for ``<pad>`` and ``<unk>``."""
    vocabulary: Sequence[str] = field(repr=False)
    """The word of each id."""
    DERIVED: ClassVar[tuple[str, ...]] = ("subwords", "subword_counts", "vocabulary")

    @property
    def views(self) -> int:
        """Bags per document: words and pairs; and subwords and runs if there are any, even if no word has them."""
        return 2 if len(self.rarity) > self.words + len(self.pairs) else 1

    @property
    def sizes(self) -> dict[str, int]:
        """Keyword arguments of the network that follow from the features."""
        return {"features": len(self.rarity), "views": self.views}

    @classmethod
    def derive(cls, tokenizer: Tokenizer, *, known: Collection[str] = ()) -> dict[str, Any]:
        """The vocabulary, and the subwords of its words if they are not known."""
        names = ("subwords", "subword_counts")
        subwords = () if set(known) & set(names) else zip(names, tokenizer.spelling(), strict=True)
        return {"vocabulary": tokenizer.words, **dict(subwords)}

    def keys(self, tokenizer: Tokenizer) -> dict[str, Sequence[str] | NDArray[np.int32]]:
        """The words, the hashes of pairs, the subwords, and the hashes of runs."""
        words = tokenizer.words[: self.words]
        return {"words": words, "pairs": self.pairs, "subwords": tokenizer.parts, "runs": self.runs}

    def fits(self, tokenizer: Tokenizer) -> bool:
        """Whether the fields are consistent, and of that vocabulary: a file may be damaged."""
        parts = len(tokenizer.parts)
        return bool(
            isinstance(self.words, int)
            and UNK_ID < self.words <= tokenizer.size
            and self.vocabulary == tokenizer.words
            and self.subwords.dtype == self.subword_counts.dtype == np.int32
            and are_hashes(self.pairs)
            and are_hashes(self.runs)
            and self.subword_counts.shape == (tokenizer.size,)
            and (self.subword_counts >= 0).all()
            and not self.subword_counts[: UNK_ID + 1].any()
            and self.subwords.shape == (self.subword_counts.sum(),)
            and ((self.subwords >= 0) & (self.subwords < parts)).all()
            and self.rarity.shape == (self.words + len(self.pairs) + parts + len(self.runs),)
            and (self.rarity >= 0).all()
            and not self.rarity[: UNK_ID + 1].any()
        )

    def __call__(
        self, tokens: NDArray[np.int32], lengths: NDArray[np.int64], rows: NDArray[np.integer] | None = None
    ) -> BagInputs:
        """Weighted bags of B documents: token ids end to end, shape (T,), and lengths, shape (B,).

        The rows of the table of documents, shape (B,), matter to a `FeatureCache` only.
        """
        return self.weigh(self.count(tokens, lengths))

    def cuts(self, tokens: NDArray[np.int32], lengths: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Every document is read to its end."""
        return np.zeros(len(lengths), dtype=np.bool_)

    def count(self, tokens: NDArray[np.int32], lengths: NDArray[np.int64], *, at_once: int = TOKENS_AT_ONCE) -> Counts:
        """Count the features of B documents: token ids end to end, shape (T,), and lengths, shape (B,)."""
        if len(tokens) <= at_once:
            return self._count(tokens, lengths)
        ends = offsets(lengths)
        counted = []
        for rows in row_slices(ends, at_most=at_once):
            some = tokens[ends[rows.start] : ends[rows.stop]]
            is_long = len(some) > at_once  # one document
            counted.append(self._count_long(some, at_once) if is_long else self._count(some, lengths[rows]))
        return _side_by_side(counted, views=self.views)

    def _count_long(self, tokens: NDArray[np.int32], at_once: int) -> Counts:
        """Count the features of one document part by part; a part of words is followed by the first of the next."""
        counts = np.zeros(len(self.rarity), dtype=np.int64)
        word = np.append(np.int32(PAD_ID), tokens[tokens < len(self.vocabulary)])
        for start in range(0, len(word), at_once):
            words = word[start : start + at_once]
            counts += np.bincount(words[words < self.words], minlength=len(counts))
            counts += np.bincount(self._pairs_from(word[start : start + at_once + 1]), minlength=len(counts))
            if len(self.runs):
                runs = self._runs_from(word[start : start + at_once + max(RUN_LENGTHS) - 1])[:at_once]
                counts += np.bincount(runs.ravel(), minlength=len(counts))
        for start in range(0, len(tokens) if self.views > 1 else 0, at_once):
            counts += np.bincount(self._subword_table.of(tokens[start : start + at_once]), minlength=len(counts))
        counts[PAD_ID] = 0
        found = np.flatnonzero(counts).astype(np.int32)
        ends = [np.searchsorted(found, self.words + len(self.pairs))]
        bags = [np.append(np.int32(PAD_ID), bag) for bag in np.split(found, ends)[: self.views]]
        features = np.concatenate(bags)
        return Counts(features, offsets(np.array(list(map(len, bags))))[:-1], np.maximum(counts[features], 1))

    def _count(self, tokens: NDArray[np.int32], lengths: NDArray[np.int64]) -> Counts:
        tokens, starts = _separated(tokens, lengths)  # (T + B,), (B,)
        is_word = tokens < len(self.vocabulary)
        word = tokens[is_word]  # (W,)
        words = np.where(word < self.words, word, np.int32(PAD_ID))
        features = np.stack((words, self._pairs_from(word)), axis=1).ravel()  # (2 * W,)
        sizes = 2 * np.add.reduceat(is_word, starts, dtype=np.int64)  # (B,)
        if self.views > 1:
            others, counts = self._subword_table.of(tokens), self._subword_table.lengths[tokens]
            if len(self.runs):
                others, counts = self._with_runs(others, counts, is_word, word)
            features = np.concatenate((features, others))
            sizes = np.concatenate((sizes, np.add.reduceat(counts, starts)))
        return _count(features, offsets(sizes))

    def _with_runs(
        self,
        subwords: NDArray[np.int32],
        counts: NDArray[np.int64],
        is_word: NDArray[np.bool_],
        word: NDArray[np.int32],
    ) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        """The subwords of tokens, followed by the runs that begin there, and how many of both each token has."""
        runs = self._runs_from(word)  # (W, L)
        is_run = runs > PAD_ID
        added = is_run.sum(axis=1)
        ends = offsets(counts)[1:][is_word]
        counts = counts.copy()
        counts[is_word] += added
        return np.insert(subwords, np.repeat(ends, added), runs[is_run]), counts

    def weigh(self, counts: Counts) -> BagInputs:
        """Weigh each feature in its bag."""
        most = int(counts.counts.max(initial=1))
        of_count = 1 + np.log(np.arange(1, most + 1, dtype=np.float32))  # a table: most counts are the same few
        weights = of_count[counts.counts - 1] * self.rarity[counts.features]
        norms = np.sqrt(np.add.reduceat(weights * weights, counts.offsets, dtype=np.float64))  # no bag is empty
        sizes = np.diff(counts.offsets, append=len(weights))
        weights /= np.repeat(np.maximum(norms, 1e-12).astype(np.float32), sizes)
        return BagInputs(counts.features, counts.offsets, weights)

    def occurrences(self, tokens: NDArray[np.int32]) -> Occurrences:
        """Which tokens of one document, shape (T,), each feature comes from; the words of a pair or run share it."""
        is_word = tokens < len(self.vocabulary)
        token = np.cumsum(is_word) - 1  # (T,), an unknown word and its subwords are one
        word = tokens[is_word]  # (W,)
        words, subwords = np.flatnonzero(word < self.words), self._subword_table.of(tokens)
        found = [
            (word[words], words, np.ones(len(words))),
            (subwords, np.repeat(token, self._subword_table.lengths[tokens]), np.ones(len(subwords))),
        ]
        for length, runs in self._neighbours(np.append(np.int32(PAD_ID), word)):
            first = np.flatnonzero(runs)
            owners = first - 1 + np.arange(length)[:, None]  # (L, M), -1: the start of the document
            shares = np.broadcast_to(1 / (length - (first == 0)), owners.shape)
            is_word_of = owners >= 0
            found.append(
                (np.broadcast_to(runs[first], owners.shape)[is_word_of], owners[is_word_of], shares[is_word_of])
            )
        features, owners, shares = (np.concatenate(column) for column in zip(*found, strict=True))
        return Occurrences(features.astype(np.int64), owners, shares)

    def neighbours_in(
        self, tokens: NDArray[np.int32], lengths: NDArray[np.int64]
    ) -> Iterator[tuple[NDArray[np.int32], NDArray[np.int32]]]:
        """The pairs in B documents, then the runs: features, shape (M,), and the ids of their words, (M, length)."""
        tokens, _ = _separated(tokens, lengths)
        word = tokens[tokens < len(self.vocabulary)]
        for length, runs in self._neighbours(word):
            at = np.flatnonzero(runs)
            yield runs[at], word[at[:, None] + np.arange(length)]

    def _neighbours(self, word: NDArray[np.int32]) -> Iterator[tuple[int, NDArray[np.int32]]]:
        """Of pairs and of the runs of each length: the length, and the feature from each word on, or ``<pad>``."""
        yield 2, self._pairs_from(word)
        if len(self.runs):
            yield from zip(RUN_LENGTHS, self._runs_from(word).T, strict=True)

    def _pairs_from(self, word: NDArray[np.int32]) -> NDArray[np.int32]:
        """The feature of each word and the next, shape (W,), or ``<pad>``, as of the last word."""
        index = self._pair_index(self._word_hashes.pairs(word))  # (W - 1,)
        is_known = word > UNK_ID
        is_pair = (index >= 0) & is_known[:-1] & is_known[1:]
        return np.append(np.where(is_pair, index + np.int32(self.words), np.int32(PAD_ID)), np.int32(PAD_ID))

    def _runs_from(self, word: NDArray[np.int32]) -> NDArray[np.int32]:
        """The features of each word and those after it, shape (W, L), or ``<pad>``: a column for each length.

        All words of a run are known, except that the first may be the start of a document.
        """
        first = np.int32(len(self.rarity) - len(self.runs))
        found = np.full((len(word), len(RUN_LENGTHS)), PAD_ID, dtype=np.int32)
        known, single = (offsets(each) for each in (word > UNK_ID, self._is_unspaced[word]))  # words up to each
        for column, length in enumerate(RUN_LENGTHS):
            index = self._run_index(self._word_hashes.runs(word, length))  # (W - length + 1,)
            count = len(index)
            is_known = (known[length:] - known[1 : count + 1] == length - 1) & (word[:count] != UNK_ID)
            is_run = (index >= 0) & is_known & (single[length:] > single[:count])
            found[:count, column] = np.where(is_run, index + first, np.int32(PAD_ID))
        return found

    @cached_property
    def _is_unspaced(self) -> NDArray[np.bool_]:
        """Which words are of scripts without spaces, shape (vocabulary,)."""
        return unspaced.which(self.vocabulary)

    @cached_property
    def _run_index(self) -> Ranks:
        return Ranks(self.runs, bits=HASH_BITS)

    @cached_property
    def _word_hashes(self) -> WordHashes:
        return WordHashes(self.vocabulary)

    @cached_property
    def _pair_index(self) -> Ranks:
        return Ranks(self.pairs, bits=HASH_BITS)

    @cached_property
    def _subword_table(self) -> _SubwordTable:
        first = self.words + len(self.pairs)
        every = np.arange(first, len(self.rarity) - len(self.runs), dtype=np.int32)  # ids after the vocabulary
        features = np.concatenate(([PAD_ID], self.subwords + first, every), dtype=np.int32)
        lengths = np.concatenate(([1], self.subword_counts[1:], np.ones(len(every))), dtype=np.int64, casting="unsafe")
        return _SubwordTable(features, offsets(lengths)[:-1], lengths)


class DocumentFrequencies:
    """Counts the training documents that have each word, each hash of a pair or run, and each subword.

    These are the candidates that features are selected from.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        every = np.arange(2**HASH_BITS, dtype=np.int32)
        runs = every if unspaced.prevails(tokenizer.words[UNK_ID + 1 :]) else every[:0]
        self._ends = np.cumsum([tokenizer.size, len(every), len(tokenizer.parts), len(runs)]).tolist()
        self.candidates: int = self._ends[-1]
        no_rarity = np.broadcast_to(np.float32(0), self.candidates)  # takes no memory
        self._bag = Bag(tokenizer.size, every, runs, rarity=no_rarity, **Bag.derive(tokenizer))
        self._frequencies = np.zeros(self.candidates, dtype=np.int32)
        self._documents = 0

    def count(self, tokens: NDArray[np.int32], lengths: NDArray[np.int64], *, at_once: int = TOKENS_AT_ONCE) -> Counts:
        """Count the candidates in documents, as `Bag.count` counts features."""
        return self._bag.count(tokens, lengths, at_once=at_once)

    def add(self, counts: Counts, *, documents: int) -> None:
        """Add training documents, whose candidates were counted."""
        np.add.at(self._frequencies, counts.features, np.int32(1))  # of the same type: ten times as fast
        self._documents += documents

    def select(self, *, max_pairs: int = MAX_PAIRS, max_runs: int = MAX_RUNS) -> NDArray[np.int64]:
        """The candidates that become features, shape (F,), ascending: of pairs and runs the most frequent ones."""
        words, pairs, parts, runs = self._ends
        last = np.flatnonzero(self._frequencies[:words] >= MIN_DOCUMENTS).max(initial=UNK_ID)
        fewest = 1 if np.count_nonzero(self._frequencies[parts:]) <= max_runs else MIN_DOCUMENTS
        return np.concatenate(
            (
                np.arange(last + 1),
                self._most_frequent(words, pairs, most=max_pairs),
                np.arange(pairs, parts),
                self._most_frequent(parts, runs, most=max_runs, fewest=fewest),
            )
        )

    def _most_frequent(self, start: int, end: int, *, most: int, fewest: int = MIN_DOCUMENTS) -> NDArray[np.int64]:
        """At most ``most`` of the candidates from ``start`` to ``end``, which ``fewest`` documents or more have."""
        return start + most_frequent(self._frequencies[start:end], most=most, fewest=fewest)

    def bag(self, selected: NDArray[np.int64]) -> Bag:
        """These candidates as features, with their rarity."""
        words, pairs, runs = np.searchsorted(selected, self._ends[:3]).tolist()
        rarity = np.sqrt(1 + np.log((1 + self._documents) / (1 + self._frequencies[selected])))
        if runs < len(selected):
            rarity[pairs:] **= 2  # the second bag
        rarity[: UNK_ID + 1] = 0  # an unknown word has no meaning of its own
        return replace(
            self._bag,
            words=words,
            pairs=(selected[words:pairs] - self._ends[0]).astype(np.int32),
            runs=(selected[runs:] - self._ends[2]).astype(np.int32),
            rarity=rarity.astype(np.float32),
        )


def _separated(tokens: NDArray[np.int32], lengths: NDArray[np.int64]) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Documents with ``<pad>`` before each, which is in no pair and makes no bag empty; and where each starts."""
    starts = offsets(lengths)[:-1]
    return np.insert(tokens, starts, PAD_ID), starts + np.arange(len(starts))


def _side_by_side(counted: Sequence[Counts], *, views: int) -> Counts:
    """The bags of several groups of documents: the first bags of all of them, then the second."""
    bags = [(found, np.append(found.offsets, len(found.features))) for found in counted]
    parts = [
        (found.features[start:end], found.counts[start:end], np.diff(bounds[first : last + 1]))
        for view in range(views)
        for found, bounds in bags
        for first, last in [(view * len(found.offsets) // views, (view + 1) * len(found.offsets) // views)]
        for start, end in [bounds[[first, last]].tolist()]
    ]
    features, counts, sizes = (np.concatenate(column) for column in zip(*parts, strict=True))
    return Counts(features, offsets(sizes)[:-1], counts)


def _count(features: NDArray[np.int32], bounds: NDArray[np.int64]) -> Counts:
    """Count equal features in each bag, all of which have a ``<pad>``; sorts them in place. Bounds: shape (V * B + 1,).

    A sort of each bag takes half the time of one sort of all, by a number that has the bag in its high bits.
    """
    for start, end in pairwise(bounds.tolist()):
        features[start:end].sort()
    is_first = np.append(True, features[1:] != features[:-1])
    is_first[bounds[:-1]] = True
    first = np.flatnonzero(is_first)  # (N,)
    features, counts = features[first], np.diff(first, append=len(is_first))
    starts = np.flatnonzero(features == PAD_ID)
    counts[starts] = 1  # <pad> also stands for what is not a feature
    return Counts(features, starts, counts)
