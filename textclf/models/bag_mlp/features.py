"""Token ids to weighted bags of features: one bag of words and word pairs, one bag of subwords. No torch.

A feature that occurs n times in a document weighs ``(1 + log n) * sqrt(idf)``, and each bag is scaled to Euclidean
length 1. The idf is the smooth one of scikit-learn's TfidfVectorizer, ``1 + log((1 + documents) / (1 + documents with
the feature))``; see https://nlp.stanford.edu/IR-book/html/htmledition/sublinear-tf-scaling-1.html. The square root is
ours: a network can learn what a word is worth, and with the full idf rare words drown the frequent ones that carry
sentiment.

Words and pairs are features if at least two training documents have them. Pairs are neighbouring words, hashed
(https://arxiv.org/abs/0902.2206), so that counting them takes the same memory for any corpus: see `pair_hashes`.
Subwords are runs of characters: see `textclf.text.subwords`.

Letters: B documents, V views (bags per document), N features in all bags, T tokens, W words, P pairs, F features.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, ClassVar, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from textclf.models.bag_mlp.pair_hashes import PAIR_BITS, PairHashes
from textclf.text.bit_rank import Ranks
from textclf.text.ragged import offsets, places
from textclf.text.tokenizer import PAD_ID, UNK_ID, Tokenizer

MAX_PAIRS: Final = 100_000
"""Maximum number of pairs that are features."""
MIN_DOCUMENTS: Final = 2
"""Training documents that must have a word or a pair for it to be a feature."""


class BagInputs(NamedTuple):
    """The weighted bags of B documents, end to end."""

    features: NDArray[np.int32]
    """Shape (N,)."""
    offsets: NDArray[np.int64]
    """Shape (V * B,), where each bag starts: first the bags of words and pairs of all documents, then of subwords."""
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
    """Which tokens of a document its features come from; a pair comes from two."""

    features: NDArray[np.int64]
    """Shape (M,)."""
    tokens: NDArray[np.int64]
    """Shape (M,), token numbers in the document; an unknown word and its subwords are one token."""
    shares: NDArray[np.float64]
    """Shape (M,); the shares of a feature add up to its count."""


class Located(NamedTuple):
    """Features of one kind, each as often as it occurs."""

    features: NDArray[np.integer]
    """Shape (M,)."""
    at: NDArray[np.int64]
    """Shape (M,), the index of the word that each comes from; of a pair, of the first word."""


class Found(NamedTuple):
    """What occurs in B documents."""

    words: Located
    pairs: Located
    subwords: Located
    document: NDArray[np.int64]
    """Shape (W,), the index of the document of each word."""


@dataclass(frozen=True)
class Bag:
    """Counts the features of documents, and weighs them by their rarity in the training documents.

    Features are numbered: the ids of the frequent words, then the pairs, then the subwords. Feature 0, ``<pad>``, is
    once in every bag with weight 0, so that no bag is empty.
    """

    words: int
    """Word ids below are features. Ids are sorted by falling count: few below are rare, and none above is frequent."""
    pairs: NDArray[np.int32]
    """Shape (P,), ascending, hashes of the pairs that are features."""
    spelling: NDArray[np.int32]
    """The subwords of every word, end to end, counted from 0."""
    spelled: NDArray[np.int32]
    """Shape (vocabulary,), number of subwords of each word."""
    rarity: NDArray[np.float32]
    """Shape (F,), square root of each feature's inverse document frequency; 0 for ``<pad>`` and ``<unk>``."""
    vocabulary: Sequence[str] = field(repr=False)
    """The word of each id."""
    max_length: ClassVar[int] = np.iinfo(np.int32).max
    """Number of tokens that are read from the start of a document: all of them."""
    DERIVED: ClassVar[tuple[str, ...]] = ("spelling", "spelled", "vocabulary")

    @property
    def views(self) -> int:
        """Bags per document: words and pairs, and subwords if the vocabulary has any."""
        return 2 if len(self.spelling) else 1

    @property
    def sizes(self) -> dict[str, int]:
        """Keyword arguments of the network that follow from the features."""
        return {"features": len(self.rarity), "views": self.views}

    @classmethod
    def derive(cls, tokenizer: Tokenizer, *, known: Collection[str] = ()) -> dict[str, Any]:
        """The vocabulary, and the subwords of its words if they are not known."""
        names = ("spelling", "spelled")
        subwords = () if set(known) & set(names) else zip(names, tokenizer.spelling(), strict=True)
        return {"vocabulary": tokenizer.words, **dict(subwords)}

    def fits(self, tokenizer: Tokenizer) -> bool:
        """Whether the fields are consistent, and of that vocabulary: a file may be damaged."""
        parts = len(tokenizer.parts)
        return bool(
            isinstance(self.words, int)
            and UNK_ID < self.words <= tokenizer.size
            and self.vocabulary == tokenizer.words
            and self.pairs.dtype == self.spelling.dtype == self.spelled.dtype == np.int32
            and self.pairs.ndim == 1
            and (np.diff(self.pairs, prepend=-1, append=2**PAIR_BITS) > 0).all()
            and self.spelled.shape == (tokenizer.size,)
            and (self.spelled >= 0).all()
            and not self.spelled[: UNK_ID + 1].any()
            and self.spelling.shape == (self.spelled.sum(),)
            and ((self.spelling >= 0) & (self.spelling < parts)).all()
            and self.rarity.shape == (self.words + len(self.pairs) + parts,)
            and (self.rarity >= 0).all()
            and not self.rarity[: UNK_ID + 1].any()
        )

    def __call__(
        self, tokens: NDArray[np.int32], lengths: NDArray[np.int64], rows: NDArray[np.int64] | None = None
    ) -> BagInputs:
        """Weighted bags of B documents: token ids end to end, shape (T,), and lengths, shape (B,).

        The row numbers in documents.parquet, shape (B,), matter to a `FeatureCache` only.
        """
        return self.weigh(self.count(tokens, lengths))

    def count(self, tokens: NDArray[np.int32], lengths: NDArray[np.int64]) -> Counts:
        """Count the features of B documents: token ids end to end, shape (T,), and lengths, shape (B,).

        A feature in a bag is a key, one integer with the bag in its high bits. Sorting keys brings equal ones together,
        many times as fast as sorting indices would, and twice as fast in 32 bits, where they fit, as in 64.
        """
        words, pairs, subwords, document = self.find(tokens, lengths)
        bits = len(self.rarity).bit_length()
        bag = _numbered(self.views * len(lengths), bits)  # (V * B,)
        keys = np.concatenate(
            (
                bag,  # each has <pad>
                bag[document[words.at]] | words.features.astype(bag.dtype),
                bag[document[pairs.at]] | pairs.features.astype(bag.dtype),
                bag[-len(lengths) :][document[subwords.at]] | subwords.features.astype(bag.dtype),
            )
        )
        keys.sort()
        starts = np.flatnonzero(np.append(True, keys[1:] != keys[:-1]))  # (N,)
        features = (keys[starts] & ((1 << bits) - 1)).astype(np.int32)
        return Counts(features, np.flatnonzero(features == PAD_ID), np.diff(starts, append=len(keys)))

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
        """Which tokens of one document, shape (T,), each feature comes from; both words have half of their pair."""
        words, pairs, subwords, _ = self.find(tokens, np.array([len(tokens)]))
        halves = np.repeat([1, 0.5, 0.5, 1], [len(found.at) for found in (words, pairs, pairs, subwords)])
        features = np.concatenate((words.features, pairs.features, pairs.features, subwords.features), dtype=np.int64)
        return Occurrences(features, np.concatenate((words.at, pairs.at, pairs.at + 1, subwords.at)), halves)

    def find(self, tokens: NDArray[np.int32], lengths: NDArray[np.int64]) -> Found:
        """The features of B documents, and where they occur: token ids, shape (T,), and lengths, shape (B,)."""
        is_word = tokens < len(self.spelled)
        word = tokens[is_word]  # (W,)
        document = np.repeat(np.arange(len(lengths)), lengths)[is_word]
        words = np.flatnonzero(word < self.words)
        pair = self._pair_index(self._pair_hashes(word))  # (W - 1,), or -1
        is_known = (word[:-1] != UNK_ID) & (word[1:] != UNK_ID) & (document[:-1] == document[1:])
        pairs = np.flatnonzero(is_known & (pair >= 0))
        of_words = self.spelling[places(self._spelling_starts[word], self.spelled[word])]
        of_unknown = tokens[~is_word] - len(self.spelled)  # subwords of unknown words follow their <unk>
        subwords = np.concatenate((of_words, of_unknown)) + np.int32(self.words + len(self.pairs))
        at_words, at_unknown = np.repeat(np.arange(len(word)), self.spelled[word]), np.cumsum(is_word)[~is_word] - 1
        return Found(
            Located(word[words], words),
            Located(pair[pairs] + np.int32(self.words), pairs),
            Located(subwords, np.concatenate((at_words, at_unknown))),
            document,
        )

    @cached_property
    def _pair_hashes(self) -> PairHashes:
        return PairHashes(self.vocabulary)

    @cached_property
    def _pair_index(self) -> Ranks:
        return Ranks(self.pairs, bits=PAIR_BITS)

    @cached_property
    def _spelling_starts(self) -> NDArray[np.int64]:
        return offsets(self.spelled)[:-1]


class DocumentFrequencies:
    """Counts the training documents that have each word, each hash of a pair, and each subword.

    These are the candidates that features are selected from.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        self.candidates = tokenizer.size + 2**PAIR_BITS + len(tokenizer.parts)
        every_pair = np.arange(2**PAIR_BITS, dtype=np.int32)
        no_rarity = np.broadcast_to(np.float32(0), self.candidates)  # takes no memory
        self._bag = Bag(tokenizer.size, every_pair, rarity=no_rarity, **Bag.derive(tokenizer))
        self._frequencies = np.zeros(self.candidates, dtype=np.int32)
        self._documents = 0

    def count(self, tokens: NDArray[np.int32], lengths: NDArray[np.int64]) -> Counts:
        """Count the candidates in documents, as `Bag.count` counts features."""
        return self._bag.count(tokens, lengths)

    def add(self, counts: Counts, *, documents: int) -> None:
        """Add training documents, whose candidates were counted."""
        np.add.at(self._frequencies, counts.features, np.int32(1))  # of the same type: ten times as fast
        self._documents += documents

    def select(self, *, max_pairs: int = MAX_PAIRS) -> NDArray[np.int64]:
        """The candidates that become features, shape (F,), ascending: so many of the pairs, the most frequent ones."""
        words, pairs = self._bag.words, self._bag.words + 2**PAIR_BITS
        last = np.flatnonzero(self._frequencies[:words] >= MIN_DOCUMENTS).max(initial=UNK_ID)
        common = words + np.flatnonzero(self._frequencies[words:pairs] >= MIN_DOCUMENTS)
        by_frequency = common[np.argsort(-self._frequencies[common], kind="stable")]
        return np.concatenate(
            (np.arange(last + 1), np.sort(by_frequency[:max_pairs]), np.arange(pairs, self.candidates))
        )

    def bag(self, selected: NDArray[np.int64]) -> Bag:
        """These candidates as features, with their rarity."""
        words, pairs = np.searchsorted(selected, [self._bag.words, self._bag.words + 2**PAIR_BITS]).tolist()
        hashes = (selected[words:pairs] - self._bag.words).astype(np.int32)
        rarity = np.sqrt(1 + np.log((1 + self._documents) / (1 + self._frequencies[selected])))
        rarity[: UNK_ID + 1] = 0  # an unknown word has no meaning of its own
        return replace(self._bag, words=words, pairs=hashes, rarity=rarity.astype(np.float32))


def _numbered(bags: int, bits: int) -> NDArray[Any]:
    """The numbers of bags, shifted to leave room for so many bits; raises ValueError if 63 bits are too few."""
    needed = bits + (bags - 1).bit_length()
    if needed > 63:
        raise ValueError("too many documents at once: their bags cannot be numbered in 63 bits")
    numbers: NDArray[Any] = np.arange(bags).astype(np.uint32 if needed <= 32 else np.int64)
    return numbers << bits
