"""Documents of several labels, however they are written down, become the same bytes."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from datasets import ClassLabel, Dataset, DatasetDict, List

from tests.dataset.test_build import settings, tree
from textclf.dataset.build import preprocess
from textclf.dataset.directory import DataDirectory

NAMES = ("anger", "joy", "quiet-fear")
"""In alphabetical order, and without spaces, as fastText lines have them."""
LABELS = [[], ["joy"], ["anger", "joy"], ["quiet-fear"], ["joy", "quiet-fear"], list(NAMES)]
DOCUMENTS = [
    (f"some words {number} and more, such as {number % 7}", LABELS[number * number % 6]) for number in range(60)
]
TEXTS, LISTS = map(list, zip(*DOCUMENTS, strict=True))
FLAGS = {name: [name in labels for labels in LISTS] for name in NAMES}
COLUMNS = {"text": TEXTS, "labels": LISTS}


def json_lines(path):
    path.write_text("".join(json.dumps({"text": text, "labels": some[::-1]}) + "\n" for text, some in DOCUMENTS))


def json_list(path):
    path.write_text(json.dumps([{"text": text, "labels": labels} for text, labels in DOCUMENTS]))


def json_flags(path):
    records = [{"text": text, **{name: name in labels for name in NAMES}} for text, labels in DOCUMENTS]
    path.write_text("".join(f"{json.dumps(record)}\n" for record in records))


def parquet_lists(path):
    pq.write_table(pa.table(COLUMNS), path)


def parquet_flags(path):
    pq.write_table(pa.table({"text": TEXTS, **FLAGS}), path)


def parquet_integers(path):
    numbers = {name: pa.array(map(int, flags), pa.int8()) for name, flags in FLAGS.items()}
    pq.write_table(pa.table({**numbers, "text": TEXTS}), path)


def write_csv(path, header, rows):
    with path.open("w", newline="") as file:
        csv.writer(file, delimiter="\t" if path.suffix == ".tsv" else ",").writerows([header, *rows])


def csv_flags(path, spelled=("0", "1")):
    rows = ((*(spelled[name in labels] for name in NAMES), text) for text, labels in DOCUMENTS)
    write_csv(path, (*NAMES, "text"), rows)


def csv_words(path):
    csv_flags(path, ("False", "True"))


def csv_cells(path, separator=";"):
    write_csv(path, ("text", "labels"), ((text, separator.join(labels)) for text, labels in DOCUMENTS))


def csv_loose_cells(path):
    csv_cells(path, " ; ")


def csv_python_lists(path):
    write_csv(path, ("text", "labels"), DOCUMENTS)


def fasttext_lines(path):
    lines = (" ".join([*(f"__label__{name}" for name in labels), text]) for text, labels in DOCUMENTS)
    path.write_text("".join(f"{line}\n" for line in lines))


def tsv_cells(path):
    csv_cells(path, "|")


def workbook_flags(path):
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    for row in (("text", *NAMES), *((text, *(int(name in labels) for name in NAMES)) for text, labels in DOCUMENTS)):
        book.active.append(row)
    book.save(path)


class_labels = Dataset.from_dict({**COLUMNS, "labels": [[NAMES.index(name) for name in some] for some in LISTS]})
HELD = {
    "pairs": DOCUMENTS,
    "dictionaries": [{"text": text, "labels": tuple(labels)} for text, labels in DOCUMENTS],
    "columns": COLUMNS,
    "a data frame of lists": pd.DataFrame(COLUMNS),
    "a data frame of arrays": pd.DataFrame({"text": TEXTS, "labels": [np.array(some, dtype=object) for some in LISTS]}),
    "a data frame of flags": pd.DataFrame({"text": TEXTS, **FLAGS}),
    "an Arrow table": pa.table(COLUMNS),
    "a dataset of lists": Dataset.from_dict(COLUMNS),
    "a dataset of named labels": class_labels.cast_column("labels", List(ClassLabel(names=list(NAMES)))),
    "a dataset of flags": DatasetDict({"train": Dataset.from_dict({"text": TEXTS, **FLAGS})}),
}

FILES = {
    "docs.jsonl": [json_lines, json_flags],
    "docs.json": [json_list],
    "docs.parquet": [parquet_lists, parquet_flags, parquet_integers],
    "docs.csv": [csv_flags, csv_words, csv_cells, csv_loose_cells, csv_python_lists],
    "docs.tsv": [tsv_cells],
    "docs.xlsx": [workbook_flags],
    "docs.txt": [fasttext_lines],
}
ASKED = {
    csv_cells: {"label_separator": ";"},
    csv_loose_cells: {"label_separator": ";"},
    csv_python_lists: {"label_separator": ","},
    tsv_cells: {"label_separator": "|"},
}


def made(source, name, *, held=None, **given):
    """The bytes of what training reads, without the manifest and the report, which name the source."""
    config = replace(settings(source=source, name=name), tensors="none", **given)
    root, _ = preprocess(config, held=held)
    return {path: content for path, content in tree(root).items() if path not in ("manifest.json", "report.json")}


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    """Of JSON lines with lists."""
    folder = tmp_path_factory.mktemp("expected")
    json_lines(folder / "docs.jsonl")
    return made(str(folder / "docs.jsonl"), "expected", data_dir=folder)


@pytest.mark.parametrize(
    ("name", "write"),
    [(name, write) for name, writers in FILES.items() for write in writers],
    ids=lambda value: getattr(value, "__name__", value),
)
def test_files_of_every_form_become_the_same_bytes(name, write, expected):
    write(Path(name))
    found = made(name, "found", **ASKED.get(write, {}))
    assert found.keys() == expected.keys()
    assert [path for path in found if found[path] != expected[path]] == []


@pytest.mark.parametrize("held", HELD.values(), ids=HELD.keys())
def test_documents_in_memory_become_the_same_bytes(held, expected):
    found = made("in memory", "found", held=held)
    assert [path for path in found if found[path] != expected[path]] == []


def test_columns_of_flags_may_be_named(expected):
    write_csv(
        Path("docs.csv"),
        ("first", "text", *NAMES, "last"),
        (
            (number % 2, text, *(int(name in some) for name in NAMES), 1)
            for number, (text, some) in enumerate(DOCUMENTS)
        ),
    )
    for place, columns in enumerate([NAMES, ("anger..quiet-fear",), ("quiet-fear", "anger..joy")]):
        found = made("docs.csv", f"found{place}", label_columns=columns)
        assert [path for path in found if found[path] != expected[path]] == []
    by_itself = made("docs.csv", "all")  # each column of 0 and 1 is a label
    assert by_itself["documents/part-00000.parquet"] != expected["documents/part-00000.parquet"]


def test_one_label_each_is_a_single_label_in_every_form():
    rows = [(f"some words {number}", NAMES[number % 3]) for number in range(30)]
    write_csv(Path("docs.csv"), ("text", "label"), rows)
    lists = [{"text": text, "label": [label]} for text, label in rows]
    Path("docs.jsonl").write_text("".join(f"{json.dumps(record)}\n" for record in lists))
    Path("docs.txt").write_text("".join(f"__label__{label} {text}\n" for text, label in rows))
    one, *others = (made(name, name[-3:]) for name in ("docs.csv", "docs.jsonl", "docs.txt"))
    assert others == [one, one]
    assert {DataDirectory.open(path).manifest.task for path in Path("data").iterdir()} == {"single"}
