import csv
import io
import json
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from textclf.errors import DataError, UsageError
from textclf.sources import lines, tables
from textclf.sources.columns import Columns
from textclf.sources.lines import Row


def delimited(content, columns=Columns(), delimiter=","):  # noqa: B008 (frozen)
    source = lines.lines(io.BytesIO(content), "f.csv")
    return list(tables.delimited(source, "f.csv", columns=columns, delimiter=delimiter))


def json_lines(content, columns=Columns()):  # noqa: B008 (frozen)
    return list(tables.json_lines(lines.lines(io.BytesIO(content), "f.jsonl"), "f.jsonl", columns=columns))


def shown(rows):
    """The text of each row, or where its error is."""
    return [row.error.split(":")[0] if row.error else row.text for row in rows]


def test_columns_are_found_by_their_usual_names_or_named():
    content = b"title,text,label,id\nA,b,c,7\n"
    assert delimited(content) == [Row("b", None, "c")]
    columns = Columns(("text", "title"), "id", "label")
    assert delimited(content, columns) == [Row("b\nA", "c", "7")]
    assert delimited(content.replace(b",", b"\t"), columns, "\t") == [Row("b\nA", "c", "7")]
    assert delimited(b"text\nno label at all\n") == [Row("no label at all")]
    assert delimited(b"") == delimited(b"text\n") == []


@pytest.mark.parametrize(
    ("content", "columns", "kind", "part"),
    [
        (b"a,b\n1,2\n", Columns(), UsageError, "which column is the text\\? add --text-column NAME; f.csv has the"),
        (b"text,b\n1,2\n", Columns(("body",)), UsageError, "no column 'body'; f.csv has the columns text, b"),
        (b"text,b\n1,2\n", Columns(id="c"), UsageError, "no column 'c'"),
        (b"text,text\n1,2\n", Columns(), DataError, "two columns are named 'text'"),
        (b"1,some words\n2,others\n", Columns(), DataError, "no header"),
        (b'"text\n1\n', Columns(), DataError, "f.csv, line 1: the row is broken"),
    ],
)
def test_a_header_that_cannot_be_used_is_refused(content, columns, kind, part):
    with pytest.raises(kind, match=part):
        delimited(content, columns)


def test_a_broken_row_of_csv_costs_that_row_alone():
    content = b'text,label\nfirst,a\n"not closed,b\nnext,c\n"two\nlines",d\n"x"y,e\n\na,b,c\n"quoted ""word""",f\nend,g'
    assert shown(delimited(content)) == [
        "first",
        "f.csv, line 3",
        "next",
        "two\nlines",
        "f.csv, line 7",
        "f.csv, line 8",
        "f.csv, line 9",
        'quoted "word"',
        "end",
    ]
    errors = [row.error for row in delimited(content) if row.error]
    assert "a quote inside a field is written twice" in errors[0]
    assert errors[2:] == ["f.csv, line 8: the line is blank", "f.csv, line 9: 3 fields, but the header has 2"]


def test_a_quote_that_is_never_closed_costs_one_row_too(monkeypatch):
    content = b'text\n"open\n' + b"row\n" * 50
    assert shown(delimited(content)) == ["f.csv, line 2", *["row"] * 50]
    monkeypatch.setattr(tables, "MAX_CHARACTERS", 20)
    assert shown(delimited(content)) == ["f.csv, line 2", *["row"] * 50]
    assert "a quote is not closed within 20 characters" in delimited(content)[0].error


def test_bytes_that_are_no_text_and_long_lines_cost_one_row(monkeypatch):
    monkeypatch.setattr(lines, "LONGEST", 100)
    content = b'text,label\n\xff,a\nb,c\n"x\n\xff",d\ne,f\n' + b"y" * 500 + b",g\nh,i\n"
    assert shown(delimited(content)) == ["f.csv, line 2", "b", "f.csv, line 5", "e", "f.csv, line 7", "h"]


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


def test_json_lines_are_objects_or_errors():
    content = b"""{"text": "one", "label": "a", "n": 1.50}
{"text": "two"
[1]

{"text": null}
{"label": "b"}
{"text": {"a": 1}}
{"text": "half \\ud83d"}
{"text": "ok", "label": "\\ud83d"}
{"text": 1e400, "label": 2}
{"text": "\xff"}
{"text": "a", "text": "b"}
{"text": NaN}
"""
    rows = json_lines(content)
    assert shown(rows) == ["one", *(f"f.jsonl, line {n}" for n in range(2, 9)), "ok", "1e400",
                           *(f"f.jsonl, line {n}" for n in range(11, 14))]  # fmt: skip
    assert [row.label for row in rows if not row.error] == ["a", None, "2"]
    assert "half a surrogate pair" in rows[7].error
    assert rows[5].label == "b"
    assert json_lines(content, Columns(("text",), None, "n"))[0] == Row("one", "1.50", "a")


@pytest.mark.parametrize(
    ("text", "is_read"),
    [("[" * 200_000, False), ('{"text": ' * 100_000, False), ('{"text": ' + "9" * 5_000 + "}", True)],
    ids=["deep array", "deep object", "long number"],
)
def test_json_that_is_deep_or_long_is_one_row(text, is_read):
    first, middle, last = json_lines(b'{"text": "a"}\n' + text.encode() + b'\n{"text": "b"}\n')
    assert (first.text, last.text) == ("a", "b")
    assert (middle.error is None) == is_read


def test_a_text_may_have_ten_million_characters(monkeypatch):
    monkeypatch.setattr(tables, "MAX_CHARACTERS", 10)
    rows = json_lines("".join(json.dumps({"text": "x" * size}) + "\n" for size in (9, 10, 11)).encode())
    assert [row.error and row.error.split(": ")[1] for row in rows] == [
        None,
        None,
        "the text has 11 characters; 10 is the most",
    ]


def test_parquet_is_read_by_rows_and_a_missing_text_is_an_error(tmp_path):
    table = pa.table({
        "text": ["a", None, "c", ""],
        "label": ["x", "y", None, "z"],
        "id": pa.array([1, 2, 3, 4]),
        "price": pa.array([Decimal("1.5"), None, None, None]),
    })  # fmt: skip
    path = tmp_path / "f.parquet"
    pq.write_table(table, path, row_group_size=2)
    rows = list(tables.parquet(path, Columns(id="id")))
    assert [row[:3] for row in rows] == [("a", "1", "x"), ("", "2", "y"), ("c", "3", None), ("", "4", "z")]
    assert [row.error for row in rows] == [None, f"{path}, row 2: no value in the column 'text'", None, None]
    assert next(tables.parquet(path, Columns(("price",)))).text == "1.5"


def test_damaged_parquet_is_refused(tmp_path):
    path = tmp_path / "f.parquet"
    path.write_bytes(b"PAR1 something else PAR1")
    with pytest.raises(DataError, match=r"f\.parquet, row 1: not Parquet that can be read"):
        list(tables.parquet(path, Columns()))
