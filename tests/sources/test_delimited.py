"""Rows of CSV and TSV, broken ones included."""

import csv
import io
from dataclasses import replace
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from textclf.errors import DataError, UsageError
from textclf.sources import Columns, Row
from textclf.sources.columns import find_columns
from textclf.sources.delimited import TableOptions, open_table, read_delimited
from textclf.sources.text_lines import read_lines


def delimited(content, columns=Columns(), *, longest=10_000_000, **options):  # noqa: B008 (frozen)
    find = partial(find_columns, columns, where="f.csv", needs_label=False)
    lines = read_lines(io.BufferedReader(io.BytesIO(content)), "f.csv", newline="", limit=longest)
    return list(read_delimited(lines, "f.csv", find, TableOptions(asked=columns, **options)))


def shown(rows):
    """The text of each row, or where its error is."""
    return [":".join(row.error.split(":")[:2]) if row.error else row.text for row in rows]


def test_columns_are_found_by_their_usual_names_or_named():
    content = b"title,text,label,id\nA,b,c,7\n"
    record = {"title": "A", "text": "b", "label": "c", "id": "7"}
    assert delimited(content) == [Row("b", None, "c", place="f.csv:2", record=record)]
    columns = Columns(("text", "title"), "id", "label")
    expected = [Row("b\nA", "c", "7", place="f.csv:2", record=record)]
    assert delimited(content, columns) == delimited(content.replace(b",", b"\t"), columns, delimiter="\t") == expected
    assert delimited(b"text\nno label at all\n") == [
        Row("no label at all", place="f.csv:2", record={"text": "no label at all"})
    ]
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
    assert (
        "a quote is not closed within 1,000"
        in next(read_delimited(lines(), "f", find, TableOptions(limit=1_000, sampled=1))).error
    )
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
    found = delimited(file.getvalue().encode(), Columns(quote='"'))
    assert [(row.text, row.label) for row in found] == table


@settings(max_examples=150, derandomize=True, deadline=None, database=None)
@given(st.lists(st.text(st.sampled_from('ab" '), max_size=8), max_size=12))
def test_lines_with_stray_quotes_are_each_one_row_if_rows_are_lines(written):
    """A row takes several lines only where a quote is closed on a later one."""
    rows = delimited("\n".join(["text", *written]).encode() + b"\n")
    in_several = sum(row.text.count("\n") for row in rows)
    assert len(rows) + in_several == len(written)


# Headers and dialects


def table(content, columns=Columns(), **options):  # noqa: B008 (frozen)
    """What is taken from the content, and its rows as (text, label)."""
    find = partial(find_columns, columns, where="f.csv", needs_label=False, known=options.get("known", Columns()))
    lines = lambda: read_lines(io.BufferedReader(io.BytesIO(content.encode())), "f.csv", newline="")  # noqa: E731
    taken = open_table(lines(), "f.csv", find, TableOptions(asked=columns, **options)).columns()
    rows = read_delimited(lines(), "f.csv", find, TableOptions(asked=columns, **options))
    return taken, [(row.text, row.label) if not row.error else row.error for row in rows]


def test_what_was_taken_reads_the_file_again():
    for content, asked in (
        ("text;label\none, two;a\n", Columns()),
        ("a|'one | two'\nb|three\n", Columns(names=("label", "text"), quote="'")),
        ('words\tteam\n"one\ta\n', Columns(("words",), "team")),
    ):
        taken, rows = table(content, asked)
        assert table(content, taken) == (replace(taken, quote_was_asked_for=True), rows)
        assert [type(row) for row in rows] == [tuple] * len(rows)


def test_names_of_columns_stand_for_a_header():
    taken, rows = table("a;one\nb;two\n", Columns(names=("label", "text")))
    assert taken == Columns(("text",), "label", None, ("label", "text"), ";", '"')
    assert rows == [("one", "a"), ("two", "b")]
    assert table("a;one\nb;two;2\nc;3\n", Columns(names=("label", "text")))[1][1] == (
        "f.csv:2: 3 fields, but --columns names 2"
    )
    with pytest.raises(UsageError, match=r"f.csv:1: the first line names the columns: leave out --columns"):
        table("Label,TEXT \na,one\n", Columns(names=("label", "text")))


def test_known_names_stand_for_a_header_that_is_not_there():
    known = Columns(("text",), "label", None, ("label", "text"), ";", '"')
    assert table("a;one\nb;two\n", known=known)[1] == [("one", "a"), ("two", "b")]
    assert table("text;label\none;a\n", known=known)[1] == [("one", "a")]
    with pytest.raises(DataError, match="no header; name the columns in their order: --columns text"):
        table("one sentence of more than forty characters in all\nanother\n", known=known)


@pytest.mark.parametrize(
    ("content", "kind", "advice"),
    [
        (
            "ham\tone\nspam\ttwo\nham\tthree\n",
            DataError,
            "no header; name the columns in their order: --columns label,text",
        ),
        ("some words,ham\nothers,spam\nmore,ham\n", DataError, "--columns text,label"),
        ("a;'b; c'\nd;'e; f; g'\na;'h'\n", DataError, "--delimiter ';' --quote \"'\" --columns label,text"),
        ("text;'label'\n'b; c';d\n'e; f; g';a\n", UsageError, "try --delimiter ';' --quote \"'\""),
        ("stars,review\n5,fine\n1,bad\n", UsageError, "--label-column NAME"),
        ("stars,review\n5,fine\n1,bad\n", UsageError, "if the first line is a row, name the columns: --columns "),
        ("only\nwords\n", UsageError, "which column is the"),
    ],
)
def test_a_missing_header_has_advice(content, kind, advice):
    find = partial(find_columns, Columns(), where="f.csv", needs_label=True)
    lines = read_lines(io.BufferedReader(io.BytesIO(content.encode())), "f.csv", newline="")
    with pytest.raises(kind) as caught:
        open_table(lines, "f.csv", find, TableOptions())
    assert advice in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "delimiter", "advice"),
    [
        (
            'text\tlabel\n"one\ttwo"\ta\n"three\tfour\tfive"\tb\n',
            "\t",
            "f.csv:2: 3 fields, but the header has 2; try --quote '\"'",
        ),
        ("text;label\n'b; c';d\nx;y\n", ";", 'f.csv:2: 3 fields, but the header has 2; try --quote "\'"'),
        ('text,label\n"b" c,d\nx,y\n', ",", "a quote inside a field is written twice; try --quote none"),
        ("text,label\nb,c,d\nx,y\n", ",", "f.csv:2: 3 fields, but the header has 2"),
        ("text,label\nb\nx,y\n", ",", "f.csv:2: 1 field, but the header has 2"),
    ],
)
def test_a_row_that_does_not_fit_has_advice_where_another_dialect_fits(content, delimiter, advice):
    error = next(row for row in table(content, delimiter=delimiter)[1] if isinstance(row, str))
    assert error.endswith(advice)


# Rows within quotes


def swallowed(separator, label_first):
    rows = [("neg", '"Best buy 1'), ("pos", "nice 2"), ("neg", "bad 3"), ("pos", 'great 4"'), ("neg", "bad 5")]
    rows = [("pos", "nice 0"), *rows]
    lines = [separator.join(row if label_first else row[::-1]) for row in rows]
    if not label_first:
        lines[4] = f'great 4"{separator}pos'
    header = separator.join(("label", "text") if label_first else ("text", "label"))
    return "\n".join([header, *lines]) + "\n"


@pytest.mark.parametrize("separator", ",;|")
@pytest.mark.parametrize("label_first", [True, False])
def test_rows_that_a_quote_swallowed_cost_one_row_and_are_named(separator, label_first):
    warnings = []
    content = swallowed(separator, label_first)
    _, rows = table(content, warn=warnings.append)
    assert len(rows) == 6
    assert rows[1].startswith("f.csv:3: a quote opens here and closes in line 6, and lines between look like rows")
    assert [row[1] for row in rows[2:]] == ["pos", "neg", "pos", "neg"]
    assert warnings == []
    _, rows = table(content, Columns(quote=""))
    assert [row[1] for row in rows] == ["pos", "neg", "pos", "neg", "pos", "neg"]
    _, rows = table(content, Columns(quote='"'), warn=warnings.append)
    assert len(rows) == 3
    assert "f.csv:3: lines 3 to 6 are one row" in warnings[0]


def test_in_tsv_a_quotation_mark_is_a_character():
    _, rows = table(swallowed("\t", label_first=True), delimiter="\t")
    assert [row[0] for row in rows][:3] == ["nice 0", '"Best buy 1', "nice 2"]
    assert len(rows) == 6


def test_rows_that_may_be_swallowed_without_labels_are_a_warning_with_their_lines():
    warnings = []
    _, rows = table('key,text\n1,"one\n2,two\n3,three"\n4,four\n', warn=warnings.append)
    assert [row[0] for row in rows] == ["one\n2,two\n3,three", "four"]
    assert warnings == [
        "f.csv:2: lines 2 to 4 are one row, as a quote opens and closes there; if each of them is a row, here or "
        "further on, add --quote none"
    ]


def test_texts_of_several_lines_with_commas_load_without_a_word():
    texts = [
        "Dear all,\nI bought this, and\n\nit broke, sadly",
        "one\ntwo",
        "a, b\nc, d\ne, f, g",
        "no, thanks\nyes, please,",
    ]
    file = io.StringIO(newline="")
    csv.writer(file).writerows([("label", "text"), *(("pos", text) for text in texts), ("neg", "fine")])
    warnings = []
    _, rows = table(file.getvalue(), warn=warnings.append)
    assert [row[0] for row in rows] == [*texts, "fine"]
    assert warnings == []


def test_a_stream_is_not_read_ahead():
    taken = []

    def lines():
        for number, text in enumerate(["text;label\n", "one;a\n", "two;b\n"], start=1):
            taken.append(number)
            yield number, text, None

    find = partial(find_columns, Columns(), where="f", needs_label=False)
    assert next(read_delimited(lines(), "f", find, TableOptions(sampled=1))).text == "one"
    assert taken == [1, 2]


def test_texts_whose_lines_have_the_width_of_a_row_load():
    """Even where all texts have several lines, of which each has a comma and ends alike."""
    rows = [("\n".join(f"line {line} of {number}, and" for line in range(4)), "ab"[number % 2]) for number in range(30)]
    file = io.StringIO(newline="")
    csv.writer(file).writerows([("text", "label"), *rows])
    warnings = []
    assert table(file.getvalue(), warn=warnings.append)[1] == rows
    assert warnings == []


@pytest.mark.parametrize("line", ["sep=^", "SEP=^ "])
def test_a_line_that_names_the_delimiter_is_no_header(line):
    taken, rows = table(f"{line}\ntext^label\none, two;^a\n")
    assert taken.delimiter == "^"
    assert rows == [("one, two;", "a")]


def test_quotes_that_are_characters_are_a_warning_where_a_program_wrote_them():
    content = 'label\ttext\na\t"he said ""no"""\nb\t"fine"\n'
    for asked, expected in ((Columns(), 1), (Columns(quote=""), 0), (Columns(quote='"'), 0)):
        warnings = []
        _, rows = table(content, asked, delimiter="\t", warn=warnings.append)
        assert len(rows) == 2
        assert len(warnings) == expected
    _, rows = table('label\ttext\na\t"fine"\n', delimiter="\t", warn=warnings.append)
    assert (rows, warnings) == ([('"fine"', "a")], [])


def test_a_single_column_has_advice_on_the_delimiter():
    with pytest.raises(UsageError, match="name it: --delimiter CHARACTER"):
        table("words~class\none~a\n")
