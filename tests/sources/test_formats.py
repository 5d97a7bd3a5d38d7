"""Rows of files and of stdin, for predicting: which format, which columns, and how a file is opened and closed."""

import io
import sys
from pathlib import Path
from types import SimpleNamespace

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from textclf.errors import DataError, UsageError
from textclf.sources import Columns, rows
from textclf.sources.formats import STDIN, Reading, columns_of
from textclf.sources.kinds import KINDS_BY_ENDING

WRITTEN = {
    "csv": b"text,label\none,a\ntwo,b\n",
    "tsv": b"text\tlabel\none\ta\ntwo\tb\n",
    "jsonl": b'{"text": "one", "label": "a"}\n{"text": "two", "label": "b"}\n',
    "json": b'[{"text": "one", "label": "a"},\n {"text": "two", "label": "b"}]\n',
    "fasttext": b"__label__a one\n__label__b two\n",
    "lines": b"one\ntwo\n",
}


@pytest.mark.parametrize(("ending", "kind"), [*KINDS_BY_ENDING.items(), (".txt", "lines"), (".log", "lines")])
def test_the_ending_decides_unless_the_format_is_named(ending, kind, tmp_path):
    labels = [None, None] if kind == "lines" else ["a", "b"]
    for path, named in ((tmp_path / f"f{ending}", "auto"), (tmp_path / "f.other", kind)):
        if kind == "parquet":
            pq.write_table(pa.table({"text": ["one", "two"], "label": ["a", "b"]}), path)
        elif kind == "xlsx":
            book = openpyxl.Workbook()
            for row in (("text", "label"), ("one", "a"), ("two", "b")):
                book.active.append(row)
            book.save(path.with_suffix(".xlsx"))
            path.with_suffix(".xlsx").rename(path)
        else:
            path.write_bytes(WRITTEN[kind])
        found = list(rows(path, kind=named))
        assert ([row.text for row in found], [row.label for row in found]) == (["one", "two"], labels)


@pytest.mark.parametrize("kind", WRITTEN)
@pytest.mark.parametrize("buffered", [True, False])
def test_stdin_is_read_and_stays_open(kind, buffered, monkeypatch):
    stream = io.BytesIO(WRITTEN[kind])
    stream = io.BufferedReader(stream) if buffered else stream
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=stream))
    found = list(rows(STDIN, kind=kind))
    assert [row.text for row in found] == ["one", "two"]
    assert not buffered or not stream.closed


@pytest.mark.parametrize(
    ("path", "kind", "columns", "message"),
    [
        ("-", "parquet", Columns(), "Parquet is not read from a pipe"),
        ("-", "xlsx", Columns(), "Xlsx is not read from a pipe"),
        ("f.txt", "auto", Columns(id="key"), "lines have no columns: leave out --text-column"),
        ("f.ft", "auto", Columns(("text",)), "fasttext have no columns"),
    ],
)
def test_options_that_do_not_fit_together_are_refused_at_once(path, kind, columns, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("f.txt").write_text("one\ntwo\n")
    with pytest.raises(UsageError, match=message):
        rows(Path(path), kind=kind, columns=columns)


@pytest.mark.parametrize(
    ("kind", "content", "taken"),
    [
        ("csv", b"key,message,topic\n1,one,a\n", Columns(("message",), "topic", None, (), ",", '"', "utf-8")),
        ("tsv", b"message\ttopic\n", Columns(("message",), "topic", None, (), "\t", "", "utf-8")),
        ("jsonl", b'\n{"n": \n{"message": "one", "topic": "a"}\n', Columns(("message",), "topic", encoding="utf-8")),
        ("fasttext", b"__label__a one\n", Columns(encoding="utf-8")),
        ("csv", b"", Columns(encoding="utf-8")),
    ],
)
def test_the_columns_that_training_takes_are_found_at_the_beginning(kind, content, taken, tmp_path):
    (tmp_path / "f").write_bytes(content)
    assert columns_of(tmp_path / "f", kind, Reading()) == taken


def test_the_columns_of_parquet_are_found_without_reading_a_row(tmp_path, monkeypatch):
    pq.write_table(pa.table({"label": ["a"], "body": ["one"], "text": ["two"]}), tmp_path / "f")
    monkeypatch.setattr(pq.ParquetFile, "iter_batches", None)
    found = columns_of(tmp_path / "f", "parquet", Reading(known=Columns(("body",))))
    assert found == Columns(("body",), "label")


def test_columns_known_from_training_come_before_usual_names(tmp_path):
    (tmp_path / "f.csv").write_bytes(b"text,message,team,label\none,two,a,b\n")
    (row,) = rows(tmp_path / "f.csv", known=Columns(("message",), "team"))
    assert (row.text, row.label) == ("two", "a")
    (row,) = rows(tmp_path / "f.csv", known=Columns(("gone",), "gone"))
    assert (row.text, row.label) == ("one", "b")


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    with pytest.raises(DataError, match=f"cannot read {tmp_path}: Is a directory"):
        list(rows(tmp_path, kind="csv"))


def test_a_broken_row_costs_that_row_alone_and_a_file_is_closed_with_its_rows(tmp_path, monkeypatch):
    (tmp_path / "f.csv").write_bytes(b"text\none\ntwo,more\nthree\n")
    opened = []
    path_open = Path.open
    monkeypatch.setattr(Path, "open", lambda *args, **kwargs: opened.append(path_open(*args, **kwargs)) or opened[-1])
    found = rows(tmp_path / "f.csv")
    assert [bool(next(found).error) for _ in range(3)] == [False, True, False]
    assert not opened[-1].closed
    found.close()
    assert opened[-1].closed


@pytest.mark.parametrize("content", [b'[\n {"text": "one"}\n]\n', b'{"text": "one"}\n', b'[{"text": "one"}]'])
def test_json_from_stdin_is_not_taken_for_lines(content, monkeypatch):
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(content)))
    with pytest.raises(UsageError, match="stdin looks like JSON: add --input-format json, or jsonl, or lines"):
        list(rows(STDIN))
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(content)))
    assert next(rows(STDIN, kind="lines")).text == content.decode().split("\n")[0]


def test_a_part_is_named_in_json_and_workbooks(tmp_path):
    (tmp_path / "f.json").write_text('{"train": [["one", "a"]], "test": [["two", "b"]]}')
    with pytest.raises(UsageError, match="several lists of documents, train, test"):
        list(rows(tmp_path / "f.json"))
    assert [row.text for row in rows(tmp_path / "f.json", part="test")] == ["two"]


def test_labels_of_lines_begin_as_those_of_the_training_documents(tmp_path):
    path, warnings = tmp_path / "f.txt", []
    path.write_text("#a one\n#b two\n")
    found = list(rows(path, known=Columns(label_prefix="#"), warn=warnings.append))
    assert ([(row.text, row.label) for row in found], warnings) == ([("one", "a"), ("two", "b")], [])
    assert [row.text for row in rows(path, known=Columns(label_prefix=""), warn=warnings.append)] == [
        "#a one",
        "#b two",
    ]
    (warning,) = warnings
    assert warning.endswith(
        "each line of the training documents began with its label; if these do, add --label-prefix ''"
    )
    found = list(rows(path, columns=Columns(label_prefix=""), known=Columns(label_prefix=""), warn=warnings.append))
    assert ([row.label for row in found], len(warnings)) == (["#a", "#b"], 1)


def test_a_part_of_a_file_that_has_none_is_refused(tmp_path):
    (tmp_path / "f.csv").write_text("text,label\none,a\n")
    with pytest.raises(UsageError, match=r"f\.csv has no parts, as JSON and XLSX may have: leave out --part"):
        rows(tmp_path / "f.csv", part="train")
