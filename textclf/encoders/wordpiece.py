"""BERT's tokenizer: words, then the longest pieces of each word that its vocabulary has.

It gives the ids of ``BertTokenizerFast`` in https://github.com/huggingface/transformers, save for two things: the names
of special tokens in a text, such as ``[SEP]``, are text, and the classes of characters are those of Python's Unicode.
"""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from itertools import chain, islice
from typing import Final, NamedTuple

SPECIAL: Final = ("[UNK]", "[CLS]", "[SEP]")
"""The unknown piece, and what begins and ends a text."""
LONGEST_WORD: Final = 100
"""Characters of the longest word that is not unknown, as in BERT."""
CHARACTERS_PER_TOKEN: Final = 1000
"""Of a text, only this many characters are read for each token that an encoder reads: a line may have no end."""

_MOST_KEPT: Final = 100_000
"""Words whose pieces are remembered."""
_LONGEST_KEPT: Final = 30
"""Characters of the longest of these: a language without spaces has sentences in place of words."""

_CONTROL: Final = re.compile(r"[\0-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]+")
"""Control characters; `str.split` would take some of them for white space."""
_HIDDEN: Final = {"Cc", "Cf", "Co", "Cs"}
"""Categories of characters that are left out; those that are not assigned are text."""
_IDEOGRAPHS: Final = (
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0002a6df\U0002a700-\U0002b73f\U0002b740-\U0002b81f"
    "\U0002b820-\U0002ceaf\U0002f800-\U0002fa1f"
)
_ASCII_WORD: Final = re.compile(r"[0-9A-Za-z]+|[!-/:-@[-`{-~]")
_IDEOGRAPH: Final = re.compile(f"([{_IDEOGRAPHS}])")


class Rules(NamedTuple):
    """What is done to a text before it is cut, as tokenizer_config.json says."""

    lowercase: bool = True
    strip_accents: bool = True
    split_ideographs: bool = True
    """Whether each Chinese character is a word."""


class WordPiece:
    """Turns texts into the ids of their pieces; safe to use in several threads."""

    def __init__(self, pieces: Sequence[str], rules: Rules, special: Sequence[str] = SPECIAL) -> None:
        """Make it from the pieces in the order of their ids; raises ValueError if a special one is not among them."""
        ids = dict(zip(pieces, range(len(pieces)), strict=True))
        if missing := [name for name in special if name not in ids]:
            raise ValueError(f"it has no {missing[0]}")
        self._unknown, self._first, self._last = (ids[name] for name in special)
        self._ids = ids
        self._longest = max(map(len, pieces))
        self._rules = rules
        self._known: dict[str, tuple[int, ...]] = {}

    def encode(self, text: str, most: int) -> list[int]:
        """The ids of a text between those of [CLS] and [SEP]: at least 2, and at most ``most``."""
        text = text[: most * CHARACTERS_PER_TOKEN]
        if not text.isprintable():
            text = _CONTROL.sub("", text)
        pieces = chain.from_iterable(map(self._pieces, text.split()))
        return [self._first, *islice(pieces, most - 2), self._last]

    def _pieces(self, chunk: str) -> tuple[int, ...]:
        """The ids of what stands between white space."""
        found = self._known.get(chunk)
        if found is None:
            found = tuple(chain.from_iterable(map(self._of_word, _words(self._normal(chunk)))))
            if len(chunk) <= _LONGEST_KEPT:
                if len(self._known) >= _MOST_KEPT:
                    self._known.clear()
                self._known[chunk] = found
        return found

    def _normal(self, chunk: str) -> str:
        """A chunk as its pieces are spelled."""
        if not chunk.isascii():
            chunk = "".join([each for each in chunk if unicodedata.category(each) not in _HIDDEN and each != "\ufffd"])
            if self._rules.split_ideographs:
                chunk = _IDEOGRAPH.sub(r" \1 ", chunk)
            if self._rules.strip_accents:
                apart = unicodedata.normalize("NFD", chunk)
                chunk = "".join([each for each in apart if unicodedata.category(each) != "Mn"])
            if self._rules.lowercase:
                chunk = chunk.replace(
                    "\N{GREEK CAPITAL LETTER SIGMA}", "\N{GREEK SMALL LETTER SIGMA}"
                )  # at its end, too
        return chunk.lower() if self._rules.lowercase else chunk

    def _of_word(self, word: str) -> Iterable[int]:
        """The ids of the longest pieces of a word, from left to right, or of the unknown piece."""
        if len(word) > LONGEST_WORD:
            return (self._unknown,)
        found: list[int] = []
        start, inside = 0, ""
        while start < len(word):
            for end in range(min(len(word), start + self._longest), start, -1):
                if (number := self._ids.get(inside + word[start:end])) is not None:
                    found.append(number)
                    break
            else:
                return (self._unknown,)
            start, inside = end, "##"
        return found


def _words(chunk: str) -> list[str]:
    """Words of a chunk, and its punctuation, each mark a word of its own."""
    if chunk.isalnum():
        return [chunk]
    if chunk.isascii():
        return _ASCII_WORD.findall(chunk)
    return "".join([f" {each} " if _is_punctuation(each) else each for each in chunk]).split()


def _is_punctuation(character: str) -> bool:
    """Whether it is punctuation, or one of the symbols of ASCII."""
    if character.isascii():
        return _ASCII_WORD.fullmatch(character) is not None and not character.isalnum()
    return unicodedata.category(character).startswith("P")
