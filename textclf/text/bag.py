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
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from textclf.text.tokenizer import UNK_ID, Tokenizer

PAIR_BITS: Final = 22  # of a hashed pair: 4 million, of which most stay unused
MOST_PAIRS: Final = 100_000  # features; the most frequent
COMMON: Final = 2  # training documents that make a word or a pair a feature
REMEMBERED: Final = 20_000_000  # entries of bags that are kept, 8 bytes each

Tokens = tuple[NDArray[np.int32], NDArray[np.int64]]
"""Token ids of some documents end to end, shape (N,), and how many each has, shape (B,)."""


class BagInputs(NamedTuple):
    """V bags of each of B documents, end to end; N entries in all."""

    features: NDArray[np.int64]
    """Shape (N,)."""
    offsets: NDArray[np.int64]
    """Shape (V * B,), where each bag starts: first those of words and pairs, of all documents, then those of parts."""
    weights: NDArray[np.float32]
    """Shape (N,), Euclidean length 1 over each bag, 0 where it holds nothing known."""


@dataclass(frozen=True, slots=True)
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
    def fit(cls, batches: Iterable[Tokens], *, tokenizer: Tokenizer) -> "Bag":
        """Count in how many of the training documents each feature occurs."""
        spelling, spelled = tokenizer.spelling()
        words, pairs, parts = tokenizer.size, 2**PAIR_BITS, len(tokenizer.parts)
        unweighted = np.zeros(words + pairs + parts, dtype=np.float32)
        everything = cls(words, np.arange(pairs, dtype=np.int32), spelling, spelled, unweighted)
        frequency = np.zeros(len(unweighted), dtype=np.int32)
        documents = 0
        for tokens, lengths in batches:
            _, features, _ = everything._distinct(tokens, lengths)
            frequency += np.bincount(features, minlength=len(frequency))
            documents += len(lengths)
        of_words, of_pairs, of_parts = np.split(frequency, [words, words + pairs])
        words = int(np.flatnonzero(of_words >= COMMON).max(initial=UNK_ID)) + 1
        frequent = np.argsort(-of_pairs, kind="stable")[:MOST_PAIRS]
        kept = np.sort(frequent[of_pairs[frequent] >= COMMON])
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

    def __call__(self, tokens: NDArray[np.int32], lengths: NDArray[np.int64]) -> BagInputs:
        """Weighted bags of documents whose token ids stand end to end."""
        bags, features, counts = self._distinct(tokens, lengths)
        weights = (1 + np.log(counts)) * self.rarity[features]
        norms = np.sqrt(np.bincount(bags, weights * weights))
        weights /= np.maximum(norms, 1e-12)[bags]
        offsets = np.searchsorted(bags, np.arange(self.views * len(lengths)))
        return BagInputs(features, offsets, weights.astype(np.float32))

    def _distinct(
        self, tokens: NDArray[np.int32], lengths: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """Distinct features of each bag: the bag, the feature and its count, each of shape (N,), by bag and feature."""
        documents = len(lengths)
        document = np.repeat(np.arange(documents), lengths)
        is_word = tokens < len(self.spelled)
        word, word_document = tokens[is_word].astype(np.int64), document[is_word]
        common = word < self.words
        pair, pair_document = self._pairs(word, word_document)
        found = [
            (np.arange(self.views * documents), np.zeros(self.views * documents, dtype=np.int64)),
            (word_document[common], word[common]),
            (pair_document, self.words + pair),
        ]
        if len(self.spelling):
            first_part = self.words + len(self.pairs)
            source, part = _expand(self.spelling, self.spelled, word)
            found.append((documents + word_document[source], first_part + part))
            found.append((documents + document[~is_word], first_part + tokens[~is_word] - len(self.spelled)))
        bags, features = (np.concatenate(column) for column in zip(*found, strict=True))
        keys, counts = np.unique(bags * len(self.rarity) + features, return_counts=True)
        return keys // len(self.rarity), keys % len(self.rarity), counts

    def _pairs(self, word: NDArray[np.int64], document: NDArray[np.int64]) -> tuple[NDArray[Any], NDArray[Any]]:
        """Places of the known pairs among the pairs, and the document of each."""
        known = (document[1:] == document[:-1]) & (word[1:] != UNK_ID) & (word[:-1] != UNK_ID)
        hashes = _hash(word[:-1][known], word[1:][known])
        if len(self.pairs) == 2**PAIR_BITS:  # while they are counted: every hash is in its place
            return hashes, document[1:][known]
        places = np.searchsorted(self.pairs, hashes)
        found = places < len(self.pairs)
        found[found] = self.pairs[places[found]] == hashes[found]
        return places[found], document[1:][known][found]


class Remembered:
    """Bags that are made once for each document and then kept; a document is known again by its token ids.

    Making them can take longer than learning from them.
    """

    def __init__(self, bag: Bag, *, limit: int = REMEMBERED) -> None:
        self.bag = bag
        self.room = limit
        self._kept: dict[bytes, list[tuple[NDArray[np.int32], NDArray[np.float32]]]] = {}

    def __call__(self, tokens: NDArray[np.int32], lengths: NDArray[np.int64]) -> BagInputs:
        """The same as ``bag(tokens, lengths)``."""
        ends = np.cumsum(lengths).tolist()
        keys = [tokens[end - length : end].tobytes() for end, length in zip(ends, lengths.tolist(), strict=True)]
        kept = [self._kept.get(key) for key in keys]
        if any(bags is None for bags in kept):
            made = self.bag(tokens, lengths)
            self._keep(keys, made)
            return made
        bags = [document[view] for view in range(self.bag.views) for document in kept if document]
        features, weights = (np.concatenate(column) for column in zip(*bags, strict=True))
        sizes = np.array([len(bag) for bag, _ in bags])
        return BagInputs(features.astype(np.int64), np.cumsum(sizes) - sizes, weights)

    def _keep(self, keys: list[bytes], made: BagInputs) -> None:
        if self.room < 0:
            return
        self.room -= len(made.features)
        features = np.split(made.features.astype(np.int32), made.offsets[1:])
        weights = np.split(made.weights, made.offsets[1:])
        bags = list(zip(features, weights, strict=True))
        for number, key in enumerate(keys):
            self._kept[key] = bags[number :: len(keys)]


def _hash(first: NDArray[np.int64], second: NDArray[np.int64]) -> NDArray[np.int64]:
    """A number below 2 ** PAIR_BITS for each pair: multiplied, and the highest bits taken (Knuth, volume 3, 6.4)."""
    mixed = (first.astype(np.uint64) << np.uint64(32) | second.astype(np.uint64)) * np.uint64(0x9E3779B97F4A7C15)
    return (mixed >> np.uint64(64 - PAIR_BITS)).astype(np.int64)


def _expand(
    values: NDArray[np.int32], counts: NDArray[np.int32], rows: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Values of some rows of a ragged table, end to end, and for each which of the ``rows`` it is from."""
    ends = np.cumsum(counts, dtype=np.int64)
    taken = counts[rows].astype(np.int64)
    source = np.repeat(np.arange(len(rows)), taken)
    place = np.arange(len(source)) - np.repeat(np.cumsum(taken) - taken, taken)
    return source, values[(ends - counts)[rows][source] + place].astype(np.int64)
