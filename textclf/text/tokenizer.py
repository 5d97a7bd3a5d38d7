r"""Text to token ids: the rules, the vocabulary, and its JSON. Knows no files, tensors or labels.

A text is lower-cased and split at white space into pre-tokens. A pre-token is put into Unicode's composed form (NFC)
and split into words, punctuation marks and, in scripts without spaces between words, single characters with their
marks; `textclf.text.unspaced` says how, and what is put around such a pre-token. Its ids are cached, because a language
repeats its pre-tokens. So the rules can be right for every script, where ``\w+|[^\w\s]`` breaks Hindi words at their
vowel signs, and still take half the time of that pattern and a dictionary, once a million words have been read. Arrow's
kernels are twice as fast again, but take 0.1 s longer to load. `scripts/bench tokenizer` measures it.

A run of letters of more than LONGEST_WORD characters is cut into words of that length, and a long text is encoded in
pieces, so that memory grows with the ids of a text and not with its characters.

A word that the training split does not have becomes ``<unk>``, followed by those of its parts that training words have,
so that what it resembles is not lost: see `textclf.text.subwords`.
"""

import re
import struct
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache, cached_property
from heapq import nsmallest
from itertools import chain, islice
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from textclf.text import arrays, unspaced
from textclf.text.distinct_strings import Strings
from textclf.text.subwords import PartTable, most_frequent_parts, word_parts

if TYPE_CHECKING:
    from textclf.text.batch_encoder import BatchEncoder

PAD: Final = "<pad>"
UNK: Final = "<unk>"
PAD_ID: Final = 0
UNK_ID: Final = 1

TYPE: Final = "words, clusters between marks, and parts"

COMMON_PART: Final = 2  # occurrences in the training split that make a part known

MANY_CHARACTERS: Final = 300_000  # from here on a batch encoder saves more time than it takes to build
BATCH_CHARACTERS: Final = 2_000_000  # at most, because the arrays of a batch encoder take memory

CACHED_PRE_TOKENS: Final = 500_000  # at most about 100 MB
LONGEST_WORD: Final = 1_000
"""Most characters of a word; no language has such a word."""

PIECE_CHARACTERS: Final = 1_000_000
"""Characters of a long text that are split at once: a token takes twenty times the room of its characters."""

_RUN_TOKENS: Final = 10_000  # of a long pre-token, that are in memory together
_LONGEST_CACHED: Final = 40  # characters; longer pre-tokens are addresses and unspaced scripts, rarely seen twice

_INT32: Final = struct.Struct("=i")
_UNK: Final = _INT32.pack(UNK_ID)
_NFC_PIECE: Final = 256  # characters


class WordIds(NamedTuple):
    """Which token ids are words, for who has no tokenizer."""

    size: int
    """Ids below it are words, known or not; the others are parts of unknown ones."""
    marks: tuple[int, ...] = ()
    """The known ones of `unspaced.MARKS`, which are no words."""

    def words_and_unknown(
        self, tokens: NDArray[np.int32], lengths: NDArray[np.integer]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """How many words each of D texts has, and how many of them are unknown, shape (D,) both.

        ``tokens`` are the ids of all texts, end to end. An empty text has one word, which is unknown.
        """
        starts = arrays.offsets(lengths)[:-1]
        is_word = tokens < self.size
        for mark in self.marks:
            is_word &= tokens != mark
        words = np.add.reduceat(is_word, starts, dtype=np.int64)
        return words, np.add.reduceat(tokens == UNK_ID, starts, dtype=np.int64)


class Tokenizer:
    """A vocabulary and the rules that turn a text into ids.

    Ids below ``size`` are words: 0 is ``<pad>``, 1 is ``<unk>``, the others follow by falling count in the training
    split. Ids from ``size`` on are parts of words, and follow the ``<unk>`` of an unknown word that has them. A text
    without any token becomes one ``<unk>``, so that no document is empty. Raises ValueError if a word or a part occurs
    twice.
    """

    def __init__(
        self,
        words: Sequence[str],
        *,
        parts: Sequence[str] = (),
        lowercase: bool = True,
        cached_pre_tokens: int = CACHED_PRE_TOKENS,
    ) -> None:
        self.lowercase = lowercase
        self._words = (PAD, UNK, *words)
        self._parts = tuple(parts)
        self._word_ids = dict(zip(self._words, range(self.size), strict=True))
        self._part_ids = dict(zip(self._parts, range(self.size, self.size + len(self._parts)), strict=True))
        if len(self._word_ids) != len(self._words) or len(self._part_ids) != len(self._parts):
            raise ValueError("a word or a part is in the vocabulary twice")
        self._ids_of = _IdCache(self._word_ids, self._part_ids, limit=cached_pre_tokens)
        self._characters = 0  # of all texts that `encode_all` was given so far

    @classmethod
    def fit(cls, texts: Iterable[str], *, lowercase: bool = True, **limits: Any) -> "Tokenizer":
        """Learn the words of the training texts; ``limits``: see `from_counts`."""
        rules = cls([], lowercase=lowercase)
        counts = Counter(token for text in texts for token in rules.tokens(text))
        occurrences = np.fromiter(counts.values(), dtype=np.int64, count=len(counts))
        return cls.from_counts(list(counts), occurrences, lowercase=lowercase, **limits)

    @classmethod
    def from_counts(
        cls,
        tokens: Strings,
        counts: NDArray[np.int64],
        *,
        max_vocab: int | None = None,
        max_parts: int = 0,
        min_count: int = 1,
        lowercase: bool = True,
    ) -> "Tokenizer":
        """Learn the ``max_vocab`` most frequent tokens of those counted ``min_count`` times, and parts of all tokens.

        N distinct tokens have ``counts``, shape (N,); those counted 0 times are left out. Equal counts are ordered by
        spelling, so that ids never depend on chance.
        """
        words = _most_frequent(tokens, counts, limit=max_vocab, min_count=max(min_count, 1))
        parts = most_frequent_parts(tokens, counts, limit=max_parts, min_count=COMMON_PART) if max_parts else []
        return cls(words, parts=parts, lowercase=lowercase)

    def restricted(self, words: Iterable[int], parts: Iterable[int] = ()) -> "Tokenizer":
        """The tokenizer with these words alone, of which ``<pad>`` and ``<unk>`` are the first, and these parts."""
        _, _, *kept = (self._words[word] for word in words)
        return Tokenizer(kept, parts=[self._parts[part] for part in parts], lowercase=self.lowercase)

    @property
    def size(self) -> int:
        """Number of words, including ``<pad>`` and ``<unk>``."""
        return len(self._words)

    @property
    def words(self) -> tuple[str, ...]:
        """The word of each id below ``size``."""
        return self._words

    @property
    def parts(self) -> tuple[str, ...]:
        """The part of each id from ``size`` on."""
        return self._parts

    def spelling(self) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """The known parts of every word, end to end, counted from 0, and how many each word has, shape (size,)."""
        ids, word = self._part_table.find(self._words[2:])
        return ids - np.int32(self.size), np.bincount(word + 2, minlength=self.size).astype(np.int32)

    def tokens(self, text: str) -> list[str]:
        """The words and punctuation marks of a text, as they are looked up in the vocabulary."""
        pre_tokens = pre_tokens_of(text, lowercase=self.lowercase)
        return [token for pre_token in pre_tokens for token in split_pre_token(pre_token)]

    def encode(self, text: str) -> NDArray[np.int32]:
        """Token ids of a text, shape (T,), T at least 1. Time is linear in the length of the text."""
        ids = bytearray()
        for piece in pieces_of(text):
            ids += b"".join(map(self._ids_of.__getitem__, pre_tokens_of(piece, lowercase=self.lowercase)))
        return np.frombuffer(ids or bytearray(_UNK), dtype=np.int32)

    def encode_all(
        self, texts: Sequence[str], *, many: int = MANY_CHARACTERS, at_most: int = BATCH_CHARACTERS
    ) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        """Token ids of D texts, end to end, and the length of each, shape (D,): as `encode` gives them.

        Takes a third of the time per text, once ``many`` characters were encoded, for up to ``at_most`` at a time.
        """
        characters = sum(map(len, texts))
        self._characters += characters
        if self._characters < many or characters > at_most:
            ids = [self.encode(text) for text in texts]
            return np.concatenate(ids), np.array([len(run) for run in ids])
        return self._batch_encoder.encode([text.lower() for text in texts] if self.lowercase else texts)

    def encode_tokens(self, tokens: Sequence[str]) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        """Ids of N tokens, end to end, and how many each token has, shape (N,); N should not be large."""
        ids = np.array([self._word_ids.get(token, UNK_ID) for token in tokens], dtype=np.int32)
        unknown = np.flatnonzero(ids == UNK_ID)
        part_ids, word = self._part_table.find([tokens[place] for place in unknown.tolist()])
        owner = unknown[word]  # the token that each known part belongs to
        return np.insert(ids, owner + 1, part_ids), 1 + np.bincount(owner, minlength=len(ids))

    @cached_property
    def _part_table(self) -> PartTable:
        return PartTable(self._parts, first_id=self.size)

    @cached_property
    def _batch_encoder(self) -> "BatchEncoder":
        from textclf.text.batch_encoder import BatchEncoder  # a few texts are encoded without

        return BatchEncoder(
            self._words[2:],
            first_id=2,
            empty_id=UNK_ID,
            encode_unknown=self.encode_tokens,
            encode_pre_token=self._ids_of.__getitem__,
        )

    @property
    def word_ids(self) -> "WordIds":
        """Which ids are words of a text."""
        return WordIds(self.size, tuple(filter(None, map(self._word_ids.get, unspaced.MARKS))))

    def words_and_unknown(
        self, tokens: NDArray[np.int32], lengths: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """What `WordIds.words_and_unknown` returns."""
        return self.word_ids.words_and_unknown(tokens, lengths)

    def to_json(self) -> dict[str, Any]:
        """All that `from_json` needs: plain JSON, without any pattern or code.

        Words and parts contain no white space, so each list is one string, which is read ten times as fast.
        """
        words, parts = " ".join(self._words[2:]), " ".join(self._parts)
        return {"type": TYPE, "lowercase": self.lowercase, "words": words, "parts": parts}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Tokenizer":
        """Build the tokenizer that `to_json` described; raises ValueError on anything else."""
        if (
            not isinstance(data, Mapping)
            or set(data) != {"type", "lowercase", "words", "parts"}
            or data["type"] != TYPE
        ):
            raise ValueError(f"not a tokenizer of type {TYPE!r}")
        words, parts, lowercase = data["words"], data["parts"], data["lowercase"]
        if not isinstance(lowercase, bool) or not isinstance(words, str) or not isinstance(parts, str):
            raise ValueError("lowercase must be true or false, words and parts must be strings")
        return cls(_split(words), parts=_split(parts), lowercase=lowercase)


def _split(joined: str) -> list[str]:
    return joined.split(" ") if joined else []


def pre_tokens_of(text: str, *, lowercase: bool) -> list[str]:
    """Split a text at white space."""
    return (text.lower() if lowercase else text).split()


def pieces_of(text: str, *, size: int = PIECE_CHARACTERS) -> Iterator[str]:
    """Cut a long text at white space into pieces of ``size`` characters or a little more, which have its pre-tokens."""
    start = 0
    while len(text) - start > size and (space := _SPACE.search(text, start + size)):
        yield text[start : space.start()]
        start = space.end()
    yield text[start:]


def split_pre_token(pre_token: str) -> list[str]:
    """Split a pre-token into words, single punctuation marks and the clusters of scripts without spaces.

    Accents are composed first (NFC), so that one word has one spelling. A pre-token with clusters is between marks.
    """
    pattern, composed = _composed(pre_token)
    tokens = pattern.findall(composed)
    return [unspaced.BEGIN, *tokens, unspaced.END] if unspaced.is_in(composed) else tokens


def token_runs(pre_token: str, *, size: int = _RUN_TOKENS) -> Iterator[list[str]]:
    """The same tokens, ``size`` of them at a time."""
    pattern, composed = _composed(pre_token)
    begin, end = ([unspaced.BEGIN], [unspaced.END]) if unspaced.is_in(composed) else ([], [])
    found = chain(begin, (token[0] for token in pattern.finditer(composed)), end)
    while run := list(islice(found, size)):
        yield run


def _composed(pre_token: str) -> tuple[re.Pattern[str], str]:
    """The pattern of tokens, and the pre-token in the form that it applies to."""
    if pre_token.isascii():
        return _ASCII_TOKEN, pre_token
    patterns = _unicode_patterns()
    if not patterns.endless_marks.search(pre_token):
        return patterns.token, unicodedata.normalize("NFC", pre_token)
    # No language writes so many marks on one letter. Composing them takes quadratic time, so it is done in pieces.
    pieces = (pre_token[start : start + _NFC_PIECE] for start in range(0, len(pre_token), _NFC_PIECE))
    return patterns.token, "".join(unicodedata.normalize("NFC", piece) for piece in pieces)


def _most_frequent(tokens: Strings, counts: NDArray[np.int64], *, limit: int | None, min_count: int) -> list[str]:
    """Tokens by falling count, then by spelling; at most ``limit`` of them and some ties are in memory together."""
    frequent = np.flatnonzero(counts >= min_count)
    if limit is None or len(frequent) <= limit:
        return _by_count(tokens, counts, frequent)
    last = np.partition(counts[frequent], len(frequent) - limit)[len(frequent) - limit]  # the lowest count that is kept
    above = frequent[counts[frequent] > last]
    ties = frequent[counts[frequent] == last]
    kept = nsmallest(limit - len(above), map(tokens.__getitem__, ties.tolist()))
    return [*_by_count(tokens, counts, above), *kept]


def _by_count(tokens: Strings, counts: NDArray[np.int64], places: NDArray[np.int64]) -> list[str]:
    found = [tokens[place] for place in places.tolist()]
    by_spelling = sorted(range(len(found)), key=found.__getitem__)
    order = np.argsort(-counts[places[by_spelling]], kind="stable")  # two sorts are faster than one by a pair
    return [found[by_spelling[place]] for place in order.tolist()]


_SPACE: Final = re.compile(r"\s+")  # the same white space as str.split
_ASCII_TOKEN: Final = re.compile(rf"\w{{1,{LONGEST_WORD}}}|[^\w\s]", re.ASCII)


class _Patterns(NamedTuple):
    """Patterns for text that is not ASCII."""

    token: re.Pattern[str]
    endless_marks: re.Pattern[str]


@cache
def _unicode_patterns() -> _Patterns:
    """Compiled when first needed, because finding all of Unicode's marks takes 20 ms."""
    marks = "".join(re.escape(c) for c in map(chr, range(0x300, 0x20000)) if unicodedata.category(c)[0] == "M")
    joiners = "\u200c\u200d"  # inside Persian and Indic words
    single, letter = unspaced.CHARACTERS, unspaced.letters()
    more = f"{{0,{LONGEST_WORD - 1}}}+"
    word = rf"(?![{single}{letter}])\w(?:(?![{single}{letter}])[\w{marks}{joiners}]){more}"
    cluster = unspaced.cluster(letter, marks=f"{marks}{joiners}", more=more)
    token = rf"[{single}]|{word}|{cluster}|[^\w\s][{marks}]{more}"
    return _Patterns(re.compile(token), re.compile(f"[{marks}]{{31}}"))


class _IdCache(dict[str, bytes]):
    """Pre-token to its ids, 4 bytes each, because joining bytes is faster than building an array from integers."""

    def __init__(self, word_ids: Mapping[str, int], part_ids: Mapping[str, int], *, limit: int) -> None:
        super().__init__()
        self._word_ids, self._part_ids, self._limit = word_ids, part_ids, limit

    def __missing__(self, pre_token: str) -> bytes:
        if len(pre_token) > _LONGEST_CACHED:
            return b"".join(map(self._encode_run, token_runs(pre_token)))
        is_word = pre_token.isascii() and pre_token.isalnum()  # as most are: there is nothing to split
        tokens = [pre_token] if is_word else split_pre_token(pre_token)
        ids = b"".join(map(self._encode, tokens))
        if len(self) < self._limit:
            self[pre_token] = ids
        return ids

    def _encode_run(self, tokens: list[str]) -> bytes:
        ids = {token: self._encode(token) for token in set(tokens)}  # a script without spaces repeats its characters
        return b"".join(map(ids.__getitem__, tokens))

    def _encode(self, token: str) -> bytes:
        if (word_id := self._word_ids.get(token)) is not None:
            return _INT32.pack(word_id)
        part_ids = map(self._part_ids.get, word_parts(token))
        return _UNK + b"".join([_INT32.pack(part_id) for part_id in part_ids if part_id is not None])
