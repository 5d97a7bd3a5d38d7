"""Token ids to weighted bags: one of the words of a document and its pairs of words, one of their parts. No torch.

Each distinct feature of a document counts once, with the weight ``(1 + log count) * sqrt(idf)``, scaled to length 1 for
each bag, with the smooth idf of scikit-learn's TfidfVectorizer: ``1 + log((1 + documents) / (1 + documents with it))``;
see https://nlp.stanford.edu/IR-book/html/htmledition/sublinear-tf-scaling-1.html. The square root is ours: a network
can learn what a word is worth, and with the full idf rare words drown the frequent ones that carry sentiment.

Words and pairs are features if two training documents have them. Pairs are neighbours in the text, hashed
(https://arxiv.org/abs/0902.2206), so that counting them takes the same memory for any corpus. Parts of words are runs
of characters: see `textclf.text.tokenizer`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from textclf.text.bit_rank import Ranks
from textclf.text.ragged import offsets, places
from textclf.text.tokenizer import PAD_ID, UNK_ID, Tokenizer

PAIR_BITS: Final = 22  # of a hashed pair: 4 million, of which most stay unused
MOST_PAIRS: Final = 100_000  # features; the most frequent
COMMON: Final = 2  # training documents that make a word or a pair a feature


class BagInputs(NamedTuple):
    """V bags of each of B documents, end to end; N entries in all."""

    features: NDArray[np.int32]
    """Shape (N,)."""
    offsets: NDArray[np.int64]
    """Shape (V * B,), where each bag starts: first those of words and pairs, of all documents, then those of parts."""
    weights: NDArray[np.float32]
    """Shape (N,), Euclidean length 1 over each bag, 0 where it holds nothing known."""


class Counts(NamedTuple):
    """The same before they are weighed."""

    features: NDArray[np.int32]
    """Shape (N,), rising over each bag."""
    offsets: NDArray[np.int64]
    """Shape (V * B,)."""
    counts: NDArray[Any]
    """Shape (N,), how often each feature stands in its document."""

    def renumbered(self, places: NDArray[np.int32]) -> "Counts":
        """With features at other places, without those that have none: -1; ``<pad>``, which begins each bag, has."""
        features = places[self.features]
        is_there = features >= 0
        return Counts(features[is_there], np.cumsum(is_there)[self.offsets] - 1, self.counts[is_there])


class Occurrences(NamedTuple):
    """Which tokens of one document its features come from, M times that a token has a share in a feature."""

    features: NDArray[np.int64]
    """Shape (M,)."""
    tokens: NDArray[np.int64]
    """Shape (M,): places in the document, where an unknown word and the parts behind it are one token."""
    shares: NDArray[np.float64]
    """Shape (M,); those of a feature add up to how often it stands there."""


@dataclass(frozen=True)
class Bag:
    """Makes bags of features and weighs them by how rare they are in the training documents.

    Features are the token ids of the more frequent words, then the pairs, then the parts of words. Feature 0,
    ``<pad>``, is in every bag with weight 0, so that no bag is empty.
    """

    words: int
    """Token ids below are features. Ids stand by falling count, so few below are rare, and none above is frequent."""
    pairs: NDArray[np.int32]
    """Hashes of the pairs that are features, rising, shape (P,)."""
    spelling: NDArray[np.int32]
    """Parts of every word, end to end, counted from 0."""
    spelled: NDArray[np.int32]
    """How many parts each word has, shape (words,)."""
    rarity: NDArray[np.float32]
    """Square root of each feature's inverse document frequency, shape (features,); 0 for ``<pad>`` and ``<unk>``."""
    max_length: ClassVar[int] = np.iinfo(np.int32).max
    """Tokens kept: all of them."""
    DERIVED: ClassVar[tuple[str, ...]] = ("spelling", "spelled")

    @property
    def views(self) -> int:
        """Bags that each document has: of words and pairs, and of parts where the vocabulary has some."""
        return 2 if len(self.spelling) else 1

    @property
    def sizes(self) -> dict[str, int]:
        """What a model must know to read these inputs."""
        return {"features": len(self.rarity), "views": self.views}

    @classmethod
    def derive(cls, tokenizer: Tokenizer) -> dict[str, NDArray[Any]]:
        """The subwords of every word."""
        return dict(zip(cls.DERIVED, tokenizer.spelling(), strict=True))

    def fits(self, tokenizer: Tokenizer) -> bool:
        """Whether this is whole and of that vocabulary; what was read from a file may be damaged."""
        parts = len(tokenizer.parts)
        return bool(
            isinstance(self.words, int)
            and UNK_ID < self.words <= tokenizer.size
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
        """Weighted bags of documents whose token ids stand end to end; only `Remembered` looks at their rows."""
        return self.weigh(self.count(tokens, lengths))

    def count(self, tokens: NDArray[np.int32], lengths: NDArray[np.int64]) -> Counts:
        """The features of the documents."""
        return self._counter(tokens, lengths)

    def weigh(self, counted: Counts) -> BagInputs:
        """What each feature is worth in its bag."""
        features, starts, counts = counted
        worth = 1 + np.log(np.arange(1, counts.max(initial=1) + 1, dtype=np.float32))  # most counts are the same few
        weights = worth[counts - 1] * self.rarity[features]
        norms = np.sqrt(np.add.reduceat(weights * weights, starts, dtype=np.float64))  # no bag is empty: it has <pad>
        weights /= np.repeat(np.maximum(norms, 1e-12).astype(np.float32), np.diff(starts, append=len(features)))
        return BagInputs(features, starts, weights)

    def occurrences(self, tokens: NDArray[np.int32]) -> Occurrences:
        """Which tokens of one document each feature comes from: a pair from both, a part from its word."""
        is_word = tokens < len(self.spelled)
        token = np.cumsum(is_word) - 1
        word, at = tokens[is_word], token[is_word]
        features, owners = [word[word < self.words].astype(np.int64)], [at[word < self.words]]
        pair = self._find(_hashes(word)).astype(np.int64)
        is_pair = (pair >= 0) & (word[1:] != UNK_ID) & (word[:-1] != UNK_ID)
        features += [pair[is_pair] + self.words] * 2
        owners += [at[:-1][is_pair], at[1:][is_pair]]
        if len(self.spelling):
            spelled = self.spelled[word]
            of_words = self.spelling[places(offsets(self.spelled)[:-1][word], spelled)]
            of_unknown = tokens[~is_word] - len(self.spelled)
            features.append(np.concatenate((of_words, of_unknown)) + np.int64(self.words + len(self.pairs)))
            owners.append(np.concatenate((np.repeat(at, spelled), token[~is_word])))
        feature = np.concatenate(features)
        is_half = (feature >= self.words) & (feature < self.words + len(self.pairs))
        return Occurrences(feature, np.concatenate(owners), np.where(is_half, 0.5, 1.0))

    @cached_property
    def _find(self) -> Ranks:
        """Finds places of pairs among those that are features, by their hashes."""
        return Ranks(self.pairs, bits=PAIR_BITS)

    @cached_property
    def _counter(self) -> "Counter":
        parts = len(self.rarity) - self.words - len(self.pairs)
        return Counter(self.spelling, self.spelled, self.words, len(self.pairs), parts, self._find)


class Frequencies:
    """In how many documents each feature occurs, where every word and every hash of a pair is one."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._sizes = (tokenizer.size, 2**PAIR_BITS, len(tokenizer.parts))
        self._counter = Counter(*tokenizer.spelling(), *self._sizes, find=lambda hashes: hashes)
        self._occurrences = np.zeros(sum(self._sizes), dtype=np.int32)
        self._documents = 0

    def find(self, tokens: NDArray[np.int32], lengths: NDArray[np.int64]) -> Counts:
        """What is in some documents; several threads may ask at once."""
        return self._counter(tokens, lengths)

    def add(self, counted: Counts, documents: int) -> None:
        """Count so many documents more, in which this was found."""
        np.add.at(self._occurrences, counted.features, np.int32(1))  # of the same type: ten times as fast
        self._documents += documents

    def bag(self) -> Bag:
        """What the documents so far have in common."""
        of_words, of_pairs, of_parts = np.split(self._occurrences, np.cumsum(self._sizes)[:-1])
        words = int(np.flatnonzero(of_words >= COMMON).max(initial=UNK_ID)) + 1
        known = np.flatnonzero(of_pairs >= COMMON)
        kept = np.sort(known[np.argsort(-of_pairs[known], kind="stable")[:MOST_PAIRS]])
        occurrences = np.concatenate((of_words[:words], of_pairs[kept], of_parts))
        rarity = np.sqrt(1 + np.log((1 + self._documents) / (1 + occurrences)))
        rarity[: UNK_ID + 1] = 0  # an unknown word has no meaning of its own
        counter = self._counter
        return Bag(words, kept.astype(np.int32), counter.spelling, counter.spelled, rarity.astype(np.float32))

    def places(self, bag: Bag) -> NDArray[np.int32]:
        """The places of the features here among those of the bag, or -1."""
        places = np.full(sum(self._sizes), -1, dtype=np.int32)
        places[: bag.words] = np.arange(bag.words)
        places[self._sizes[0] + bag.pairs] = np.arange(len(bag.pairs)) + bag.words
        places[sum(self._sizes[:2]) :] = np.arange(self._sizes[2]) + bag.words + len(bag.pairs)
        return places


@dataclass(frozen=True)
class Counter:
    """Finds the distinct features of documents.

    A feature in a document is a key: one number, with the document in its high bits. Sorting keys brings together what
    is the same, many times as fast as sorting places would, and in 32 bits, where they fit, twice as fast as in 64.
    """

    spelling: NDArray[np.int32]
    """This and the next as a `Bag` has them."""
    spelled: NDArray[np.int32]
    words: int
    """Token ids below are features."""
    pairs: int
    """How many of them are features."""
    parts: int
    """How many there are."""
    find: Callable[[NDArray[np.int64]], NDArray[Any]]
    """Gives the hashes of pairs their places among the features, or -1."""

    @cached_property
    def _spelling_starts(self) -> NDArray[np.int64]:
        """Where the parts of each word begin."""
        return offsets(self.spelled)[:-1]

    def __call__(self, tokens: NDArray[np.int32], lengths: NDArray[np.int64]) -> Counts:
        """Count documents whose token ids stand end to end."""
        vocabulary = len(self.spelled)
        bits = (vocabulary + self.pairs).bit_length()  # every word has a key here, and the pairs follow
        pad = _numbered(len(lengths), bits)
        document, is_word = np.repeat(pad, lengths), tokens < vocabulary
        word = document[is_word] | tokens[is_word].astype(pad.dtype)
        keys = np.sort(np.concatenate((pad, word, self._pairs(tokens[is_word], document[is_word]))))
        starts = _starts(keys)
        keys, counts = keys[starts], np.diff(starts, append=len(keys))
        found = (keys & ((1 << bits) - 1)).astype(np.int32)
        is_word_found = found < vocabulary
        is_feature = ~is_word_found | (found < self.words)
        features = found[is_feature]
        features[features >= vocabulary] -= vocabulary - self.words
        counted = Counts(features, np.flatnonzero(features == PAD_ID), counts[is_feature])
        if not len(self.spelling):
            return counted
        words = keys[is_word_found] >> bits, found[is_word_found], counts[is_word_found]
        unknown = document[~is_word] >> bits, tokens[~is_word] - vocabulary
        return _end_to_end(counted, self._parts(words, unknown, len(lengths)))

    def _pairs(self, word: NDArray[np.int32], document: NDArray[Any]) -> NDArray[Any]:
        """Keys of the pairs that are features, each as often as it stands there."""
        place = self.find(_hashes(word))
        is_pair = (place >= 0) & (document[1:] == document[:-1]) & (word[1:] != UNK_ID) & (word[:-1] != UNK_ID)
        keys: NDArray[Any] = document[1:][is_pair] | (place[is_pair] + len(self.spelled)).astype(document.dtype)
        return keys

    def _parts(
        self,
        words: tuple[NDArray[Any], NDArray[np.int32], NDArray[np.int64]],
        unknown: tuple[NDArray[Any], NDArray[np.int32]],
        documents: int,
    ) -> Counts:
        """Count the parts of distinct words (document, id, count), and those of unknown words (document, part).

        The counts of the words are in the low bits of the keys, and a one above them makes room for ``<pad>``.
        """
        document, word, counts = words
        low = int(counts.max(initial=1)).bit_length()
        bits = low + self.parts.bit_length()
        pad = _numbered(documents, bits)
        spelled = self.spelled[word]
        part = self.spelling[places(self._spelling_starts[word], spelled)].astype(pad.dtype)
        of_words = np.repeat(pad[document] + (counts + (1 << low)).astype(pad.dtype), spelled) + (part << low)
        of_unknown = pad[unknown[0]] + ((unknown[1].astype(pad.dtype) + 1 << low) + 1)
        ordered = np.sort(np.concatenate((pad + 1, of_words, of_unknown)))
        keys = ordered >> low
        starts = _starts(keys)
        total = offsets(ordered & ((1 << low) - 1))
        found = (keys[starts] & ((1 << bits - low) - 1)).astype(np.int32)
        at = np.flatnonzero(found == 0)
        features = found + np.int32(self.words + self.pairs - 1)
        features[at] = PAD_ID
        return Counts(features, at, np.diff(total[starts], append=total[-1]))


def _hashes(words: NDArray[np.int32]) -> NDArray[np.int64]:
    """A number below 2 ** PAIR_BITS for each two neighbours, as one number of 64 bits with the first in its high half.

    It is multiplied, and the highest bits taken (Knuth, volume 3, 6.4).
    """
    multiplied = words.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    mixed = (multiplied[:-1] << np.uint64(32)) + multiplied[1:]
    return (mixed >> np.uint64(64 - PAIR_BITS)).view(np.int64)


def hash_pairs(pairs: NDArray[np.integer]) -> NDArray[np.int64]:
    """The number below 2 ** PAIR_BITS of each pair of word ids, shape (P, 2)."""
    return _hashes(pairs.astype(np.int32).ravel())[::2]


def _numbered(documents: int, bits: int) -> NDArray[Any]:
    """The numbers of the documents above so many bits, in the smallest type; raises ValueError if there is none."""
    needed = bits + documents.bit_length()
    if needed > 63:
        raise ValueError("too many documents at once: bags cannot be numbered in 63 bits")
    numbers: NDArray[Any] = np.arange(documents).astype(np.uint32 if needed <= 32 else np.int64)
    return numbers << bits


def _starts(keys: NDArray[Any]) -> NDArray[np.int64]:
    """Where each distinct key of a sorted array first stands."""
    is_new = np.ones(len(keys), dtype=bool)
    np.not_equal(keys[1:], keys[:-1], out=is_new[1:])
    return np.flatnonzero(is_new)


def _end_to_end(first: Counts, second: Counts) -> Counts:
    return Counts(
        np.concatenate((first.features, second.features)),
        np.concatenate((first.offsets, second.offsets + len(first.features))),
        np.concatenate((first.counts, second.counts)),
    )
