"""Plain lines and lines as fastText has them."""

import io

import pytest

from textclf.sources import Row
from textclf.sources.readers import read_fasttext, read_plain
from textclf.sources.text_lines import read_lines


def rows(content, read=read_fasttext, **options):
    return list(read(read_lines(io.BufferedReader(io.BytesIO(content)), "f"), "f", lambda _: None, **options))


def test_each_plain_line_is_a_text():
    assert rows(b"one\n\n two \r\n__label__a\nlast", read_plain) == [
        Row("one", place="f:1"),
        Row("", is_blank=True, place="f:2"),
        Row(" two ", place="f:3"),
        Row("__label__a", place="f:4"),
        Row("last", place="f:5"),
    ]
    assert [bool(row.error) for row in rows(b"one\n\xa3\n", read_plain)] == [False, True]


@pytest.mark.parametrize(
    ("line", "text", "labels"),
    [
        ("__label__sport hammer throw", "hammer throw", ["sport"]),
        ("__label__Sci/Tech  Two  spaces\u2028kept ", " Two  spaces\u2028kept ", ["Sci/Tech"]),
        ("__label__a __label__b two of them", "two of them", ["a", "b"]),
        ("__label__a text __label__b", "text ", ["a", "b"]),
        ("a __label__late one", "a one", ["late"]),
        ("no label", "no label", []),
        ("__label__", "", [""]),
        ("__label__c\ttab", "tab", ["c"]),
        ("text_with__label__inside", "text_with__label__inside", []),
    ],
)
def test_labels_are_taken_out_of_the_text(line, text, labels):
    (row,) = rows(f"{line}\r\n".encode())
    assert row.text == text
    assert [label for label in (row.label, *row.other_labels) if label is not None] == labels


@pytest.mark.parametrize(
    ("line", "prefix", "text", "label"),
    [
        ("__class__sport hammer throw", "__class__", "hammer throw", "sport"),
        ("hammer throw __class__sport", "__class__", "hammer throw ", "sport"),
        ("#sport hammer throw", "#", "hammer throw", "sport"),
        ("a+b|c fine", "a+b|", "fine", "c"),
        ("label:x __label__y", "label:", "__label__y", "x"),
        ("1 a stirring film", "", "a stirring film", "1"),
        ("DESC:manner\tHow did it go ?", "", "How did it go ?", "DESC:manner"),
        ("  1  two blanks", "", " two blanks", "1"),
        ("__label__x y", "", "y", "__label__x"),
        ("alone", "", "", "alone"),
    ],
)
def test_labels_may_begin_otherwise_and_an_empty_prefix_takes_the_first_word(line, prefix, text, label):
    (row,) = rows(f"{line}\n".encode(), prefix=prefix)
    assert (row.text, row.label, row.other_labels, row.training_error) == (text, label, (), None)


@pytest.mark.parametrize(
    ("line", "wrong"),
    [
        ("__label__a fine", None),
        ("late __label__a", None),
        ("in the __label__a middle", None),
        ("no label here", None),
        ("no__label__here", None),
        ("__label__a __label__b text", None),
        ("__label__a text __label__b", None),
        ("__label__a __label__ text", "the label is empty"),
        ("__label__ text", "the label is empty"),
        ("__label__\u3000 text", "the label is empty"),
    ],
)
def test_lines_have_any_number_of_labels_and_none_is_empty(line, wrong):
    (row,) = rows(f"{line}\n".encode())
    assert (row.training_error, row.has_labels) == (wrong and f"f:1: {wrong}", True)


def test_blank_and_undecoded_lines_are_marked():
    blank, spaces, broken = rows(b"\n  \n__label__a \xff\n")
    assert (blank.is_blank, blank.text, blank.error) == (True, "", None)
    assert (spaces.is_blank, spaces.text, spaces.error) == (True, "  ", None)
    assert broken.error.startswith("f:3: byte 0xff")
