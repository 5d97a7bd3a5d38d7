"""A file that the page sends gets the answers of `textclf predict --input`, whatever its form."""

import csv
import io
from dataclasses import replace

import pytest

from textclf.cli import main
from textclf.inference.classifier import Classifier, load_model
from textclf.inference.predicting import Rejection
from textclf.serve.asgi import Refused
from textclf.serve.labelling import LONGEST_TEXT, Upload, Wanted, label, refuse_ending
from textclf.sources import Columns
from textclf.sources.advice import without_options

FILES = {
    "tickets.csv": b"ticket_id,message,category\n17,the cat sat,animals\n18,bread and butter,food\n",
    "semicolons.csv": b"ticket_id;message;category\n17;the cat, sat;animals\n18;bread;food\n",
    "tabs.csv": b"ticket_id\tmessage\n17\tthe cat, sat\n",
    "bars.csv": b"ticket_id|message\n17|the cat, sat\n",
    "tabs.tsv": b'id\treview\n1\t"the cat\n2\tbread"\n',
    "quotes.csv": b'id,comment\n1,"the ""cat"",\nsat"\n2,rain\n',
    "mark.csv": b"\xef\xbb\xbfText ,id\nthe cat,1\n",
    "carriage.csv": b"text,id\r\nthe cat,1\r\nrain,2\r\n",
    "ragged.csv": b"id,text\n1,the cat\n2\n3,a,b\n\n4,rain\n",
    "broken.csv": b'id,text\n1,"the cat\n2,rain\n',
    "latin.csv": b"id,text\n1,caf\xe9\n2,rain\n",
    "nul.csv": b"id,text\n1,the \x00cat\n",
    "labels.csv": b"label,text\nanimals,the cat\nfood,rain\n",
    "unnamed.csv": b",,text\n1,2,the cat\n",
    "spreadsheet.csv": b"text,note\nrain,=1+1\n",
    "lines.txt": b"the cat\nrain and wind\nqqq zzz\n",
    "objects.jsonl": b'{"id": 1, "body": "the cat"}\n{"id": 2}\n{"body": "\\ud800"}\nnope\n{"body": "rain\\u0000"}\n',
    "labelled.ft": b"__label__food bread and butter\nrain\n",
}


@pytest.fixture
def classifier(mlp_run) -> Classifier:
    return load_model(mlp_run)


def labelled(classifier, folder, name, **wanted):
    """The pieces of the answer, and its rows as they would be downloaded."""
    pieces = list(label(classifier, Upload(folder / name, name), Wanted(**wanted)))
    content = "".join(piece.get("csv", "") for piece in pieces)
    return pieces, list(csv.DictReader(io.StringIO(content)))


@pytest.mark.parametrize("name", FILES)
def test_a_file_gets_the_answers_of_the_command_line(name, classifier, mlp_run, runner, tmp_path, monkeypatch):
    (tmp_path / name).write_bytes(FILES[name])
    monkeypatch.chdir(tmp_path)
    arguments = ["predict", "--run", str(mlp_run), "--input", name, "--format", "csv"]
    done = runner.invoke(main, arguments)
    assert done.exit_code == 0, done.stderr
    expected = list(csv.DictReader(io.StringIO(done.stdout)))
    pieces, found = labelled(classifier, tmp_path, name)
    assert [
        {"label": row.pop("predicted_label"), **{key: row[key] for key in expected[0] if key != "label"}}
        for row in found
    ] == [{**row, "error": without_options(row["error"])} for row in expected]  # a page has no options
    assert str(tmp_path) not in str(pieces)
    said = [without_options(line.removeprefix("textclf: ")) for line in done.stderr.splitlines()]
    assert [sentence for sentence in pieces[-1]["summary"] if "unlike" not in sentence] == said


def test_rows_keep_their_cells_and_an_unreadable_one_its_place(classifier, tmp_path):
    (tmp_path / "ragged.csv").write_bytes(FILES["ragged.csv"])
    _, rows = labelled(classifier, tmp_path, "ragged.csv")
    assert [(row["id"], row["text"]) for row in rows] == [("1", "the cat"), ("", ""), ("", ""), ("", ""), ("4", "rain")]
    assert [bool(row["error"]) for row in rows] == [False, True, True, True, False]
    assert "2 fields, but" not in rows[0]["error"]


@pytest.mark.parametrize("cell", ["", " ", "\u00a0\u2003"])
def test_an_empty_cell_gets_no_label(cell, classifier, tmp_path):
    (tmp_path / "x.csv").write_text(f"id,text\n1,rain\n2,{cell}\n", encoding="utf-8")
    _, rows = labelled(classifier, tmp_path, "x.csv")
    assert [row["predicted_label"] for row in rows] == ["weather", ""]
    assert rows[1]["error"] == "x.csv:3: the text is empty"
    assert rows[1]["id"] == "2"


def test_the_columns_are_named_and_another_one_can_be_asked_for(classifier, tmp_path):
    (tmp_path / "x.csv").write_text("text,summary\nrain,the cat\n")
    pieces, (first,) = labelled(classifier, tmp_path, "x.csv")
    assert pieces[0] == {"columns": ("text", "summary"), "text": ("text",)}
    pieces, (second,) = labelled(classifier, tmp_path, "x.csv", column=1)
    assert pieces[0] == {"columns": ("text", "summary"), "text": ("summary",)}
    assert (first["predicted_label"], second["predicted_label"]) == ("weather", "animals")


def test_the_columns_of_the_training_documents_come_first(classifier, tmp_path):
    known = Classifier(replace(classifier.trained, columns=Columns(text=("title", "story"))))
    (tmp_path / "x.csv").write_text("text,title,story\nrain,the cat,barks\n")
    pieces, (row,) = labelled(known, tmp_path, "x.csv")
    assert pieces[0]["text"] == ("title", "story")
    assert row["predicted_label"] == "animals"


@pytest.mark.parametrize("header", ["a,b", "first;second", ",", "ticket_id,owner"])
def test_without_a_usual_name_nothing_is_guessed(header, classifier, tmp_path):
    delimiter = ";" if ";" in header else ","
    (tmp_path / "x.csv").write_text(f"{header}\nx{delimiter}rain\ny{delimiter}the cat\n")
    pieces, rows = labelled(classifier, tmp_path, "x.csv")
    names = ("column_1", "column_2") if header == "," else tuple(header.split(delimiter))
    assert pieces == [{"columns": names, "text": ()}]
    pieces, rows = labelled(classifier, tmp_path, "x.csv", column=1)
    assert [row["predicted_label"] for row in rows] == ["weather", "animals"]


@pytest.mark.parametrize(
    ("name", "content", "part"),
    [
        ("x.csv", b"text,text\na,b\n", "two columns are named 'text'"),
        ("x.csv", b"\x1f\x8b\x08\x00", "x.csv is not text but gzip"),
        ("x.csv", "text\nrain\n".encode("utf-16"), "x.csv is UTF-16"),
        ("x.jsonl", b'{"a": 1}\n', "which column is the text?"),
        ("x.txt", b'[{"text": "rain"}]', "x.txt is json, which is read as a whole"),
        ("x", b"\x00\x01\x02", "not text but binary data"),
    ],
)
def test_a_file_that_cannot_be_read_is_an_error_in_one_line(name, content, part, classifier, tmp_path):
    (tmp_path / name).write_bytes(content)
    *_, last = label(classifier, Upload(tmp_path / name, name))
    assert part in last["error"]
    assert "\n" not in last["error"]
    assert str(tmp_path) not in last["error"]


def test_a_text_that_is_too_long_is_an_error_of_its_row(classifier, tmp_path):
    (tmp_path / "x.txt").write_text(f"rain\n{'a ' * (LONGEST_TEXT // 2 + 1)}\nrain\n")
    _, rows = labelled(classifier, tmp_path, "x.txt")
    assert [row["predicted_label"] for row in rows] == ["weather", "", "weather"]
    assert rows[1]["error"] == "x.txt:2: the text has 1,000,002 characters; here the most is 1,000,000"


def test_a_file_without_rows_has_an_end(classifier, tmp_path):
    for content in ("", "id,text\n"):
        (tmp_path / "x.csv").write_text(content)
        assert labelled(classifier, tmp_path, "x.csv")[0][-1] == {"rows": 0, "summary": []}


@pytest.mark.parametrize("name", ["x.parquet", "x.xlsx", "x.gz", "x.csv.zst", "x.zip", "x.json", "x.CSVX"])
def test_other_files_are_for_the_command_line(name):
    with pytest.raises(Refused, match="textclf predict --input FILE"):
        refuse_ending(name)


@pytest.mark.parametrize("name", ["x.csv", "X.CSV", "a.b.jsonl", "/etc/x.txt", "/etc/passwd"])
def test_of_a_name_only_the_ending_counts(name):
    refuse_ending(name)


def previewed(classifier, folder, name):
    (piece,) = label(classifier, Upload(folder / name, name), Wanted(preview=True))
    return piece


def test_a_preview_has_the_columns_and_the_first_rows(classifier, tmp_path):
    rows = "".join(f"{number};the cat, {number};x\n" for number in range(9))
    (tmp_path / "x.csv").write_text(f"ticket_id;message;category\n7;;y\n{rows}")
    assert previewed(classifier, tmp_path, "x.csv") == {
        "columns": ("ticket_id", "message", "category"),
        "text": ("message",),
        "first": [{"cells": ["7", "", "y"]}, {"cells": ["0", "the cat, 0", "x"]}, {"cells": ["1", "the cat, 1", "x"]}],
    }


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("x.csv", "a,b\nrain,1\n", {"columns": ("a", "b"), "text": (), "first": [{"cells": ["rain", "1"]}]}),
        (
            "x.csv",
            ",\nrain,1\n",
            {"columns": ("column_1", "column_2"), "text": (), "first": [{"cells": ["rain", "1"]}]},
        ),
        (
            "x.txt",
            f"{'a' * 400}\nrain",
            {"columns": (), "text": (), "first": [{"cells": ["a" * 300]}, {"cells": ["rain"]}]},
        ),
        ("x.csv", "", {"columns": (), "text": (), "first": []}),
        ("x.csv", "id,text\n", {"columns": ("id", "text"), "text": ("text",), "first": []}),
    ],
)
def test_a_preview_shows_what_there_is(name, content, expected, classifier, tmp_path):
    (tmp_path / name).write_text(content)
    assert previewed(classifier, tmp_path, name) == expected


def test_a_row_of_a_preview_that_cannot_be_read_says_why(classifier, tmp_path):
    (tmp_path / "x.csv").write_text("id,text\n1,rain\n2\n")
    first = previewed(classifier, tmp_path, "x.csv")["first"]
    assert first[0] == {"cells": ["1", "rain"]}
    assert first[1]["error"].startswith("x.csv:3: ")
    (tmp_path / "y.csv").write_text("text,text\na,b\n")
    assert "two columns are named 'text'" in previewed(classifier, tmp_path, "y.csv")["error"]


def test_a_minimum_probability_gives_no_label_and_says_how_many(classifier, tmp_path):
    (tmp_path / "x.txt").write_text("rain and wind\n?\nqqq zzz xxx\n")
    low = classifier.predict("?")[0].probability
    pieces, rows = labelled(classifier, tmp_path, "x.txt", rejection=Rejection(low + 1e-6, unlike=True))
    assert [row["rejected"] for row in rows] == ["false", "true", "true"]
    assert [bool(row["predicted_label"]) for row in rows] == [True, False, False]
    assert "1 of 3 rows has an answer (33.33%)" in pieces[-1]["summary"]


def test_a_column_that_is_named_as_one_of_the_answer_keeps_its_name(classifier, tmp_path):
    (tmp_path / "x.csv").write_text("text,probability,predicted_label\nrain,7,old\n")
    _, (row,) = labelled(classifier, tmp_path, "x.csv")
    assert (row["probability"], row["predicted_label"]) == ("7", "old")
    assert row["predicted_predicted_label"] == "weather"
    assert float(row["predicted_probability"]) <= 1
