"""Leaves out the less important words, pairs, subwords and runs.

A word that is left out becomes an unknown one, whose subwords are still read. A pair or run is found only if all its
words are in the vocabulary, so words that only these need stay in it. The training documents show which these are, as a
hash does not.
"""

import numpy as np
from numpy.typing import NDArray

from textclf.models.arithmetic import Doubles
from textclf.models.bag_mlp.features import RUN_LENGTHS, Bag
from textclf.models.model import Pruned
from textclf.text.tokenizer import Tokenizer


class BagPruner:
    """Leaves out features of a bag."""

    def __init__(self, bag: Bag, tokenizer: Tokenizer) -> None:
        self._bag = bag
        self._tokenizer = tokenizer
        self._neighbours = np.full((len(bag.rarity), max(RUN_LENGTHS) if len(bag.runs) else 2), -1, dtype=np.int32)
        """Shape (F, 2) or (F, 4), ids of the words of each pair and run, any of those that share a hash; else -1."""

    def usage(self, tokens: NDArray[np.int32], lengths: NDArray[np.int64]) -> Doubles:
        """The sum over these documents of each feature's squared weight, shape (F,); remembers what runs consist of."""
        for found, words in self._bag.neighbours_in(tokens, lengths):
            self._neighbours[found, : words.shape[1]] = words
        inputs = self._bag(tokens, lengths)
        squares = inputs.weights.astype(np.float64) ** 2
        return np.bincount(inputs.features, squares, minlength=len(self._bag.rarity)).astype(np.float64)

    def keep(self, ranking: NDArray[np.int64], features: int) -> Pruned:
        """The model with the first features of a ranking of all; with more where a view would have none left."""
        bag = self._bag
        kept = np.sort(ranking[:features])
        ends = np.cumsum([bag.words, len(bag.pairs), len(self._tokenizer.parts)])
        words, pairs, subwords, runs = np.split(kept, np.searchsorted(kept, ends))
        needed = self._neighbours[kept]
        vocabulary = np.concatenate((words, np.setdiff1d(needed[needed >= 0], words)))  # those of neighbours come last
        tokenizer = self._tokenizer.restricted(vocabulary, subwords - ends[1])
        hashes = bag.pairs[pairs - ends[0]], bag.runs[runs - ends[2]]
        smaller = Bag(len(words), *hashes, rarity=bag.rarity[kept], **Bag.derive(tokenizer))
        if smaller.views < bag.views and features < len(ranking):
            return self.keep(ranking, 2 * features)
        return Pruned(kept, tokenizer, smaller)
