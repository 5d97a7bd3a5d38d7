import io

import pytest

from textclf.errors import DataError
from textclf.sources import lines
from textclf.sources.lines import Row, fasttext, plain


def rows(content, kind=plain, **more):
    return list(kind(lines.lines(io.BytesIO(content), "stdin"), "stdin", **more))


def texts(content):
    return [row.text for row in rows(content)]


def test_each_line_is_a_text_whatever_stands_in_it():
    assert texts(b"one\n\n two \r\n\x00\na\rb\n\xe2\x80\xa8\nlast") == [
        "one",
        "",
        " two ",
        "\x00",
        "a\rb",
        "\u2028",
        "last",
    ]
    assert texts(b"\xef\xbb\xbfmarked\n\xef\xbb\xbfnot\n") == ["marked", "\ufeffnot"]
    assert texts(b"") == []


def test_a_line_that_is_no_text_has_an_error_in_its_place():
    first, second, third, fourth = rows(b"fine\n\xa3 5\n" + "grün\n".encode() + b"cut \xe2\x82")
    assert (first, third) == (Row("fine"), Row("grün"))
    assert second.text == fourth.text == ""
    assert second.error == "stdin, line 2: not UTF-8 (invalid start byte); convert it: iconv -t utf-8"
    assert fourth.error.startswith("stdin, line 4: not UTF-8")


@pytest.mark.parametrize("size", [99, 100, 101, 5_000])
def test_a_line_that_is_too_long_is_skipped_to_its_end(size, monkeypatch):
    monkeypatch.setattr(lines, "LONGEST", 100)
    monkeypatch.setattr(lines, "_PIECE", 7)
    first, second, third = rows(b"before\n" + b"x" * (size - 1) + b"\nbehind\n")
    assert (first.text, third.text) == ("before", "behind")
    assert (second.error is None) == (size <= 100)
    assert size <= 100 or second == Row("", error="stdin, line 2: longer than 100 bytes")


def test_what_never_ends_a_line_is_refused(monkeypatch):
    monkeypatch.setattr(lines, "LONGEST", 100)
    monkeypatch.setattr(lines, "ENDLESS", 1_000)
    monkeypatch.setattr(lines, "_PIECE", 10)
    with pytest.raises(DataError, match="stdin, line 2: longer than 100 bytes, and no end after 1,000"):
        rows(b"before\n" + b"x" * 2_000)


def test_what_begins_as_no_text_does_is_refused():
    with pytest.raises(DataError, match=r"^f is not text but gzip$"):
        list(lines.lines(io.BytesIO(b"\x1f\x8b\n"), "f", refused={rb"\x1f\x8b": "gzip"}))


FASTTEXT = b"""__label__sport hammer throw
__label__a __label__b two of them
no label
a __label__late one
__label__
__label__c\ttab
text_with__label__inside
"""


def test_labels_of_fasttext_are_taken_out_of_the_text_and_the_first_counts():
    told = []
    found = [(row.text, row.label) for row in rows(FASTTEXT, fasttext, tell=told.append)]
    assert found == [
        ("hammer throw", "sport"),
        ("two of them", "a"),
        ("no label", None),
        ("a one", "late"),
        ("", ""),
        ("tab", "c"),
        ("text_with__label__inside", None),
    ]
    assert told == ["stdin, line 2: more than one label; here and in the lines that follow, the first counts"]
    assert rows(b"__label__a \xff\n", fasttext, tell=told.append)[0].error
