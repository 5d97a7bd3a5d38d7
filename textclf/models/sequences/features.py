"""Token ids to a padded matrix, and what each token contributes to an answer. Knows nothing about torch.

A network reads words, and an unknown word is ``<unk>``. In short texts each word says much, and few are known well:
there its subwords are read with it, side by side, as its pieces. In a corpus whose words hardly ever come again, such
as a list of names, they are spelled: read as their subwords, one after the other. See
`textclf.models.sequences.spelling`.

In a script without spaces between words a word is one character (see `textclf.text.unspaced`), which says little.
There, each place is read as the pair of its word and the next, if the training documents have it more than once.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from textclf.models.arithmetic import Doubles, Floats, Weights
from textclf.models.model import Contributions, Learnt, Pruned
from textclf.models.sequences.spelling import Spelling, needs_pieces, needs_spelling, spelling_of, word_counts
from textclf.text import unspaced
from textclf.text.arrays import Ranks, offsets, places
from textclf.text.tokenizer import PAD_ID, UNK_ID, Tokenizer
from textclf.text.word_hashes import HASH_BITS, WordHashes, are_hashes, most_frequent

LEFT_OUT_TOGETHER: Final = 64  # documents, each without one token, that go through the model together

MOST_SPELLED: Final = 512
"""Maximum number of ids that are read of a document that is spelled. Part of the format of a model: never change it."""

MOST_PIECES: Final = 16
"""Pieces of a word that is read with its subwords: all, if it has up to 8 letters."""

MAX_PAIRS: Final = 100_000
"""Maximum number of pairs that are read."""


class SequenceInputs(NamedTuple):
    """B documents, as long as the longest of them."""

    tokens: NDArray[np.int64]
    """Shape (B, T, P), the pieces of each word, padded at the end; (B, T) where words have none."""
    lengths: NDArray[np.int64]
    """Shape (B,), without padding; at least 1."""


def _nothing() -> NDArray[np.int32]:
    return np.empty(0, dtype=np.int32)


@dataclass(frozen=True)
class Sequences:
    """Cuts documents to their first tokens and pads them to the longest of the batch."""

    words: int
    """Word ids below are read as they are."""
    max_length: int
    """Words read from the start of a document."""
    size: int = 0
    """Token ids from here on are parts of words. 0: ``words``, as where nothing is spelled."""
    spelled: NDArray[np.int32] = field(default_factory=_nothing)
    """The ids that each token id is read as, end to end; empty: words as they are, and parts not at all."""
    spelled_counts: NDArray[np.int32] = field(default_factory=_nothing)
    """Shape (size + parts,), how many ids each token id is read as."""
    pieces: int = 0
    """Number of ids that a word is read as, side by side, P. 0: a word is one id, and ids have no axis of pieces."""
    pairs: NDArray[np.int32] = field(default_factory=_nothing)
    """Shape (pairs,), ascending, hashes of the pairs that are read, by their ids, which follow those of the words."""
    vocabulary: Sequence[str] = field(default=(), repr=False)
    """The word of each id; empty where no pairs are read."""
    DERIVED: ClassVar[tuple[str, ...]] = ("vocabulary",)

    @classmethod
    def of(
        cls,
        tokenizer: Tokenizer,
        *,
        max_length: int | None = None,
        pieces: int = 0,
        spelling: Spelling | None = None,
        pairs: NDArray[np.int32] | None = None,
    ) -> "Sequences":
        """The first ``max_length`` words are read, or all: with their parts, as pairs, or as they are."""
        most = max_length or np.iinfo(np.int32).max
        if pairs is not None and len(pairs):
            return cls(tokenizer.size, most, pieces=pieces, pairs=pairs, vocabulary=tokenizer.words)
        if spelling is None:
            return cls(tokenizer.size, most, pieces=pieces)
        return cls(spelling.words, most, tokenizer.size, spelling.ids, spelling.counts, pieces)

    @property
    def rows(self) -> int:
        """Number of different ids that a network reads."""
        return int(self.spelled.max()) + 1 if self.is_spelled else self.words + len(self.pairs)

    @property
    def is_spelled(self) -> bool:
        """Whether parts of words are read."""
        return len(self.spelled_counts) > 0

    @property
    def sizes(self) -> dict[str, int]:
        """What a model must know to read these inputs."""
        return {"vocabulary": self.rows}

    @classmethod
    def derive(cls, tokenizer: Tokenizer, *, known: Collection[str] = ()) -> dict[str, Any]:
        """The vocabulary, for pairs."""
        return {"vocabulary": tokenizer.words} if "pairs" in known else {}

    def keys(self, tokenizer: Tokenizer) -> dict[str, Sequence[str] | NDArray[np.int32]]:
        """The words, the subwords that are read, and the hashes of pairs."""
        parts = [tokenizer.parts[place] for place in np.flatnonzero(self.spelled_counts[self.size :])]
        return {"words": tokenizer.words[: self.words], "subwords": parts, "pairs": self.pairs}

    def fits(self, tokenizer: Tokenizer) -> bool:
        """Whether this is of that vocabulary; what was read from a file may be damaged."""
        if not (isinstance(self.max_length, int) and self.max_length > 0 and isinstance(self.words, int)):
            return False
        if self.pieces not in (0, 1, MOST_PIECES) or (self.pieces == MOST_PIECES and self.words != self.size):
            return False
        if not are_hashes(self.pairs) or self.vocabulary != (tokenizer.words if len(self.pairs) else ()):
            return False
        if self.is_spelled and len(self.pairs):
            return False
        if not self.is_spelled:
            return self.words == tokenizer.size and not len(self.spelled) and self.size in (0, self.words)
        return bool(
            UNK_ID < self.words <= self.size == tokenizer.size
            and self.spelled.dtype == self.spelled_counts.dtype == np.int32
            and self.spelled_counts.shape == (tokenizer.size + len(tokenizer.parts),)
            and (self.spelled_counts >= 0).all()
            and (self.spelled_counts[: tokenizer.size] > 0).all()
            and self.spelled.shape == (self.spelled_counts.sum(),)
            and (self.spelled >= 0).all()
        )

    def __call__(
        self, tokens: NDArray[np.int32], lengths: NDArray[np.int64], rows: NDArray[np.integer] | None = None
    ) -> SequenceInputs:
        """Pad documents whose token ids stand end to end, whatever their rows are."""
        tokens, lengths, most = self._read(tokens, lengths)
        if self.pieces == 1:
            tokens = tokens[:, None]
        kept = np.minimum(lengths, most)
        columns = np.arange(kept.max())
        inside = columns < kept[:, None]  # (B, T)
        starts = np.cumsum(lengths) - lengths
        padded = np.full((*inside.shape, *tokens.shape[1:]), PAD_ID, dtype=np.int64)
        padded[inside] = tokens[(starts[:, None] + columns)[inside]]
        return SequenceInputs(padded, kept)

    def cuts(self, tokens: NDArray[np.int32], lengths: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Whether only the beginning of each document is read."""
        document = np.repeat(np.arange(len(lengths), dtype=np.int32), lengths)
        words = np.bincount(document[tokens < (self.size or self.words)], minlength=len(lengths))
        is_cut: NDArray[np.bool_] = words > self.max_length
        if self.is_spelled and self.pieces < MOST_PIECES:
            is_cut |= np.bincount(document, self.spelled_counts[tokens], minlength=len(lengths)) > MOST_SPELLED
        return is_cut

    def _read(
        self, tokens: NDArray[np.int32], lengths: NDArray[np.int64]
    ) -> tuple[NDArray[np.int32], NDArray[np.int64], int]:
        """The ids of documents as they are read, how many each has, and how many of these are kept at most.

        The ids have shape (N,), or (N, P) where the pieces of a word stand side by side.
        """
        if self.is_spelled:
            return self._with_parts(tokens, lengths)
        is_word = tokens < self.words
        if not is_word.all():
            lengths = np.bincount(np.repeat(np.arange(len(lengths)), lengths)[is_word], minlength=len(lengths))
            tokens = tokens[is_word]
        return self._paired(tokens, lengths) if len(self.pairs) else tokens, lengths, self.max_length

    def _with_parts(
        self, tokens: NDArray[np.int32], lengths: NDArray[np.int64]
    ) -> tuple[NDArray[np.int32], NDArray[np.int64], int]:
        """As `_read`, of words and their parts."""
        is_read = _numbers_in_document(tokens < self.size, lengths) < self.max_length
        document = np.repeat(np.arange(len(lengths), dtype=np.int32), lengths)[is_read]
        tokens = tokens[is_read]  # at once: a document may have millions of tokens
        counts = self.spelled_counts[tokens]
        read = self.spelled[places(offsets(self.spelled_counts)[tokens], counts)]
        if self.pieces < MOST_PIECES:
            return read, np.bincount(document, counts, minlength=len(lengths)).astype(np.int64), MOST_SPELLED
        is_word = tokens < self.size
        word = np.repeat(np.cumsum(is_word) - 1, counts)  # a part is of the word before it
        return _side_by_side(read, word), np.bincount(document[is_word], minlength=len(lengths)), self.max_length

    def _paired(self, words: NDArray[np.int32], lengths: NDArray[np.int64]) -> NDArray[np.int32]:
        """Each word of documents, end to end, as its pair with the next where that is known."""
        if len(words) < 2:
            return words
        index = self._pair_index(self._word_hashes.pairs(words))
        is_pair = (index >= 0) & _are_neighbours(words, lengths)
        return np.append(np.where(is_pair, index + np.int32(self.words), words[:-1]), words[-1:])

    @cached_property
    def _word_hashes(self) -> WordHashes:
        return WordHashes(self.vocabulary)

    @cached_property
    def _pair_index(self) -> Ranks:
        return Ranks(self.pairs, bits=HASH_BITS)


def _side_by_side(ids: NDArray[np.int32], word: NDArray[np.int64]) -> NDArray[np.int32]:
    """The first pieces of each word, shape (words, MOST_PIECES), padded at the end; ``word`` rises, from 0, by 1."""
    counts = np.bincount(word)
    place = np.arange(len(ids)) - np.repeat(offsets(counts)[:-1], counts)
    kept = place < MOST_PIECES
    pieces = np.full((len(counts), MOST_PIECES), PAD_ID, dtype=np.int32)
    pieces[word[kept], place[kept]] = ids[kept]
    return pieces


def _are_neighbours(words: NDArray[np.int32], lengths: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Whether each word and the next, shape (W - 1,), are known and in the same document."""
    is_known = words > UNK_ID
    are_neighbours: NDArray[np.bool_] = is_known[:-1] & is_known[1:]
    ends = offsets(lengths)[1:-1]
    are_neighbours[ends[(ends > 0) & (ends < len(words))] - 1] = False
    return are_neighbours


def frequent_pairs(documents: Iterable[Any], tokenizer: Tokenizer, *, most: int = MAX_PAIRS) -> NDArray[np.int32]:
    """Hashes of the pairs that occur more than once in batches of token ids, lengths and rows; at most ``most``."""
    hashes = WordHashes(tokenizer.words)
    counts = np.zeros(2**HASH_BITS, dtype=np.int32)
    words_alone = Sequences.of(tokenizer)
    for batch in documents:
        words, lengths, _ = words_alone._read(*batch[:2])
        np.add.at(counts, hashes.pairs(words)[_are_neighbours(words, lengths)], np.int32(1))
    return most_frequent(counts, most=most, fewest=2).astype(np.int32)


def _numbers_in_document(is_word: NDArray[np.bool_], lengths: NDArray[np.int64]) -> NDArray[np.int32]:
    """For each token, the number of its word in its document, counted from 0; a part is of the word before it."""
    number = np.cumsum(is_word, dtype=np.int32)
    before = offsets(lengths)[:-1]  # each document begins with a word
    found: NDArray[np.int32] = number - np.repeat(number[before], lengths)
    return found


def learn(
    training: Iterable[Any], *, validation: Iterable[Any], tokenizer: Tokenizer, max_length: int | None
) -> Learnt:
    """Words as they are, or pairs or subwords where the training documents need it; nothing is worth a cache."""
    if unspaced.prevails(tokenizer.words[UNK_ID + 1 :]):
        pairs = frequent_pairs(training, tokenizer)
        return Learnt(Sequences.of(tokenizer, max_length=max_length, pieces=1, pairs=pairs))
    counts, documents = word_counts(training, tokenizer)
    spelling, pieces = None, 1
    if needs_spelling(tokenizer, counts):
        spelling = spelling_of(tokenizer, counts)
    elif needs_pieces(tokenizer, counts, documents=documents):
        spelling, pieces = Spelling.of(tokenizer, words=tokenizer.size, shortest=False), MOST_PIECES
    return Learnt(Sequences.of(tokenizer, max_length=max_length, pieces=pieces, spelling=spelling))


def learn_words(
    training: Iterable[Any], *, validation: Iterable[Any], tokenizer: Tokenizer, max_length: int | None
) -> Learnt:
    """Words as they are, whatever the documents: what a user's network reads."""
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
        word = np.cumsum(ids < (features.size or features.words)) - 1  # a part is of the word before it
        words = int(word[-1]) + 1
        read = min(words, features.max_length)
        ids, word = ids[word < read], word[word < read]
        texts = [ids, *(ids[word != place] if read > 1 else np.array([UNK_ID]) for place in range(read))]
        parts = (texts[start : start + LEFT_OUT_TOGETHER] for start in range(0, len(texts), LEFT_OUT_TOGETHER))
        scores = np.concatenate([self._scores(weights, features, part, against) for part in parts])
        contributions = np.zeros(words)
        contributions[:read] = scores[0] - scores[1:]
        return Contributions(float(scores[0]), float(scores[0] - contributions.sum()), contributions)

    def _scores(
        self, weights: Weights, features: Sequences, texts: list[NDArray[np.int32]], against: Doubles
    ) -> Doubles:
        inputs = features(np.concatenate(texts), np.array(list(map(len, texts))))
        scores: Doubles = self.logits(weights, inputs) @ against
        return scores


@dataclass(frozen=True, slots=True)
class SequencePruner:
    """Leaves out words, and parts or pairs where they are read; an occurrence of a word that is left out is ``<unk>``.

    Pairs consist of words, so words are left out only if no pair is kept.
    """

    features: Sequences
    tokenizer: Tokenizer

    def usage(self, tokens: NDArray[np.int32], lengths: NDArray[np.int64]) -> Doubles:
        """How often each id is read, shape (rows,)."""
        read = self.features(tokens, lengths).tokens
        return np.bincount(read.ravel(), minlength=self.features.rows).astype(np.float64)

    def keep(self, ranking: NDArray[np.int64], features: int) -> Pruned:
        """The model with the first ids of a ranking of all."""
        bag, kept = self.features, np.sort(ranking[:features])
        words, rows_of_parts = kept[kept < bag.words], kept[kept >= bag.words]
        if len(bag.pairs):
            pairs = np.sort(ranking[ranking >= bag.words][: max(features - bag.words, 0)])
            words = np.arange(bag.words) if len(pairs) else np.sort(ranking[ranking < bag.words][:features])
            tokenizer = self.tokenizer.restricted(words)
            smaller = self._of(tokenizer, pairs=bag.pairs[pairs - bag.words])
            return Pruned(np.concatenate((words, pairs)), tokenizer, smaller)
        if not bag.is_spelled:
            tokenizer = self.tokenizer.restricted(words)
            return Pruned(kept, tokenizer, self._of(tokenizer))
        parts = np.flatnonzero(bag.spelled_counts[bag.size :])[rows_of_parts - bag.words]
        tokenizer = self.tokenizer.restricted(words, parts)
        spelling = Spelling.of(tokenizer, words=tokenizer.size, shortest=bag.pieces < MOST_PIECES)
        return Pruned(kept, tokenizer, self._of(tokenizer, spelling=spelling))

    def _of(self, tokenizer: Tokenizer, **read: Any) -> Sequences:
        return Sequences.of(tokenizer, max_length=self.features.max_length, pieces=self.features.pieces, **read)
