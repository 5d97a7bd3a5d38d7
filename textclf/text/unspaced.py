"""Scripts that are written without spaces between words: which characters they have, and what a token of them is.

A Han or kana character is a token. So is, in Thai, Lao, Khmer, Burmese and the scripts related to them, a letter with
all that belongs to it: its marks, the vowels before and after it, and the letters below it. Finding the words would
need a dictionary of each language; runs of neighbouring tokens say nearly as much (`textclf.models.bag_mlp.features`).
The spaces that there are stand between clauses, or around words of other scripts. So that runs know of them, what is
between two spaces gets the marks BEGIN and END, which are tokens of their own, around it.

The scripts are those of class SA in https://www.unicode.org/reports/tr14, Balinese and Javanese. Tibetan has a mark
between syllables, so it needs no such rule.
"""

import re
import unicodedata
from collections.abc import Sequence
from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

SHARE: Final = 0.25
"""Share of the hundred most frequent words above which a corpus counts as one of such a script."""

BEGIN: Final = "\u2402"
"""Token before a pre-token that has any character of these scripts."""
END: Final = "\u2403"
"""Token after it."""
MARKS: Final = (BEGIN, END)

CHARACTERS: Final = (
    "\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
)
"""Kana and Han, of which each character is a token; for the square brackets of a pattern."""

_BLOCKS: Final = (
    *((0x0E00, 0x0EFF), (0x1000, 0x109F), (0x1780, 0x17FF)),  # Thai and Lao, Burmese, Khmer
    *((0x1950, 0x19DF), (0x1A20, 0x1AAF), (0xAA80, 0xAADF)),  # Tai Le and New Tai Lue, Tai Tham, Tai Viet
    *((0xA9E0, 0xA9FF), (0xAA60, 0xAA7F), (0x11700, 0x1174F)),  # more of Burmese, Ahom
    *((0x1B00, 0x1B7F), (0xA980, 0xA9DF)),  # Balinese, Javanese
)
_BEFORE: Final = "\u0e40-\u0e44\u0ec0-\u0ec4"  # vowels that Thai and Lao write before their letter
_AFTER: Final = "\u0e30\u0e32\u0e33\u0e45\u0eb0\u0eb2\u0eb3\u0ebd"  # vowels after it that are no marks in Unicode
_STACKERS: Final = "\u1039\u17d2\u1a60\u1b44\ua9c0"  # the next letter is written below


@cache
def letters() -> str:
    """The letters of which a token consists with their marks, for the square brackets of a pattern."""
    every = (chr(code) for first, last in _BLOCKS for code in range(first, last + 1))
    return "".join(character for character in every if unicodedata.category(character)[0] == "L")


def cluster(letter: str, *, marks: str, more: str) -> str:
    """The pattern of a letter with all that belongs to it; ``more`` says how much that may be at most."""
    return f"[{_BEFORE}]{{0,2}}[{letter}](?:[{marks}{_AFTER}]|(?<=[{_STACKERS}])[{letter}]){more}"


def is_in(text: str) -> bool:
    """Whether a text has any character of these scripts."""
    return not text.isascii() and _character().search(text) is not None


def begins(word: str) -> bool:
    """Whether a token is of one of these scripts."""
    return not word.isascii() and _character().match(word) is not None


def which(words: Sequence[str]) -> NDArray[np.bool_]:
    """Which tokens are of one of these scripts, shape (N,)."""
    return np.fromiter(map(begins, words), np.bool_, len(words))


def prevails(words: Sequence[str]) -> bool:
    """Whether a corpus is in one of these scripts, given its words by falling count."""
    return bool(which(words[:100]).sum() > SHARE * len(words[:100]))


@cache
def _character() -> re.Pattern[str]:
    return re.compile(f"[{CHARACTERS}{letters()}]")
