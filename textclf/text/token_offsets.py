"""Where the tokens of a text stand in it, for whoever shows them there. Needs nothing but the tokenizer.

The tokens are those of `textclf.text.tokenizer`, which reads a text lower-cased and composed (NFC); both can make a
character longer or shorter, so that places have to be followed back.
"""

import re
import unicodedata
from typing import Final, NamedTuple

from textclf.text.tokenizer import split_chunk

_CHUNK: Final = re.compile(r"\S+")  # of Unicode's white space, as str.split has it
_JOINED_JAMO: Final = re.compile("[\u1161-\u1175\u11a8-\u11c2]")  # letters that compose, though they are no marks


class Span(NamedTuple):
    """Characters of a text, from ``start`` to before ``end``."""

    start: int
    end: int


def spans(text: str, *, lowercase: bool) -> list[Span]:
    """The place of each token of the text, in order; they never cross."""
    return [span for chunk in _CHUNK.finditer(text) for span in _chunk_spans(chunk[0], chunk.start(), lowercase)]


def _chunk_spans(chunk: str, start: int, lowercase: bool) -> list[Span]:
    lowered = chunk.lower() if lowercase else chunk
    tokens = split_chunk(lowered)
    if chunk.isascii():
        origins = [Span(place, place + 1) for place in range(len(chunk))]
    else:
        origins = _origins(chunk, lowered, lowercase)
    if sum(map(len, tokens)) != len(origins):  # marks without end, which are composed by pieces
        return [Span(start, start + len(chunk))] * len(tokens)
    found, begin = [], 0
    for token in tokens:
        end = begin + len(token)
        found.append(Span(start + origins[begin].start, start + origins[end - 1].end))
        begin = end
    return found


def _origins(chunk: str, lowered: str, lowercase: bool) -> list[Span]:
    """For each character of the lower-cased and composed chunk, those of the chunk that it comes from."""
    origins: list[Span] = []
    begin = low = 0
    while begin < len(chunk):
        end = begin + 1
        while end < len(chunk) and _goes_with_the_last(chunk[end]):
            end += 1
        size = sum(len(character.lower()) for character in chunk[begin:end]) if lowercase else end - begin
        composed = unicodedata.normalize("NFC", lowered[low : low + size])
        origins += [Span(begin, end)] * len(composed)
        begin, low = end, low + size
    return origins


def _goes_with_the_last(character: str) -> bool:
    return unicodedata.category(character)[0] == "M" or _JOINED_JAMO.match(character) is not None
