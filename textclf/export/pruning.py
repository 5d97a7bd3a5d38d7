"""A model with only the most important of its features: of its words, pairs of words and parts of words.

How much a feature matters is the length of its embedding, times the fourth root of the sum of its squared weights in
the training documents: a feature matters that moves the answer far, and rather one that often does. (By the square
root, which would be its share in all that moves the answers, too many frequent words were kept that say little.)

A word that goes becomes an unknown one, whose parts are still read. Pairs are hashes of the ids of their words, which
change: which words a pair has must be seen in the training documents.
"""

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from textclf.artefacts.artefact import Artefact
from textclf.models.bag_mlp.features import Bag, hash_pairs
from textclf.models.model import EMBEDDING
from textclf.models.sequences.features import Sequences
from textclf.text.tokenizer import UNK_ID, Tokenizer

Batch = tuple[NDArray[np.int32], NDArray[np.int64]]

SPECIAL: Final = UNK_ID + 1  # <pad> and <unk>, which stay


class Pruning:
    """A model whose features are ranked, once, to be cut to any number of them."""

    def __init__(self, trained: Artefact, training: Iterable[Batch]) -> None:
        self._trained = trained
        embedding = trained.weights[EMBEDDING]
        squares = np.zeros(len(embedding))
        self._found = _FoundPairs(getattr(trained.inputs, "pairs", np.array([], dtype=np.int32)))
        for tokens, lengths in training:
            squares += _squared_weights(trained, tokens, lengths)
            self._found.see(tokens, lengths, words=trained.tokenizer.size)
        importance = np.linalg.norm(embedding, axis=1) * squares**0.25
        importance[:SPECIAL] = np.inf
        self._ranked = np.argsort(-importance, kind="stable")

    @property
    def features(self) -> int:
        """How many the model has."""
        return len(self._ranked)

    def keep(self, features: int) -> Artefact:
        """The model with so many features at the most, but with some of each view that it has of a document."""
        ranked = self._ranked[: max(features, SPECIAL)]
        inputs = self._trained.inputs
        if isinstance(inputs, Bag):
            return self._keep_of_bag(ranked, inputs)
        words = np.sort(ranked)
        tokenizer = _tokenizer(self._trained.tokenizer, words, np.array([], dtype=np.int64))
        return self._with(words, tokenizer, Sequences(tokenizer.size, inputs.max_length))

    def _keep_of_bag(self, ranked: NDArray[np.int64], bag: Bag) -> Artefact:
        """Words that only pairs need follow those that are features."""
        is_word, is_part = ranked < bag.words, ranked >= bag.words + len(bag.pairs)
        words, parts = np.sort(ranked[is_word]), np.sort(ranked[is_part])
        pairs = ranked[~is_word & ~is_part]
        of_pairs = self._found.words[pairs - bag.words]  # (P, 2)
        pairs, of_pairs = pairs[of_pairs[:, 0] >= 0], of_pairs[of_pairs[:, 0] >= 0]
        vocabulary = np.concatenate((words, np.setdiff1d(of_pairs, words)))
        places = np.zeros(self._trained.tokenizer.size, dtype=np.int32)
        places[vocabulary] = np.arange(len(vocabulary))
        hashes, first = np.unique(hash_pairs(places[of_pairs]), return_index=True)  # of two with one hash, the better
        features = np.concatenate((words, pairs[first], parts))
        tokenizer = _tokenizer(self._trained.tokenizer, vocabulary, parts - bag.words - len(bag.pairs))
        inputs = Bag(len(words), hashes.astype(np.int32), *tokenizer.spelling(), rarity=bag.rarity[features])
        if inputs.views < bag.views and len(ranked) < len(bag.rarity):
            return self.keep(2 * len(ranked))
        return self._with(features, tokenizer, inputs)

    def _with(self, features: NDArray[np.int64], tokenizer: Tokenizer, inputs: Bag | Sequences) -> Artefact:
        weights = self._trained.weights | {EMBEDDING: self._trained.weights[EMBEDDING][features]}
        return replace(self._trained, weights=weights, tokenizer=tokenizer, inputs=inputs)


def _squared_weights(trained: Artefact, tokens: NDArray[np.int32], lengths: NDArray[np.int64]) -> NDArray[np.float64]:
    """The sum over some documents of each feature's squared weight there; of a sequence, how often each word is read.

    Shape (features,).
    """
    features = len(trained.weights[EMBEDDING])
    if isinstance(trained.inputs, Bag):
        bags = trained.inputs(tokens, lengths)
        squares = bags.weights.astype(np.float64) ** 2
        return np.bincount(bags.features, squares, minlength=features).astype(np.float64)
    read = trained.inputs(tokens, lengths).tokens
    return np.bincount(read.ravel(), minlength=features).astype(np.float64)


class _FoundPairs:
    """Which two words each pair is. Of those that share a hash, the ones that were first seen."""

    def __init__(self, pairs: NDArray[np.int32]) -> None:
        self._pairs = pairs
        self.words = np.full((len(pairs), 2), -1, dtype=np.int64)
        """Shape (P, 2), word ids; -1 where no document had the pair."""

    def see(self, tokens: NDArray[np.int32], lengths: NDArray[np.int64], *, words: int) -> None:
        """Look for pairs in some documents."""
        document, is_word = np.repeat(np.arange(len(lengths)), lengths), tokens < words
        tokens, document = tokens[is_word], document[is_word]
        neighbours = np.stack((tokens[:-1], tokens[1:]), axis=1)
        neighbours = neighbours[(document[1:] == document[:-1]) & (neighbours != UNK_ID).all(axis=1)]
        hashes = hash_pairs(neighbours)
        where = np.minimum(np.searchsorted(self._pairs, hashes), len(self._pairs) - 1)
        is_new = (self._pairs[where] == hashes) & (self.words[where, 0] < 0) if len(self._pairs) else hashes < 0
        self.words[where[is_new][::-1]] = neighbours[is_new][::-1]  # the first of this batch is written last


def _tokenizer(whole: Tokenizer, words: NDArray[np.int64], parts: NDArray[np.int64]) -> Tokenizer:
    """The words of these ids, ``<pad>`` and ``<unk>`` first, and the parts at these places."""
    kept = [whole.words[word] for word in words[SPECIAL:].tolist()]
    return Tokenizer(kept, parts=[whole.parts[part] for part in parts.tolist()], lowercase=whole.lowercase)
