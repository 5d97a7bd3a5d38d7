"""What a corpus would become, without a file being written."""

from pathlib import Path

import pytest

from tests.dataset.test_build import settings, write_csv
from textclf.dataset.build import preprocess
from textclf.dataset.preview import preview
from textclf.errors import DataError
from textclf.sources import Columns, Document

ROWS = [(f"text {number}", "ab"[number % 3 == 0]) for number in range(30)]


def test_documents_columns_labels_and_splits_are_found_and_nothing_is_written():
    write_csv("films.csv", ROWS)
    write_csv("test.csv", ROWS[:3])
    found = preview(settings(test=Path("test.csv"), validation_size=0.2))
    assert (found.name, found.source) == ("films", "films.csv")
    assert found.columns == Columns(("text",), "label", None, (), ",", '"', "utf-8")
    expected = [("1", "text 0", "b"), ("2", "text 1", "a"), ("3", "text 2", "a")]
    assert list(found.documents) == [Document(*values) for values in expected]
    assert found.labels == {"train": {"a": 20, "b": 10}, "test": {"a": 2, "b": 1}}
    assert list(found.labels["train"]) == ["a", "b"]
    assert found.drawn == {"validation": 0.2}
    assert sorted(path.name for path in Path().iterdir()) == ["films.csv", "test.csv"]


@pytest.mark.parametrize(
    "rows",
    [
        [("one", "a"), ("two", "a")],
        [(f"text {number % 2}", f"a sentence of some words, number {number}") for number in range(20)],
        [*ROWS, ("a", "a;b")],
        [*ROWS, ("no label", "")],
    ],
    ids=["one class", "swapped", "a list of labels", "a row without a label"],
)
def test_what_would_be_refused_is_refused_in_the_same_words(rows):
    write_csv("films.csv", rows)
    said = []
    for run in (preview, preprocess):
        with pytest.raises(DataError) as caught:
            run(settings())
        said.append(str(caught.value))
    assert said[0] == said[1]


@pytest.mark.parametrize("tensors", [None, "all", "none"])
def test_the_room_that_is_named_beforehand_is_about_what_is_taken(tensors):
    write_csv("films.csv", [(f"{text} " * 50, label) for text, label in ROWS])
    found = preview(settings(tensors=tensors))
    assert found.tensors == (tensors or "all")
    root, _ = preprocess(settings(tensors=tensors))
    entries = [path for path in root.rglob("*") if path.is_file() or path.parent.name == "tensors"]
    tokens = [path for path in entries if path.suffix in {".pt", ".bin", ".npy", ".parquet"}]
    room = found.rooms[found.tensors]
    assert len(entries) <= room.files <= len(entries) + 2
    blocks = sum(-(-path.stat().st_size // 4096) * 4096 for path in tokens)
    assert 0.3 * blocks < room.bytes < 3 * blocks
