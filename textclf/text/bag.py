"""Token ids to weighted bags: one of the words of a document and its pairs of words, one of their parts. No torch.

Each distinct feature of a document counts once, with the weight ``(1 + log count) * sqrt(idf)``, scaled to length 1 for
each bag, with the smooth idf of scikit-learn's TfidfVectorizer: ``1 + log((1 + documents) / (1 + documents with it))``;
see https://nlp.stanford.edu/IR-book/html/htmledition/sublinear-tf-scaling-1.html. The square root is ours: a network
can learn what a word is worth, and with the full idf rare words drown the frequent ones that carry sentiment.

Words and pairs are features if two training documents have them. Pairs are neighbours in the text, hashed
(https://arxiv.org/abs/0902.2206), so that counting them takes the same memory for any corpus. Parts of words are runs
of characters: see `textclf.text.tokenizer`.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from textclf.ragged import offsets, places
from textclf.text.tokenizer import UNK_ID, Tokenizer

PAIR_BITS: Final = 22  # of a hashed pair: 4 million, of which most stay unused
MOST_PAIRS: Final = 100_000  # features; the most frequent
COMMON: Final = 2  # training documents that make a word or a pair a feature
FEW_PAIRS: Final = 1_000  # pairs that are looked up by searching

Tokens = tuple[NDArray[np.int32], NDArray[np.int64]]
"""Token ids of some documents end to end, shape (N,), and how many each has, shape (B,)."""


class BagInputs(NamedTuple):
    """V bags of each of B documents, end to end; N entries in all."""

    features: NDArray[np.int32]
    """Shape (N,)."""
    offsets: NDArray[np.int64]
    """Shape (V * B,), where each bag starts: first those of words and pairs, of all documents, then those of parts."""
    weights: NDArray[np.float32]
    """Shape (N,), Euclidean length 1 over each bag, 0 where it holds nothing known."""


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

    @classmethod
    def fit(cls, batches: Iterable[Tokens], *, tokenizer: Tokenizer, max_length: int | None = None) -> "Bag":
        """Count in how many of the training documents each feature occurs; all of a document counts."""
        spelling, spelled = tokenizer.spelling()
        words, pairs, parts = tokenizer.size, 2**PAIR_BITS, len(tokenizer.parts)
        unweighted = np.zeros(words + pairs + parts, dtype=np.float32)
        everything = cls(words, np.arange(pairs, dtype=np.int32), spelling, spelled, unweighted)
        frequency = np.zeros(len(unweighted), dtype=np.int32)
        documents = 0
        for tokens, lengths in batches:
            _, features, _ = everything._distinct(tokens, lengths)
            np.add.at(frequency, features, np.int32(1))  # of the same type: ten times as fast
            documents += len(lengths)
        of_words, of_pairs, of_parts = np.split(frequency, [words, words + pairs])
        words = int(np.flatnonzero(of_words >= COMMON).max(initial=UNK_ID)) + 1
        known = np.flatnonzero(of_pairs >= COMMON)
        kept = np.sort(known[np.argsort(-of_pairs[known], kind="stable")[:MOST_PAIRS]])
        occurrences = np.concatenate((of_words[:words], of_pairs[kept], of_parts))
        rarity = np.sqrt(1 + np.log((1 + documents) / (1 + occurrences)))
        rarity[: UNK_ID + 1] = 0  # an unknown word has no meaning of its own
        return cls(words, kept.astype(np.int32), spelling, spelled, rarity.astype(np.float32))

    @property
    def views(self) -> int:
        """Bags that each document has: of words and pairs, and of parts where the vocabulary has some."""
        return 2 if len(self.spelling) else 1

    @property
    def sizes(self) -> dict[str, int]:
        """What a model must know to read these inputs."""
        return {"features": len(self.rarity), "views": self.views}

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
        bags, features, counts = self._distinct(tokens, lengths)
        weights = (1 + np.log(counts.astype(np.float32))) * self.rarity[features]
        starts = np.searchsorted(bags, np.arange(self.views * len(lengths)))
        norms = np.sqrt(np.add.reduceat(weights * weights, starts, dtype=np.float64))  # no bag is empty: it has <pad>
        weights /= np.repeat(np.maximum(norms, 1e-12).astype(np.float32), np.diff(starts, append=len(bags)))
        return BagInputs(features.astype(np.int32), starts, weights)

    def _distinct(
        self, tokens: NDArray[np.int32], lengths: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """Distinct features of each bag: the bag, the feature and its count, each of shape (N,), by bag and feature.

        A feature in a bag is a key, one number with the bag in its high bits.
        """
        bits, bags = len(self.rarity).bit_length(), np.arange(self.views * len(lengths))
        document = np.repeat(np.arange(len(lengths)) << bits, lengths)
        is_word = tokens < len(self.spelled)
        word, word_document = tokens[is_word].astype(np.int64), document[is_word]
        pair, pair_document = self._pairs(word, word_document)
        keys, counts = _summed(word_document | word)
        distinct = keys & ((1 << bits) - 1)
        common = distinct < self.words
        found = [(bags << bits, None), (keys[common], counts[common]), (pair_document | self.words + pair, None)]
        if len(self.spelling):
            first_part, second_view = self.words + len(self.pairs), len(lengths) << bits
            spelled = self.spelled[distinct]
            part = self.spelling[places(self._spelling_starts[distinct], spelled)]
            of_words = np.repeat(keys - distinct + second_view + first_part, spelled) + part
            of_unknown = document[~is_word] + (second_view + first_part - len(self.spelled)) + tokens[~is_word]
            found += [(of_words, np.repeat(counts, spelled)), (of_unknown, None)]
        ones = np.ones(max(len(keys) for keys, _ in found), dtype=np.int64)
        every_key = np.concatenate([keys for keys, _ in found])
        every_count = np.concatenate([ones[: len(keys)] if counts is None else counts for keys, counts in found])
        keys, counts = _summed(every_key, every_count)
        return keys >> bits, keys & ((1 << bits) - 1), counts

    def _pairs(self, word: NDArray[np.int64], document: NDArray[np.int64]) -> tuple[NDArray[Any], NDArray[Any]]:
        """Places of the known pairs among the pairs, and the document of each."""
        known = (document[1:] == document[:-1]) & (word[1:] != UNK_ID) & (word[:-1] != UNK_ID)
        hashes, document = _hash(word[:-1][known], word[1:][known]), document[1:][known]
        if len(self.pairs) == 2**PAIR_BITS:  # while they are counted: every hash is in its place
            return hashes, document
        if len(hashes) >= FEW_PAIRS:
            place = self._pair_places[hashes]
            return place[place >= 0], document[place >= 0]
        where = np.searchsorted(self.pairs, hashes)
        found = np.append(self.pairs, -1)[where] == hashes
        return where[found], document[found]

    @cached_property
    def _pair_places(self) -> NDArray[np.int32]:
        """The place of each hash among the pairs, or -1: quicker than searching, once there are many to look up."""
        table = np.full(2**PAIR_BITS, -1, dtype=np.int32)
        table[self.pairs] = np.arange(len(self.pairs))
        return table

    @cached_property
    def _spelling_starts(self) -> NDArray[np.int64]:
        """Where the parts of each word begin."""
        return offsets(self.spelled)[:-1]


def _hash(first: NDArray[np.int64], second: NDArray[np.int64]) -> NDArray[np.int64]:
    """A number below 2 ** PAIR_BITS for each pair: multiplied, and the highest bits taken (Knuth, volume 3, 6.4)."""
    mixed = (first.astype(np.uint64) << np.uint64(32) | second.astype(np.uint64)) * np.uint64(0x9E3779B97F4A7C15)
    return (mixed >> np.uint64(64 - PAIR_BITS)).astype(np.int64)


def _summed(
    keys: NDArray[np.int64], counts: NDArray[np.int64] | None = None
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The distinct keys, rising, and of each the sum of its counts (or how often it stands there).

    Counts go in the low bits of the keys, so that one sort of plain numbers takes both along: many times as fast as
    sorting places. Raises ValueError if the two do not fit in 63 bits.
    """
    shift = 0 if counts is None else int(counts.max(initial=1)).bit_length()
    if int(keys.max(initial=0)).bit_length() + shift > 63:
        raise ValueError("too many documents at once: bags cannot be numbered in 63 bits")
    ordered = np.sort(keys if counts is None else keys << shift | counts)
    whole = ordered >> shift
    starts = np.flatnonzero(np.diff(whole, prepend=-1))
    if counts is None:
        return whole[starts], np.diff(starts, append=len(keys))
    return whole[starts], np.add.reduceat(ordered & ((1 << shift) - 1), starts)
