"""Token ids to a padded matrix, and what each token contributes to an answer. Knows nothing about torch."""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from textclf.models.arithmetic import Doubles, Floats, Weights
from textclf.models.model import Contributions, Learnt, Pruned
from textclf.text.tokenizer import PAD_ID, UNK_ID, Tokenizer

LEFT_OUT_TOGETHER: Final = 64  # documents, each without one token, that go through the model together


class SequenceInputs(NamedTuple):
    """B documents, as long as the longest of them."""

    tokens: NDArray[np.int64]
    """Shape (B, T), padded at the end."""
    lengths: NDArray[np.int64]
    """Shape (B,), without padding; at least 1."""


@dataclass(frozen=True, slots=True)
class Sequences:
    """Cuts documents to their first tokens and pads them to the longest of the batch."""

    words: int
    """Ids from here on are parts of unknown words, which are not read."""
    max_length: int
    """Tokens kept."""
    DERIVED: ClassVar[tuple[str, ...]] = ()

    @classmethod
    def of(cls, tokenizer: Tokenizer, *, max_length: int | None = None) -> "Sequences":
        """The first ``max_length`` tokens are read, or all; nothing is learnt from the training documents."""
        return cls(tokenizer.size, max_length or np.iinfo(np.int32).max)

    @property
    def sizes(self) -> dict[str, int]:
        """What a model must know to read these inputs."""
        return {"vocabulary": self.words}

    @classmethod
    def derive(cls, tokenizer: Tokenizer, *, known: Collection[str] = ()) -> dict[str, Any]:
        """Nothing follows from the tokenizer alone."""
        return {}

    def fits(self, tokenizer: Tokenizer) -> bool:
        """Whether this is of that vocabulary; what was read from a file may be damaged."""
        return self.words == tokenizer.size and isinstance(self.max_length, int) and self.max_length > 0

    def __call__(
        self, tokens: NDArray[np.int32], lengths: NDArray[np.int64], rows: NDArray[np.int64] | None = None
    ) -> SequenceInputs:
        """Pad documents whose token ids stand end to end, whatever their rows are."""
        is_word = tokens < self.words
        if not is_word.all():
            lengths = np.add.reduceat(is_word, np.cumsum(lengths) - lengths, dtype=np.int64)
            tokens = tokens[is_word]
        kept = np.minimum(lengths, self.max_length)
        columns = np.arange(kept.max())
        inside = columns < kept[:, None]  # (B, T)
        starts = np.cumsum(lengths) - lengths
        padded = np.full(inside.shape, PAD_ID, dtype=np.int64)
        padded[inside] = tokens[(starts[:, None] + columns)[inside]]
        return SequenceInputs(padded, kept)


def learn(
    training: Iterable[Any], *, validation: Iterable[Any], tokenizer: Tokenizer, max_length: int | None
) -> Learnt:
    """Features of a vocabulary; nothing is learnt from the training documents, and nothing is worth a cache."""
    return Learnt(Sequences.of(tokenizer, max_length=max_length))


@dataclass(frozen=True, slots=True)
class LeaveOneOut:
    """What a token contributes: what the score loses without it (https://arxiv.org/abs/1612.08220).

    Tokens that say the same stand in for each other, so that contributions do not add up to the score: the rest is
    what is missing.
    """

    logits: Callable[[Weights, SequenceInputs], Floats]

    def __call__(
        self, weights: Weights, features: Sequences, ids: NDArray[np.int32], against: Doubles
    ) -> Contributions:
        """What each word of a document adds to ``against @ logits``; 0 for those that the model does not read."""
        words = ids[ids < features.words]
        read = words[: features.max_length]
        without = [np.delete(read, place) if len(read) > 1 else np.array([UNK_ID]) for place in range(len(read))]
        texts = [read, *without]
        parts = (texts[start : start + LEFT_OUT_TOGETHER] for start in range(0, len(texts), LEFT_OUT_TOGETHER))
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


@dataclass(frozen=True, slots=True)
class SequencePruner:
    """Leaves out words; an occurrence of one that is left out is read as ``<unk>``."""

    features: Sequences
    tokenizer: Tokenizer

    def usage(self, tokens: NDArray[np.int32], lengths: NDArray[np.int64]) -> Doubles:
        """How often each word is read, shape (words,)."""
        read = self.features(tokens, lengths).tokens
        return np.bincount(read.ravel(), minlength=self.features.words).astype(np.float64)

    def keep(self, ranking: NDArray[np.int64], features: int) -> Pruned:
        """The model with the first words of a ranking of all."""
        words = np.sort(ranking[:features])
        tokenizer = self.tokenizer.restricted(words)
        return Pruned(words, tokenizer, replace(self.features, words=tokenizer.size))
