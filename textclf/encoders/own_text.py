"""An encoder that is learned from texts of the user, which need no labels and may be of any language.

It has a vector for each word that two texts have. Words that stand in the same texts have similar vectors, whether any
document with a label has them or not.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from textclf.encoders import encoder
from textclf.encoders.cooccurrences import Cooccurrences
from textclf.encoders.encoder import Encoder
from textclf.encoders.factors import word_vectors
from textclf.encoders.word_means import KnownWords
from textclf.errors import DataError
from textclf.system.wording import counted
from textclf.text import unspaced
from textclf.text.tokenizer import Tokenizer, pieces_of

VERSION: Final = 1
"""Of how vectors are learned; with another one they are others."""
NAME: Final = "own-text"
LICENCE: Final = "that of the texts"
DIMENSION: Final = 100
WINDOW: Final = 40
"""Words that stand at most so far apart are counted as a pair: all words of a short text."""
MOST_WORDS: Final = 50_000
FEWEST_TEXTS: Final = 2
"""Texts that must have a word, so that it gets a vector."""
MOST_TOKENS: Final = 20_000_000
"""Words that are read; a longer text ends there."""
MOST_DISTINCT: Final = 1_000_000
"""Different words that are counted together; of more, those that were rarest so far are dropped."""
TOKENS_AT_ONCE: Final = 200_000

Texts = Callable[[], Iterable[str]]
"""Reads the texts from their beginning."""


class Learned(NamedTuple):
    """An encoder, and what it was learned from."""

    encoder: Encoder
    texts: int
    tokens: int
    words: int
    """Different words that have a vector."""
    is_all: bool
    """Whether all texts were read."""


class _Words(NamedTuple):
    words: list[str]
    """By falling number of texts, then by spelling."""
    texts_with: NDArray[np.int64]
    """Number of texts that have each, shape (V,)."""
    texts: int
    tokens: int
    is_all: bool


def learn(texts: Texts, *, source: str, dimension: int = DIMENSION, most_tokens: int = MOST_TOKENS) -> Learned:
    """Read the texts twice, and learn from them; memory does not grow with their number.

    source: where they come from, in words.
    The same texts in the same order give the same vectors. Raises DataError if no two words stand in two texts.
    """
    found = _count_words(texts(), most_tokens=most_tokens)
    pairs = Cooccurrences(len(found.words), window=WINDOW)
    known = KnownWords(found.words)
    for ids, lengths in _batches(islice(texts(), found.texts), known):
        pairs.add(ids, lengths)
    counts = pairs.matrix()
    if not counts.nnz:
        raise DataError(
            f"word vectors cannot be learned from {counted(found.texts, 'text')}: they need words that stand together "
            f"in {FEWEST_TEXTS} texts or more; give more texts"
        )
    vectors = word_vectors(counts, dimension)
    weights = np.log(found.texts / found.texts_with)  # of all words least for those that most texts have
    content = encoder.build_word_means(
        found.words,
        vectors.astype(np.float16),
        weights.astype(np.float32),
        about={"name": NAME, "source": source, "licence": LICENCE},
    )
    made = encoder.restore(content)
    return Learned(made, found.texts, found.tokens, len(found.words), found.is_all)


def _count_words(texts: Iterable[str], *, most_tokens: int) -> _Words:
    """The words that a vector is learned for, and the number of texts that are read."""
    rules = Tokenizer([])
    counts: Counter[str] = Counter()
    read, tokens, is_all = 0, 0, True
    for text in texts:
        if tokens >= most_tokens:
            is_all = False
            break
        distinct: set[str] = set()
        for piece in pieces_of(text):
            of_piece = rules.tokens(piece)
            tokens += len(of_piece)
            distinct.update(token for token in of_piece if token not in unspaced.MARKS)
        counts.update(distinct)
        read += 1
        if len(counts) > MOST_DISTINCT:
            counts = _commonest(counts, MOST_DISTINCT // 2)
    kept = _commonest(Counter({word: times for word, times in counts.items() if times >= FEWEST_TEXTS}), MOST_WORDS)
    return _Words(list(kept), np.array(list(kept.values()), dtype=np.int64), read, tokens, is_all)


def _commonest(counts: Counter[str], most: int) -> Counter[str]:
    """The commonest words, by falling count and then by spelling, so that ties never depend on chance."""
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return Counter(dict(ranked[:most]))


def _batches(texts: Iterable[str], known: KnownWords) -> Iterator[tuple[NDArray[np.int32], NDArray[np.int64]]]:
    """The places of the words of texts, end to end, and the length of each, some texts at a time."""
    waiting: list[NDArray[np.int32]] = []
    size = 0
    for text in texts:
        ids = known.encode(text, MOST_TOKENS)
        waiting.append(ids)
        size += len(ids)
        if size >= TOKENS_AT_ONCE:
            yield _joined(waiting)
            waiting, size = [], 0
    if waiting:
        yield _joined(waiting)


def _joined(ids: list[NDArray[np.int32]]) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    return np.concatenate(ids), np.array([len(each) for each in ids], dtype=np.int64)
