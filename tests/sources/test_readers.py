"""Rows of CSV and TSV, broken ones included."""

import csv
import io
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from textclf.errors import DataError, UsageError
from textclf.sources import Columns, Row
from textclf.sources.columns import find_columns
from textclf.sources.readers import read_delimited
from textclf.sources.text_lines import read_lines


def delimited(content, columns=Columns(), *, longest=10_000_000, **options):  # noqa: B008 (frozen)
    find = partial(find_columns, columns, where="f.csv", needs_label=False)
    lines = read_lines(io.BufferedReader(io.BytesIO(content)), "f.csv", newline="", limit=longest)
    return list(read_delimited(lines, "f.csv", find, **options))


def shown(rows):
    """The text of each row, or where its error is."""
    return [":".join(row.error.split(":")[:2]) if row.error else row.text for row in rows]


def test_columns_are_found_by_their_usual_names_or_named():
    content = b"title,text,label,id\nA,b,c,7\n"
    assert delimited(content) == [Row("b", None, "c", place="f.csv:2")]
    columns = Columns(("text", "title"), "id", "label")
    expected = [Row("b\nA", "c", "7", place="f.csv:2")]
    assert delimited(content, columns) == delimited(content.replace(b",", b"\t"), columns, delimiter="\t") == expected
    assert delimited(b"text\nno label at all\n") == [Row("no label at all", place="f.csv:2")]
    assert delimited(b"") == delimited(b"text\n") == []


@pytest.mark.parametrize(
    ("content", "columns", "kind", "part"),
    [
        (b"a,b\n1,2\n", Columns(), UsageError, "which column is the text\\? add --text-column NAME; f.csv has the"),
        (b"text,b\n1,2\n", Columns(("body",)), UsageError, "no column 'body'; f.csv has the columns text, b"),
        (b"text,b\n1,2\n", Columns(id="c"), UsageError, "no column 'c'"),
        (b"text,text\n1,2\n", Columns(), DataError, "two columns are named 'text'"),
        (b"1,some words\n2,others\n", Columns(), DataError, "no header"),
        (b'"text\n1\n', Columns(), DataError, "f.csv:1: the row is broken"),
    ],
)
def test_a_header_that_cannot_be_used_is_refused(content, columns, kind, part):
    with pytest.raises(kind, match=part):
        delimited(content, columns)


def test_a_broken_row_of_csv_costs_that_row_alone():
    content = b'text,label\nfirst,a\n"not closed,b\nnext,c\n"two\nlines",d\n"x"y,e\n\na,b,c\n"quoted ""word""",f\nend,g'
    assert shown(delimited(content)) == [
        "first",
        "f.csv:3",
        "next",
        "two\nlines",
        "f.csv:7",
        "f.csv:8",
        "f.csv:9",
        'quoted "word"',
        "end",
    ]
    errors = [row.error for row in delimited(content) if row.error]
    assert "a quote inside a field is written twice" in errors[0]
    assert errors[2:] == ["f.csv:8: the line is blank", "f.csv:9: 3 fields, but the header has 2"]


@pytest.mark.parametrize(("row", "limit"), [(b"row\n", 10_000_000), (b"row\n", 50), (b"row and more\n", 50)])
def test_a_quote_that_is_never_closed_costs_one_row(row, limit):
    """Whatever comes first: the end, the characters or the lines that one record may have."""
    found = delimited(b'text\n"open\n' + row * 50, limit=limit)
    assert shown(found) == ["f.csv:2", *[row.decode().strip()] * 50]


@pytest.mark.parametrize(("row", "most"), [("\n", 105), ("x" * 99 + "\n", 15)], ids=["lines", "characters"])
def test_an_open_quote_holds_few_lines_in_memory(row, most):
    """At most 1,000 characters and 100 lines."""
    taken = []

    def lines():
        for number, text in enumerate(["text\n", '"open\n', *[row] * 1_000], start=1):
            taken.append(number)
            yield number, text, None

    find = partial(find_columns, Columns(), where="f", needs_label=False)
    assert "a quote is not closed within 1,000" in next(read_delimited(lines(), "f", find, limit=1_000)).error
    assert len(taken) <= most


def test_two_quotes_that_are_never_closed_cost_two_rows():
    content = b'text\n"open\none\n"open\n' + b"row\n" * 30
    assert shown(delimited(content)) == ["f.csv:2", "one", "f.csv:4", *["row"] * 30]


def test_undecoded_bytes_and_long_lines_cost_one_row():
    content = b'text,label\n\xff,a\nb,c\n"x\n\xff",d\ne,f\n' + b"y" * 500 + b",g\nh,i\n"
    assert shown(delimited(content, longest=100)) == ["f.csv:2", "b", "f.csv:5", "e", "f.csv:7", "h"]
    content = b'text,label\n"open\n\xff,a\nb,c\n'
    assert shown(delimited(content)) == ["f.csv:2", "f.csv:3", "b"]  # even where the line is read twice
    assert "byte 0xff" in delimited(b'text\n"a"\xff\n')[0].error  # which comes before what it breaks


def test_lines_may_end_as_on_old_macs():
    assert shown(delimited(b"text,label\rone,a\rtwo,b\r")) == ["one", "two"]
    assert shown(delimited(b'text\n"a\rb"\n')) == ["a\rb"]


FIELD = st.text(st.sampled_from('ab",\n\r\t é'), max_size=6)


@settings(max_examples=150, derandomize=True, deadline=None, database=None)
@given(st.lists(st.tuples(FIELD, FIELD), max_size=8))
def test_whatever_the_csv_module_writes_is_read(table):
    file = io.StringIO(newline="")
    csv.writer(file).writerows([("text", "label"), *table])
    assert [(row.text, row.label) for row in delimited(file.getvalue().encode())] == table


@settings(max_examples=150, derandomize=True, deadline=None, database=None)
@given(st.lists(st.text(st.sampled_from('ab" '), max_size=8), max_size=12))
def test_lines_with_stray_quotes_are_each_one_row_if_rows_are_lines(written):
    """A row takes several lines only where a quote is closed on a later one."""
    rows = delimited("\n".join(["text", *written]).encode() + b"\n")
    in_several = sum(row.text.count("\n") for row in rows)
    assert len(rows) + in_several == len(written)
