"""The source of a data directory, read again."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import pytest

from tests.conftest import TEXTS
from tests.dataset import tables
from textclf.config import PreprocessConfig
from textclf.dataset.build import preprocess
from textclf.dataset.directory import DataDirectory
from textclf.dataset.originals import texts_of
from textclf.errors import DataError, UsageError

ROWS = [
    (f"{label[0]}{copy}{place}", f"{text.upper()}; Number {copy}", label)
    for copy in range(6)
    for label, texts in TEXTS.items()
    for place, text in enumerate(texts)
]
BY_ID = {name: text for name, text, _ in ROWS}


def table(path, delimiter=",", rows=ROWS, quote='"'):
    """A table with the columns key, body and label."""
    path.parent.mkdir(exist_ok=True, parents=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, delimiter=delimiter, quotechar=quote, quoting=csv.QUOTE_ALL)
        writer.writerows([("key", "body", "label"), *rows])


def lines(path, records):
    path.write_text("".join(f"{json.dumps(record)}\n" for record in records))


def folders(root):
    for name, text, label in ROWS:
        (root / label).mkdir(parents=True, exist_ok=True)
        (root / label / f"{name}.txt").write_text(text)


def sheet(path):
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    for row in [("key", "body", "label"), *ROWS]:
        book.active.append(row)
    book.save(path)


COLUMNS = {"text_column": ("body",), "id_column": "key"}
SOURCES = {
    "csv": (lambda: table(Path("a.csv")), {"source": "a.csv", **COLUMNS}),
    "another delimiter and quote": (
        lambda: table(Path("a.csv"), "|", quote="'"),
        {"source": "a.csv", "quote": "'", **COLUMNS},
    ),
    "jsonl": (
        lambda: lines(Path("a.jsonl"), [{"key": name, "body": text, "label": label} for name, text, label in ROWS]),
        {"source": "a.jsonl", **COLUMNS},
    ),
    "several labels": (
        lambda: lines(Path("a.jsonl"), [{"id": name, "text": text, "labels": ["x", one]} for name, text, one in ROWS]),
        {"source": "a.jsonl", "id_column": "id"},
    ),
    "xlsx": (lambda: sheet("a.xlsx"), {"source": "a.xlsx", **COLUMNS}),
    "class folders": (lambda: folders(Path("classes")), {"source": "classes"}),
    "two files": (
        lambda: [table(Path("a.csv"), rows=ROWS[:40]), table(Path("b.csv"), rows=ROWS[40:])],
        {"source": ("a.csv", "b.csv"), **COLUMNS},
    ),
    "a test file": (
        lambda: [table(Path("a.csv"), rows=ROWS[:48]), table(Path("b.csv"), rows=ROWS[48:])],
        {"source": "a.csv", "test": ("b.csv",), **COLUMNS},
    ),
}


def directory(**settings):
    return DataDirectory.open(preprocess(PreprocessConfig(num_workers=1, name="made", **settings))[0])


@pytest.mark.parametrize("name", SOURCES)
def test_each_document_has_the_text_of_its_id(name):
    write, settings = SOURCES[name]
    write()
    data = directory(**settings)
    found = texts_of(data, range(len(data.documents)))
    ids = [Path(data.documents.source[row]).stem for row in found]
    assert dict(zip(ids, found.values(), strict=True)) == BY_ID


def test_without_ids_documents_are_those_of_their_split():
    table(Path("both/train.csv"), rows=ROWS[:48])
    table(Path("both/test.csv"), rows=ROWS[48:])
    data = directory(source="both", text_column=("body",))
    rows = data.rows("test")
    assert list(texts_of(data, rows.tolist()).values()) == [text for _, text, _ in ROWS[48:]]
    assert texts_of(data, []) == {}


def test_a_source_that_changed_is_not_read():
    table(Path("a.csv"))
    data = directory(source="a.csv", **COLUMNS)
    table(Path("a.csv"), rows=[*ROWS, ("new", "a new text", "food")])
    with pytest.raises(DataError, match=r"^a\.csv is not what made was made from: it has changed$"):
        texts_of(data, [0])
    Path("a.csv").unlink()
    with pytest.raises(UsageError, match=r"^the source cannot be read again: no such file or folder: a\.csv$"):
        texts_of(data, [0])


def test_documents_in_memory_are_gone():
    pairs = [(text, label) for _, text, label in ROWS]
    data = DataDirectory.open(preprocess(PreprocessConfig(name="held", num_workers=1), held=pairs)[0])
    with pytest.raises(UsageError, match=r"were given in memory \(documents\), where they are no more"):
        texts_of(data, [0])


def test_a_document_with_another_label_is_not_taken_for_the_same():
    table(Path("a.csv"))
    data = directory(source="a.csv", **COLUMNS)
    forged = replace(data, documents=tables.relabelled(data.documents, {0: "another"}))
    with pytest.raises(DataError, match="has another label than"):
        texts_of(forged, [0])


def test_a_manifest_that_does_not_name_its_source_is_no_crash(data_dir):
    data = DataDirectory.open(data_dir)
    bare = replace(data, manifest=replace(data.manifest, settings={"seed": 0}))
    with pytest.raises(DataError, match="does not say how its source was read"):
        texts_of(bare, [0])
