"""Messages for readers who cannot add an option."""

from pathlib import Path

import pytest

from textclf import sources
from textclf.errors import TextclfError
from textclf.sources.advice import without_options


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("a.csv:1: the text is empty", "a.csv:1: the text is empty"),
        (
            "a.csv:1: byte 0xe9 is not UTF-8; try --encoding cp1252 ('a; b') or koi8_r ('c')",
            "a.csv:1: byte 0xe9 is not UTF-8; save it as UTF-8",
        ),
        (
            "a.csv:1: no header; name the columns in their order: --delimiter ';' --columns text,label",
            "a.csv:1: no header; write the names of the columns into its first line",
        ),
        (
            "a.csv:2: a quote opens here; if it is a character of the text, add --quote none, and if not, --quote '\"'",
            "a.csv:2: a quote opens here",
        ),
        ("3 fields, but the header has 2; mend it; try --delimiter ';'", "3 fields, but the header has 2; mend it"),
        (
            "add --text-column NAME; a.csv has the columns a--b, c",
            "add --text-column NAME; a.csv has the columns a--b, c",
        ),
    ],
)
def test_advice_without_an_option_stays(message: str, expected: str) -> None:
    assert without_options(message) == expected


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("latin.txt", "café\n".encode("latin-1")),
        ("wide.txt", "a text\n".encode("utf-16-le") * 9),
        ("rows.csv", b"one thing,x\nanother thing,y\nthe last thing,x\n"),
        ("quotes.csv", b'text,label\n"a,x\nb,y\nc",x\nd,y\n'),
        ("lists.json", b'{"a": [{"text": "b"}], "c": [{"text": "d"}]}'),
        ("fields.csv", b"text;label\na;x\nb;y\nc;x\n"),
        ("really.jsonl", b"no json\n"),
    ],
)
def test_no_message_about_a_file_names_an_option_then(name: str, content: bytes) -> None:
    Path(name).write_bytes(content)
    found = []
    try:
        found = [row.error for row in sources.rows(Path(name)) if row.error]
    except TextclfError as error:
        found = [str(error)]
    assert [message for message in map(without_options, found) if "--" in message] == []
