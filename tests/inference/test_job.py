"""What is asked of a job of predicting is checked before anything is loaded, and done the same whoever asks."""

import json
from collections import Counter
from pathlib import Path

import pytest

from textclf.errors import UsageError
from textclf.inference import job
from textclf.inference.classifier import load_model
from textclf.inference.job import Job

COLUMNS = {
    **dict.fromkeys(("label_column", "label_separator", "id_column", "delimiter", "quote", "encoding", "label_prefix")),
    "label_columns": (),
}


def test_options_about_columns_become_columns():
    made = Job.create(texts=("x",), text_column=["a", "b"], columns=("a", "b", "c"), **{**COLUMNS, "id_column": "c"})
    assert (made.columns.text, made.columns.names, made.columns.id, made.texts) == (
        ("a", "b"),
        ("a", "b", "c"),
        "c",
        ("x",),
    )
    assert not made.is_rejecting
    assert Job(texts=("x",), reject_below=0.0).is_rejecting


@pytest.mark.parametrize(
    ("given", "part"),
    [
        ({}, "nothing to predict"),
        ({"texts": ("rows.csv",)}, "add --input before it"),
        ({"texts": ("rain", "rows.csv")}, "add --input before it"),
        ({"inputs": ("nowhere.csv",)}, "no such file: nowhere.csv"),
        ({"inputs": ("*.tsv",)}, "no file or folder is named like"),
        ({"texts": ("rain",), "layout": "parquet"}, "add --output FILE"),
        ({"texts": ("rain",), "explain": True, "layout": "csv"}, "use --format jsonl"),
        ({"texts": ("rain",), "explain": True, "output": Path("out.txt")}, "leave out --output"),
        ({"texts": ("rain",), "output": Path("nowhere/out.txt")}, "no such folder: nowhere"),
        ({"inputs": ("rows.csv",), "output": Path("rows.csv")}, "is also the input"),
    ],
    ids=str,
)
def test_what_does_not_fit_together_is_named(given, part):
    Path("rows.csv").write_text("text\nrain\n")
    with pytest.raises(UsageError, match=part.replace("*", ".")):
        job.check(Job(**given))


@pytest.mark.parametrize("text", ["x" * 5000 + ".csv", "a\0b.csv", "\ud800.csv", "-", "rows.csv rain"])
def test_a_text_that_cannot_be_a_file_is_a_text(text):
    Path("rows.csv").write_text("text\nrain\n")
    assert job.check(Job(texts=(text,))) == []


@pytest.mark.parametrize("run_dir", ["mlp"], indirect=True)
def test_every_row_is_answered_and_watched(run_dir, classifier, capsys):
    Path("rows.csv").write_text("id,text,label\n7,the cat sat,animals\n8,rain,food\n")
    wanted = Job.create(
        inputs=("rows.csv",), layout="csv", text_column=(), columns=(), **{**COLUMNS, "id_column": "id"}
    )
    said, counts = [], Counter()

    class Seen(job.Progress):
        def read(self, size):
            counts["bytes"] += size

        def answered(self, rows):
            counts["rows"] += rows

    files = job.check(wanted)
    job.run(wanted, files, classifier, run_dir / "model", warn=said.append, progress=Seen())
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(",")[0] for line in lines] == ["id", "7", "8"]
    assert counts == {"rows": 2, "bytes": Path("rows.csv").stat().st_size}
    assert "on 2 rows with a label" in said[0]


@pytest.mark.parametrize("several_run", ["mlp"], indirect=True)
@pytest.mark.parametrize(
    ("given", "count"), [({"threshold": 0.0}, 3), ({"threshold": 0.0, "top_k": 2}, 2), ({"threshold": 1.0}, 0)]
)
def test_a_threshold_and_a_number_limit_the_labels_of_a_text(given, count, several_run, capsys):
    wanted = Job(texts=("the cat sat", "rain"), layout="jsonl", **given)
    job.run(wanted, [], load_model(several_run), several_run / "model", warn=print)
    records = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [len(record["labels"]) for record in records] == [count, count]


@pytest.mark.parametrize("run_dir", ["mlp"], indirect=True)
def test_a_threshold_is_refused_where_a_text_has_one_label(run_dir, classifier):
    with pytest.raises(UsageError, match=r"^--threshold is for several labels per text, and this model gives one"):
        job.run(Job(texts=("x",), threshold=0.5), [], classifier, run_dir / "model", warn=print)
