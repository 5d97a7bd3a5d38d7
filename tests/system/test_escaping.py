import json
import unicodedata

import markdown
import pytest

from textclf.system import escaping

HIDDEN = [
    *map(chr, range(0x20)),
    *map(chr, range(0x7F, 0xA0)),
    *"\u061c\u200b\u200e\u200f\u2028\u2029\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff",
    "\ud800",
    "\udc80",
    "\U000e0041",
]
KEPT = ["plain", "né à", "日本語", "עברית", "می‌خواهم", "👩‍🚀 ok", "a\\n b", "\u00a0\u3000", "e\u0301"]
MARKUP = [
    "# heading",
    "[link](https://evil.example)",
    "![image](https://evil.example/x.png)",
    "<https://evil.example>",
    "<script>alert(1)</script><img src=x onerror=alert(1)>",
    "`code` ``` fence",
    "a | b",
    "a \\| b \\",
    "**bold** _it_ ~~gone~~",
    "&lt;b&gt; &amp;",
    "x\n\n# heading\n\n| a | b |\n|---|---|\n",
    "    indented",
    "- item",
    "1. item",
    "` ",
    "``",
    "",
    " ",
    "[x]: https://evil.example",
]


@pytest.mark.parametrize("character", HIDDEN, ids=lambda character: f"U+{ord(character):04X}")
def test_a_character_that_acts_is_spelled_out_in_every_medium(character):
    text = f"a{character}b"
    spelled = character.encode("unicode_escape").decode()
    assert escaping.line(text) == f"a{spelled}b"
    assert escaping.lines(text) == (text if character in "\t\n" else f"a{spelled}b")
    assert spelled in escaping.code_span(text)
    assert character not in escaping.table_cell(text)
    shown = escaping.to_json([text])
    assert character not in shown
    assert json.loads(shown) == [text]


@pytest.mark.parametrize("text", KEPT)
def test_letters_of_every_script_stay(text):
    assert escaping.line(text) == escaping.lines(text) == text
    assert json.loads(escaping.to_json(text)) == text
    assert text in escaping.to_json([text]) or "\\" in text


def test_every_character_that_hides_is_escaped_but_the_joiners_of_letters():
    """All of Unicode: what is left raw is neither a control, nor a surrogate, nor a separator of lines."""
    left = {character for character in map(chr, range(0x110000)) if escaping.line(character) == character}
    categories = {unicodedata.category(character) for character in left}
    assert categories & {"Cc", "Cs", "Zl", "Zp"} == set()
    assert {"\u200c", "\u200d"} <= left
    assert not {character for character in left if unicodedata.bidirectional(character) in BIDI_CONTROLS}


BIDI_CONTROLS = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI", "BN"} - {"BN"}


@pytest.mark.parametrize("text", MARKUP)
def test_nothing_in_a_code_span_of_markdown_is_markup(text):
    page = markdown.markdown(f"Labels: {escaping.code_span(text)}, {escaping.code_span('next')}.")
    assert page.count("<code>") == page.count("<") / 2 - 1 == 2
    assert page.startswith("<p>Labels: <code>")
    assert page.endswith("<code>next</code>.</p>")


@pytest.mark.parametrize("text", MARKUP)
def test_nothing_in_a_cell_of_a_table_is_markup(text):
    cells = " | ".join(map(escaping.table_cell, (text, "next")))
    page = markdown.markdown(
        f"| a | b |\n|---|---|\n| {cells} |", extensions=["tables", "fenced_code"]
    )  # as TensorBoard
    assert page.count("<td>") == 2
    assert "<td>next</td>" in page
    inside = page.split("<tbody>")[1].split("<td>next")[0]
    assert set(inside.replace("<tr>", "").replace("<td>", "").replace("</td>", "")) & set("<>") == set()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("=1+1", "'=1+1"),
        ("+1", "'+1"),
        ("-1", "'-1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1", "\\t=1"),
        ("\r=1", "\\r=1"),
        (" =1", "' =1"),
        ("\uff1d1", "'\uff1d1"),
        ("a=1", "a=1"),
        ("", ""),
        ("'=1", "'=1"),
    ],
)
def test_a_cell_is_no_formula(text, expected):
    assert escaping.spreadsheet_cell(text) == expected
