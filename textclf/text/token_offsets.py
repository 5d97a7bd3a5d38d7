"""Character offsets of the tokens in a text. Needs nothing but the tokenizer.

`textclf.text.tokenizer` lower-cases and composes (NFC) a text before it splits it. Both can change the number of
characters, so offsets are mapped back character by character.
"""

import re
import unicodedata
from typing import Final, NamedTuple

from textclf.text import unspaced
from textclf.text.tokenizer import split_pre_token

_PRE_TOKEN: Final = re.compile(r"\S+")  # the same white space as str.split
_JOINED_JAMO: Final = re.compile("[\u1161-\u1175\u11a8-\u11c2]")  # letters that compose, though they are not marks


class Span(NamedTuple):
    """The characters of a text from ``start`` up to, but not including, ``end``."""

    start: int
    end: int


def spans(text: str, *, lowercase: bool) -> list[Span]:
    """The span of each token of the text, in order; spans do not cross. Those of marks around a pre-token are empty."""
    return [span for found in _PRE_TOKEN.finditer(text) for span in _token_spans(found[0], found.start(), lowercase)]


def _token_spans(pre_token: str, start: int, lowercase: bool) -> list[Span]:
    lowered = pre_token.lower() if lowercase else pre_token
    tokens = split_pre_token(lowered)
    if pre_token.isascii():
        origins = [Span(place, place + 1) for place in range(len(pre_token))]
    else:
        origins = _origins(pre_token, lowered, lowercase)
    written = tokens[1:-1] if unspaced.is_in(lowered) else tokens
    if sum(map(len, written)) != len(origins):  # too many marks on a letter, which are composed in pieces
        return [Span(start, start + len(pre_token))] * len(tokens)
    found, begin = [], 0
    for token in written:
        end = begin + len(token)
        found.append(Span(start + origins[begin].start, start + origins[end - 1].end))
        begin = end
    if written is not tokens:
        found = [Span(start, start), *found, Span(start + len(pre_token), start + len(pre_token))]
    return found


def _origins(pre_token: str, lowered: str, lowercase: bool) -> list[Span]:
    """For each character of the lower-cased and composed pre-token, the characters that it comes from."""
    origins: list[Span] = []
    begin = low = 0
    while begin < len(pre_token):
        end = begin + 1
        while end < len(pre_token) and _composes(pre_token[end]):
            end += 1
        size = sum(len(character.lower()) for character in pre_token[begin:end]) if lowercase else end - begin
        composed = unicodedata.normalize("NFC", lowered[low : low + size])
        origins += [Span(begin, end)] * len(composed)
        begin, low = end, low + size
    return origins


def _composes(character: str) -> bool:
    """Whether a character may compose with the one before it."""
    return unicodedata.category(character)[0] == "M" or _JOINED_JAMO.match(character) is not None
