import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import textclf
from textclf.system.wording import counted, form, percent, shown_age, shown_bytes

NOUNS = re.compile(
    r" (?:[a-z]+ ){0,2}(?:bytes|characters|classes|columns|copies|documents|embeddings|epochs|features|fields|files"
    r"|labels|lines|parameters|rows|runs|seeds|tensors|texts|tokens|words|are|were|have)\b"
)
AT_LEAST_2 = re.compile(r"(\w+\.)?_?(limit|most(_\w+)?)|len\((text|value|row\.text)\)|[A-Z_]+")
"""Limits, and what is above them."""


@pytest.mark.parametrize(
    ("share", "expected"),
    [(0, "0.0 %"), (0.25, "25.0 %"), (0.9994, "99.9 %"), (0.9996, "> 99.9 %"), (1, "100.0 %")],
)
def test_a_percentage_is_all_only_where_it_is(share, expected):
    assert percent(share, digits=1).replace("\N{NO-BREAK SPACE}", " ") == expected
    assert percent(0.996) == ">\N{NO-BREAK SPACE}99\N{NO-BREAK SPACE}%"


@pytest.mark.parametrize(
    ("count", "expected"),
    [
        (0, ("0 texts", "0 copies", "0 texts have")),
        (1, ("1 text", "1 copy", "1 text has")),
        (2, ("2 texts", "2 copies", "2 texts have")),
        (1000, ("1,000 texts", "1,000 copies", "1,000 texts have")),
    ],
)
def test_a_count_has_the_singular_or_the_plural(count, expected):
    assert (
        counted(count, "text"),
        counted(count, "copy", "copies"),
        counted(count, "text has", "texts have"),
    ) == expected


@pytest.mark.parametrize(
    ("size", "expected"),
    [(0, "0 bytes"), (1, "1 byte"), (999, "999 bytes"), (1000, "1.0 KB"), (36_000_000, "36 MB"), (4 * 10**9, "4.0 GB")],
)
def test_a_size_is_in_the_largest_unit(size, expected):
    assert shown_bytes(size) == expected


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (-5, "0 s"),
        (119.9, "119 s"),
        (120, "2 min"),
        (7199, "119 min"),
        (7200, "2 h"),
        (172_800, "2 d"),
        (10**9, "11,574 d"),
    ],
)
def test_an_age_is_in_the_largest_unit_that_it_has_two_of(seconds, expected):
    assert shown_age(seconds) == expected


def test_a_verb_agrees_with_its_count():
    assert [form(count, "has", "have") for count in (0, 1, 2)] == ["have", "has", "have"]


def plain_counts(source: str) -> Iterator[str]:
    """Counts that stand before a plural in an f-string of a module, whatever their value."""
    for text in (node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.JoinedStr)):
        for value, after in zip(text.values, text.values[1:], strict=False):
            if isinstance(value, ast.FormattedValue) and isinstance(after, ast.Constant) and NOUNS.match(after.value):
                shown = ast.unparse(value.value)
                has_commas = value.format_spec is not None and ast.unparse(value.format_spec) == "f','"
                if (has_commas or shown.startswith("len(")) and not AT_LEAST_2.fullmatch(shown):
                    yield shown


def test_the_check_below_finds_a_plain_count():
    assert list(plain_counts('f"{count:,} of {rows:,} rows"; f"{MOST:,} rows"; f"{counted(2, \'row\')}"')) == ["rows"]


@pytest.mark.parametrize("path", sorted(Path(textclf.__file__).parent.rglob("*.py")), ids=lambda path: path.stem)
def test_no_message_has_a_plural_of_one(path):
    assert list(plain_counts(path.read_text(encoding="utf-8"))) == []
