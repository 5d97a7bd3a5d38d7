"""Leaves out the less important words, pairs and subwords.

A word that is left out becomes an unknown one, whose subwords are still read. A pair is found only if both its words
are in the vocabulary, so words that only pairs need stay in it. The training documents show which these are, as a hash
does not.
"""

import numpy as np
from numpy.typing import NDArray

from textclf.models.arithmetic import Doubles
from textclf.models.bag_mlp.features import Bag
from textclf.models.model import Pruned
from textclf.text.tokenizer import Tokenizer


class BagPruner:
    """Leaves out features of a bag."""

    def __init__(self, bag: Bag, tokenizer: Tokenizer) -> None:
        self._bag = bag
        self._tokenizer = tokenizer
        self._pair_words = np.full((len(bag.pairs), 2), -1)
        """Shape (P, 2), ids of the words of each pair; -1 if no document has it, any of those that share a hash."""

    def usage(self, tokens: NDArray[np.int32], lengths: NDArray[np.int64]) -> Doubles:
        """The sum over these documents of each feature's squared weight, shape (F,); remembers the words of pairs."""
        pairs, words = self._bag.pairs_in(tokens, lengths)
        self._pair_words[pairs - self._bag.words] = words
        inputs = self._bag(tokens, lengths)
        squares = inputs.weights.astype(np.float64) ** 2
        return np.bincount(inputs.features, squares, minlength=len(self._bag.rarity)).astype(np.float64)

    def keep(self, ranking: NDArray[np.int64], features: int) -> Pruned:
        """The model with the first features of a ranking of all; with more where a view would have none left."""
        bag = self._bag
        kept = np.sort(ranking[:features])
        words, pairs, subwords = np.split(kept, np.searchsorted(kept, [bag.words, bag.words + len(bag.pairs)]))
        of_pairs = self._pair_words[pairs - bag.words]  # (P, 2)
        vocabulary = np.concatenate((words, np.setdiff1d(of_pairs[of_pairs >= 0], words)))  # those of pairs come last
        tokenizer = self._tokenizer.restricted(vocabulary, subwords - bag.words - len(bag.pairs))
        smaller = Bag(len(words), bag.pairs[pairs - bag.words], rarity=bag.rarity[kept], **Bag.derive(tokenizer))
        if smaller.views < bag.views and features < len(ranking):
            return self.keep(ranking, 2 * features)
        return Pruned(kept, tokenizer, smaller)
