import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from textclf.text import unspaced
from textclf.text.token_offsets import spans
from textclf.text.tokenizer import Tokenizer


def shown(text: str) -> list[str]:
    return [text[start:end] for start, end in spans(text, lowercase=True)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("  \t\n", []),
        ("The cat, sat!", ["The", "cat", ",", "sat", "!"]),
        ("E\u0301tude \u00c9TUDE", ["E\u0301tude", "\u00c9TUDE"]),  # an accent of its own is composed
        ("\u0130stanbul,x now", ["\u0130stanbul", ",", "x", "now"]),  # one letter that is two in lower case
        ("\u0130e\u0301x,y", ["\u0130e\u0301x", ",", "y"]),
        ("\u212bngstr\u00f6m 5\u212a", ["\u212bngstr\u00f6m", "5\u212a"]),  # signs that composing replaces
        ("\u6771\u4eac tokyo", ["", "\u6771", "\u4eac", "", "tokyo"]),
        (
            "\u1112\u1161\u11ab\u1100\u1173\u11af ok",
            ["\u1112\u1161\u11ab\u1100\u1173\u11af", "ok"],
        ),  # Hangul in letters
        (
            "\u0939\u093f\u0928\u094d\u0926\u0940 \U0001f600!",
            ["\u0939\u093f\u0928\u094d\u0926\u0940", "\U0001f600", "!"],
        ),
        ("a\u00a0b\u2028c", ["a", "b", "c"]),
        ("\u039f\u03a3 \u039f\u03a3\u0391", ["\u039f\u03a3", "\u039f\u03a3\u0391"]),  # the sigma at the end of a word
    ],
)
def test_a_token_has_the_span_where_it_is_written(text: str, expected: list[str]) -> None:
    assert shown(text) == expected


def test_endless_marks_get_the_span_of_their_pre_token() -> None:
    text = "a" + "\u0301\u0323" * 300 + " b"
    assert {*shown(text)} == {text[:-2], "b"}


@settings(derandomize=True, deadline=None, database=None, max_examples=150)
@given(st.text(), st.booleans())
def test_every_token_has_a_place_and_every_character_but_space_a_token(text: str, lowercase: bool) -> None:
    tokens = Tokenizer([], lowercase=lowercase).tokens(text)
    found = spans(text, lowercase=lowercase)
    assert len(found) == len(tokens)
    ends = [0]
    for token, (start, end) in zip(tokens, found, strict=True):
        assert start <= end <= len(text)
        assert (start < end) or token in unspaced.MARKS
        assert start >= ends[-1] or (start, end) == (found[len(ends) - 2])  # in order; or both of one character
        ends.append(end)
        written = unicodedata.normalize("NFC", text[start:end].lower() if lowercase else text[start:end])
        # A final sigma is one only at the end of its word.
        assert start == end or token.replace("\u03c2", "\u03c3") in written.replace("\u03c2", "\u03c3")
    covered = {place for start, end in found for place in range(start, end)}
    assert covered == {place for place, character in enumerate(text) if not character.isspace()}
