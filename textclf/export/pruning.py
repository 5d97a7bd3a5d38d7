"""A model with only the most important of its features: of its words, pairs of words and parts of words.

How much a feature matters is the length of its embedding, times the fourth root of the sum of its squared weights in
the training documents: a feature matters that moves the answer far, and rather one that often does. (By the square
root, which would be its share in all that moves the answers, too many frequent words were kept that say little.)

A word that goes becomes an unknown one, whose parts are still read. A pair is found only if both its words are in the
vocabulary, so words that only pairs need stay in it. The training documents show which these are: a hash does not tell.
"""

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from textclf.artefacts.artefact import Artefact
from textclf.models.bag_mlp.features import Bag
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
        pairs = getattr(trained.inputs, "pairs", ())
        self._pair_words = np.full((len(pairs), 2), -1)
        """Shape (P, 2), ids of the words of each pair; -1 if no document has it, any of those that share a hash."""
        for tokens, lengths in training:
            squares += _squared_weights(trained, tokens, lengths)
            self._see_pairs(tokens, lengths)
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
        features = np.sort(ranked)
        words, pairs, parts = np.split(features, np.searchsorted(features, [bag.words, bag.words + len(bag.pairs)]))
        of_pairs = self._pair_words[pairs - bag.words]  # (P, 2)
        vocabulary = np.concatenate((words, np.setdiff1d(of_pairs[of_pairs >= 0], words)))
        tokenizer = _tokenizer(self._trained.tokenizer, vocabulary, parts - bag.words - len(bag.pairs))
        hashes, rarity = bag.pairs[pairs - bag.words], bag.rarity[features]
        inputs = Bag(len(words), hashes, rarity=rarity, **Bag.derive(tokenizer))
        if inputs.views < bag.views and len(ranked) < len(bag.rarity):
            return self.keep(2 * len(ranked))
        return self._with(features, tokenizer, inputs)

    def _see_pairs(self, tokens: NDArray[np.int32], lengths: NDArray[np.int64]) -> None:
        bag = self._trained.inputs
        if isinstance(bag, Bag):
            pairs, at = bag.find(tokens, lengths).pairs
            word = tokens[tokens < self._trained.tokenizer.size]
            self._pair_words[pairs - bag.words] = np.stack((word[at], word[at + 1]), axis=1)

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


def _tokenizer(whole: Tokenizer, words: NDArray[np.int64], parts: NDArray[np.int64]) -> Tokenizer:
    """The words of these ids, ``<pad>`` and ``<unk>`` first, and the parts at these places."""
    kept = [whole.words[word] for word in words[SPECIAL:].tolist()]
    return Tokenizer(kept, parts=[whole.parts[part] for part in parts.tolist()], lowercase=whole.lowercase)
