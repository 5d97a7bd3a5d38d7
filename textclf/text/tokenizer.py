r"""Text to token ids: words and punctuation, any script. Knows nothing about files, tensors or labels.

A text is lower-cased and cut at white space into chunks. A chunk is put into Unicode's composed form (NFC) and cut into
tokens once, and remembered, since a language repeats its chunks. The rules can thus be right for every script, where
``\w+|[^\w\s]`` breaks Hindi words at their vowel signs, and still be faster than that pattern and a dictionary: by
half, once a million words have been seen. Arrow's kernels are twice as fast again, but another 0.1 s to load for each
prediction. `scripts/bench tokenizer` measures it.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from itertools import chain
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

PAD: Final = "<pad>"
UNK: Final = "<unk>"
PAD_ID: Final = 0
UNK_ID: Final = 1

_REMEMBERED_CHUNKS: Final = 500_000  # about 100 MB at the most
_NFC_PIECE: Final = 256  # characters
_LONGEST_REMEMBERED: Final = 40  # characters; longer chunks are addresses and unspaced scripts, rarely seen twice


class Tokenizer:
    """A vocabulary and the rules that turn a text into its ids.

    Ids are ``0 .. size - 1``: 0 is ``<pad>``, 1 is ``<unk>``, the others are words by falling count in the training
    split. A text without any token becomes one ``<unk>``, so that no document is empty.
    """

    def __init__(self, words: Sequence[str], *, lowercase: bool = True) -> None:
        self.lowercase = lowercase
        self._words = (PAD, UNK, *words)
        self._ids = {word: index for index, word in enumerate(self._words)}
        if len(self._ids) != len(self._words):
            raise ValueError("a word stands twice in the vocabulary")
        self._chunks = _Chunks(self._ids)

    @classmethod
    def fit(
        cls, texts: Iterable[str], *, max_vocab: int | None = None, min_count: int = 1, lowercase: bool = True
    ) -> "Tokenizer":
        """Learn the words of the training texts: the ``max_vocab`` most frequent of those seen ``min_count`` times."""
        return cls.from_counts(
            count_tokens(texts, lowercase=lowercase), max_vocab=max_vocab, min_count=min_count, lowercase=lowercase
        )

    @classmethod
    def from_counts(
        cls, counts: Mapping[str, int], *, max_vocab: int | None = None, min_count: int = 1, lowercase: bool = True
    ) -> "Tokenizer":
        """Build the vocabulary from counts; equal counts are ordered by spelling, so ids never depend on chance."""
        frequent = [(word, count) for word, count in counts.items() if count >= min_count]
        frequent.sort(key=lambda item: (-item[1], item[0]))
        return cls([word for word, _ in frequent[:max_vocab]], lowercase=lowercase)

    @property
    def size(self) -> int:
        """Number of ids, ``<pad>`` and ``<unk>`` included."""
        return len(self._words)

    @property
    def words(self) -> tuple[str, ...]:
        """The word of each id."""
        return self._words

    def tokens(self, text: str) -> list[str]:
        """The words and punctuation marks of a text, as they are looked up in the vocabulary."""
        return [token for chunk in self._cut(text) for token in split_chunk(chunk)]

    def encode(self, text: str) -> NDArray[np.int32]:
        """Token ids of a text, shape (T,), T at least 1. Time is linear in the length of the text."""
        ids = np.fromiter(chain.from_iterable(map(self._chunks.__getitem__, self._cut(text))), dtype=np.int32)
        return ids if len(ids) else np.array([UNK_ID], dtype=np.int32)

    def _cut(self, text: str) -> list[str]:
        return (text.lower() if self.lowercase else text).split()

    def to_json(self) -> dict[str, Any]:
        """All that `from_json` needs: plain JSON, without any pattern or code."""
        return {"type": "words", "lowercase": self.lowercase, "words": list(self._words[2:])}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Tokenizer":
        """Build the tokenizer that `to_json` described; raises ValueError on anything else."""
        if not isinstance(data, Mapping) or set(data) != {"type", "lowercase", "words"} or data["type"] != "words":
            raise ValueError("not a tokenizer of type 'words'")
        words, lowercase = data["words"], data["lowercase"]
        if not isinstance(lowercase, bool) or not isinstance(words, list) or not all(isinstance(w, str) for w in words):
            raise ValueError("lowercase must be true or false, words a list of strings")
        return cls(words, lowercase=lowercase)


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
        chunks.update((text.lower() if lowercase else text).split())
    tokens: Counter[str] = Counter()
    for chunk, count in chunks.items():
        for token in split_chunk(chunk):
            tokens[token] += count
    return tokens


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


class _Chunks(dict[str, tuple[int, ...]]):
    """Chunk to ids, filled as chunks are met."""

    def __init__(self, ids: Mapping[str, int]) -> None:
        super().__init__()
        self._ids = ids

    def __missing__(self, chunk: str) -> tuple[int, ...]:
        ids = tuple(self._ids.get(token, UNK_ID) for token in split_chunk(chunk))
        if len(chunk) <= _LONGEST_REMEMBERED and len(self) < _REMEMBERED_CHUNKS:
            self[chunk] = ids
        return ids
