r"""Text to token ids: words and punctuation, any script; parts of unknown words. Knows no files, tensors or labels.

A text is lower-cased and cut at white space into chunks. A chunk is put into Unicode's composed form (NFC) and cut into
tokens once, and remembered, since a language repeats its chunks. The rules can thus be right for every script, where
``\w+|[^\w\s]`` breaks Hindi words at their vowel signs, and still be faster than that pattern and a dictionary: by
half, once a million words have been seen. Arrow's kernels are twice as fast again, but another 0.1 s to load for each
prediction. `scripts/bench tokenizer` measures it.

A word that the training split does not have becomes ``<unk>``, followed by those of its parts that training words have:
see `textclf.text.subwords`. What it is like is then not lost.
"""

import re
import struct
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from textclf.text.subwords import most_frequent_parts, parts_of_words, word_parts

if TYPE_CHECKING:
    from textclf.text.batch_encoder import Lookup

PAD: Final = "<pad>"
UNK: Final = "<unk>"
PAD_ID: Final = 0
UNK_ID: Final = 1

TYPE: Final = "words and parts"

_COMMON: Final = 2  # occurrences in the training split that make a part known

_INT32: Final = struct.Struct("=i")
_UNK: Final = _INT32.pack(UNK_ID)

_MANY: Final = 300_000  # characters that take as long one by one as the tables to look them up at once
_AT_ONCE: Final = 2_000_000  # characters; the arrays of more take too much memory

_REMEMBERED_CHUNKS: Final = 500_000  # about 100 MB at the most
_NFC_PIECE: Final = 256  # characters
_LONGEST_REMEMBERED: Final = 40  # characters; longer chunks are addresses and unspaced scripts, rarely seen twice


class Tokenizer:
    """A vocabulary and the rules that turn a text into its ids.

    Ids below ``size`` are words: 0 is ``<pad>``, 1 is ``<unk>``, the others stand by falling count in the training
    split. Ids from ``size`` on are parts of words, and follow the ``<unk>`` of the word that has them. A text without
    any token becomes one ``<unk>``, so that no document is empty.
    """

    def __init__(self, words: Sequence[str], *, parts: Sequence[str] = (), lowercase: bool = True) -> None:
        self.lowercase = lowercase
        self._words = (PAD, UNK, *words)
        self._parts = tuple(parts)
        ids = dict(zip(self._words, range(len(self._words)), strict=True))
        self._places = dict(zip(self._parts, range(len(self._parts)), strict=True))
        if len(ids) != len(self._words) or len(self._places) != len(self._parts):
            raise ValueError("a word or a part stands twice in the vocabulary")
        self._ids = ids
        self._chunks = _Chunks(ids, self._places)
        self._characters = 0  # of all texts so far that came together

    @classmethod
    def fit(
        cls,
        texts: Iterable[str],
        *,
        max_vocab: int | None = None,
        max_parts: int = 0,
        min_count: int = 1,
        lowercase: bool = True,
    ) -> "Tokenizer":
        """Learn the words of the training texts: the ``max_vocab`` most frequent of those seen ``min_count`` times."""
        counts = count_tokens(texts, lowercase=lowercase)
        return cls.from_counts(
            counts, max_vocab=max_vocab, max_parts=max_parts, min_count=min_count, lowercase=lowercase
        )

    @classmethod
    def from_counts(
        cls,
        counts: Mapping[str, int],
        *,
        max_vocab: int | None = None,
        max_parts: int = 0,
        min_count: int = 1,
        lowercase: bool = True,
    ) -> "Tokenizer":
        """Build the vocabulary from counts; equal counts are ordered by spelling, so ids never depend on chance."""
        words = _most_frequent(counts, limit=max_vocab, min_count=min_count)
        parts = most_frequent_parts(counts, limit=max_parts, min_count=_COMMON) if max_parts else []
        return cls(words, parts=parts, lowercase=lowercase)

    @property
    def size(self) -> int:
        """Number of words, ``<pad>`` and ``<unk>`` included."""
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
        """The parts of every word, end to end, counted from 0, and how many each word has, shape (size,)."""
        found = parts_of_words(self._words[2:])
        places = np.array([self._places.get(part, -1) for part in found.spellings], dtype=np.int32)[found.part]
        counts = np.bincount(found.word[places >= 0] + 2, minlength=self.size)
        return places[places >= 0], counts.astype(np.int32)

    def tokens(self, text: str) -> list[str]:
        """The words and punctuation marks of a text, as they are looked up in the vocabulary."""
        return [token for chunk in self._cut(text) for token in split_chunk(chunk)]

    def encode(self, text: str) -> NDArray[np.int32]:
        """Token ids of a text, shape (T,), T at least 1. Time is linear in the length of the text."""
        ids = bytearray().join(map(self._chunks.__getitem__, self._cut(text)))
        return np.frombuffer(ids or bytearray(_UNK), dtype=np.int32)

    def encode_all(self, texts: Sequence[str]) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        """The ids of D texts, end to end, and how many each has, shape (D,); of many texts in a third of the time."""
        characters = sum(map(len, texts))
        self._characters += characters
        if self._characters < _MANY or characters > _AT_ONCE:
            ids = [self.encode(text) for text in texts]
            return np.concatenate(ids), np.array([len(run) for run in ids])
        return self._lookup([text.lower() for text in texts] if self.lowercase else texts)

    @cached_property
    def _lookup(self) -> "Lookup":
        from textclf.text.batch_encoder import Lookup  # few texts do without

        words = self._words[UNK_ID + 1 :]
        return Lookup(words, self._parts, first=UNK_ID + 1, unknown=UNK_ID, look_up=self._chunks.__getitem__)

    def words_and_unknown(
        self, tokens: NDArray[np.int32], lengths: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """How many words each of D texts has, and how many of them are unknown; their ids stand end to end.

        Both have shape (D,). An empty text has one word, which is unknown.
        """
        text = np.repeat(np.arange(len(lengths)), lengths)
        words = np.bincount(text[tokens < self.size], minlength=len(lengths))
        return words, np.bincount(text[tokens == UNK_ID], minlength=len(lengths))

    def ids_of_tokens(self, tokens: Sequence[str]) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        """The ids of tokens that were cut before, end to end, and how many each has, shape (N,)."""
        ids = np.array([self._ids.get(token, UNK_ID) for token in tokens], dtype=np.int32)
        unknown = np.flatnonzero(ids == UNK_ID)
        found = parts_of_words([tokens[place] for place in unknown.tolist()])
        places = np.array([self._places.get(part, -1) for part in found.spellings], dtype=np.int32)[found.part]
        is_known = places >= 0
        behind = unknown[found.word[is_known]]  # the token that each known part belongs to
        lengths = 1 + np.bincount(behind, minlength=len(ids))
        return np.insert(ids, behind + 1, self.size + places[is_known]), lengths

    def _cut(self, text: str) -> list[str]:
        return chunks_of(text, lowercase=self.lowercase)

    def to_json(self) -> dict[str, Any]:
        """All that `from_json` needs: plain JSON, without any pattern or code.

        Words and parts hold no white space, so each are one string, which is read ten times as fast as a list.
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
            raise ValueError("lowercase must be true or false, words and parts strings")
        return cls(_split(words), parts=_split(parts), lowercase=lowercase)


def _split(joined: str) -> list[str]:
    return joined.split(" ") if joined else []


def chunks_of(text: str, *, lowercase: bool) -> list[str]:
    """Cut a text at white space."""
    return (text.lower() if lowercase else text).split()


def split_chunk(chunk: str) -> list[str]:
    """Cut a chunk without white space into words, single punctuation marks and single Han or kana characters.

    Accents are composed first (NFC), so that one word has one spelling.
    """
    if chunk.isascii():
        return _ASCII_TOKEN.findall(chunk)
    patterns = _unicode_patterns()
    if not patterns.endless_marks.search(chunk):
        return patterns.token.findall(unicodedata.normalize("NFC", chunk))
    # No language writes so many marks on one letter, and composing them takes the square of the time: by pieces, then.
    pieces = (chunk[start : start + _NFC_PIECE] for start in range(0, len(chunk), _NFC_PIECE))
    return patterns.token.findall("".join(unicodedata.normalize("NFC", piece) for piece in pieces))


def count_tokens(texts: Iterable[str], *, lowercase: bool = True) -> Counter[str]:
    """How often each token occurs in the texts. Each distinct chunk is cut once."""
    chunks: Counter[str] = Counter()
    for text in texts:
        chunks.update(chunks_of(text, lowercase=lowercase))
    tokens: Counter[str] = Counter()
    for chunk, count in chunks.items():
        for token in split_chunk(chunk):
            tokens[token] += count
    return tokens


def _most_frequent(counts: Mapping[str, int], *, limit: int | None, min_count: int) -> list[str]:
    frequent = sorted(item for item, count in counts.items() if count >= min_count)
    frequent.sort(key=counts.__getitem__, reverse=True)  # equal counts stay in order; two sorts by one key are faster
    return frequent[:limit]


_ASCII_TOKEN: Final = re.compile(r"\w+|[^\w\s]", re.ASCII)


class _Patterns(NamedTuple):
    """Patterns for text beyond ASCII."""

    token: re.Pattern[str]
    endless_marks: re.Pattern[str]


@cache
def _unicode_patterns() -> _Patterns:
    """Made when first needed, as it asks Unicode for all its marks (20 ms)."""
    marks = "".join(re.escape(c) for c in map(chr, range(0x300, 0x20000)) if unicodedata.category(c)[0] == "M")
    joiners = "\u200c\u200d"  # inside Persian and Indic words
    unspaced = "\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"  # kana, Han
    word = rf"(?![{unspaced}])\w(?:(?![{unspaced}])[\w{marks}{joiners}])*+"
    return _Patterns(re.compile(rf"[{unspaced}]|{word}|[^\w\s][{marks}]*+"), re.compile(f"[{marks}]{{31}}"))


class _Chunks(dict[str, bytes]):
    """Chunk to its ids, 4 bytes each, filled as chunks are met: bytes become an array faster than numbers do."""

    def __init__(self, words: Mapping[str, int], parts: Mapping[str, int]) -> None:
        super().__init__()
        self._words = words
        self._parts = parts

    def __missing__(self, chunk: str) -> bytes:
        is_word = chunk.isascii() and chunk.isalnum()  # as most are: there is nothing to cut
        ids = self._look_up(chunk) if is_word else b"".join(map(self._look_up, split_chunk(chunk)))
        if len(chunk) <= _LONGEST_REMEMBERED and len(self) < _REMEMBERED_CHUNKS:
            self[chunk] = ids
        return ids

    def _look_up(self, token: str) -> bytes:
        if (index := self._words.get(token)) is not None:
            return _INT32.pack(index)
        places = map(self._parts.get, word_parts(token))
        return _UNK + b"".join([_INT32.pack(len(self._words) + place) for place in places if place is not None])
