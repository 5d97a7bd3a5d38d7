"""What a token contributes: what the score loses without it (https://arxiv.org/abs/1612.08220).

Tokens that say the same stand in for each other, so that contributions do not add up to the score: the rest is what is
missing.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from textclf.models.arithmetic import Doubles, Floats, Weights
from textclf.models.model import Contributions
from textclf.models.sequences.features import SequenceInputs, Sequences
from textclf.text.tokenizer import UNK_ID

BATCH: Final = 64  # documents, each without one token, that go through the model together


@dataclass(frozen=True, slots=True)
class LeaveOneOut:
    """Contributions in any model with this forward pass."""

    logits: Callable[[Weights, SequenceInputs], Floats]

    def __call__(
        self, weights: Weights, features: Sequences, ids: NDArray[np.int32], against: Doubles
    ) -> Contributions:
        """What each word of a document adds to ``against @ logits``; 0 for those that the model does not read."""
        words = ids[ids < features.words]
        read = words[: features.max_length]
        without = [np.delete(read, place) if len(read) > 1 else np.array([UNK_ID]) for place in range(len(read))]
        texts = [read, *without]
        parts = (texts[start : start + BATCH] for start in range(0, len(texts), BATCH))
        scores = np.concatenate([self._scores(weights, features, part, against) for part in parts])
        contributions = np.zeros(len(words))
        contributions[: len(read)] = scores[0] - scores[1:]
        return Contributions(float(scores[0]), float(scores[0] - contributions.sum()), contributions)

    def _scores(
        self, weights: Weights, features: Sequences, texts: list[NDArray[np.int32]], against: Doubles
    ) -> Doubles:
        inputs = features(np.concatenate(texts), np.array(list(map(len, texts))))
        scores: Doubles = self.logits(weights, inputs) @ against
        return scores
