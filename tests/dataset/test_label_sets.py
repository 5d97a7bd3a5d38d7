"""Sets of labels: whether a document may have several, who has which, and what splits are drawn by."""

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from sklearn.preprocessing import MultiLabelBinarizer

from tests.dataset import tables
from tests.dataset.test_build import settings
from textclf.dataset.build import preprocess
from textclf.dataset.directory import DataDirectory
from textclf.dataset.label_sets import MULTI, SINGLE, LabelSets, find_task
from textclf.dataset.preview import preview
from textclf.errors import DataError
from textclf.sources import Columns

ANY = Columns()
FLAGS = Columns(flags=("a", "b"))
CELLS = Columns(separator=";")
SETS = [(), ("a",), ("a", "b"), ("b", "c")]


@pytest.mark.parametrize(
    ("asked", "sets", "columns", "task"),
    [
        ("auto", [("a",), ("b",)], ANY, SINGLE),
        ("auto", [("a",), ("a", "b")], ANY, MULTI),
        ("auto", [("a",), ("b",)], FLAGS, MULTI),
        ("auto", [("a",), ("b",)], CELLS, MULTI),
        ("auto", SETS, ANY, MULTI),
        ("single", [("a",), ("b",)], ANY, SINGLE),
        ("single", [("a",), ("b",)], FLAGS, SINGLE),
        ("single", [("a",), ("b",)], CELLS, SINGLE),
        ("multi", [("a",), ("b",)], ANY, MULTI),
        ("multi", [(), ("b",)], ANY, MULTI),
    ],
)
def test_the_task_is_the_one_asked_for_or_that_of_the_source(asked, sets, columns, task):
    assert find_task(asked, sets, columns, source="f.csv", first=["1"] * len(sets)) == task


FASTTEXT = (
    "; in fastText lines a label is a word that begins with __label__, --label-prefix names another beginning, and "
    "--label-prefix '' takes the first word of each line for its label"
)


@pytest.mark.parametrize(
    ("asked", "sets", "columns", "message"),
    [
        ("auto", [(), ("a",)], ANY, f"document 1 has no label; each must have one, or add --task multi{FASTTEXT}"),
        ("single", SETS[1:], ANY, "document 2 has 2 labels: 'a', 'b'; each must have one, or add --task multi"),
        ("single", [("a",), tuple("abcd")], CELLS, "document 2 has 4 labels: 'a', 'b', 'c'; each must have one"),
    ],
)
def test_a_document_without_its_one_label_is_named(asked, sets, columns, message):
    with pytest.raises(DataError) as caught:
        find_task(asked, sets, columns, source="f.csv", first=[str(place + 1) for place in range(len(sets))])
    assert str(caught.value).startswith(f"f.csv: {message}")


DOCUMENTS = np.array([2, 0, 2, 1, 3])


def test_sets_become_indicators_counts_and_names():
    several = LabelSets(SETS, MULTI)
    assert several.names() == ["a", "b", "c"]
    binarizer = MultiLabelBinarizer(classes=["c", "a"])  # in this order, and without b
    with pytest.warns(UserWarning, match="unknown class"):
        expected = binarizer.fit_transform(SETS)
    np.testing.assert_array_equal(several.matrix(["c", "a"]), expected)
    assert several.matrix([]).shape == (4, 0)
    assert several.counts(DOCUMENTS) == {"a": 3, "b": 3, "c": 1}
    assert several.counts(DOCUMENTS[:2]) == {"a": 1, "b": 1}
    assert [several.labels()[place] for place in DOCUMENTS] == [("a", "b"), (), ("a", "b"), ("a",), ("b", "c")]


def test_a_document_of_one_label_has_a_string():
    single = LabelSets([("a",), ("b",)], SINGLE)
    assert single.labels() == ("a", "b")
    assert single.strata(np.array([1, 0, 1]), counts={"a": 1, "b": 2}).tolist() == [1, 0, 1]


def test_documents_are_drawn_by_the_rarest_of_their_labels():
    several = LabelSets([(), ("a",), ("a", "b"), ("a", "c"), ("b", "c")], MULTI)
    names, counts = several.names(), {"a": 9, "b": 4, "c": 2}
    strata = several.strata(np.arange(5), counts=counts).tolist()
    assert [names[place] if place < 3 else None for place in strata] == [None, "a", "b", "c", "c"]
    alike = several.strata(np.arange(5), counts={"a": 2, "b": 2})  # c is not in train: the rarest of all
    assert alike.tolist() == [3, 0, 0, 2, 2]


# In a data directory


def write_lists(path, rows):
    lines = [json.dumps({"text": text, "labels": labels}) for text, labels in rows]
    Path(path).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def unequal(documents=400):
    """Every tenth document has a rare label, of which one in four also has a frequent one; every seventh has none."""
    for number in range(documents):
        labels = ["often"] if number % 2 else []
        labels += [f"rare{number // 10 % 2}"] if number % 10 == 3 else []
        yield f"text {number} of these", [] if number % 7 == 0 else labels or ["other"]


def test_splits_have_their_share_of_each_label():
    write_lists("docs.jsonl", unequal())
    root, report = preprocess(settings(source="docs.jsonl"))
    data = DataDirectory.open(root)
    assert data.is_multi
    total = Counter(label for _, labels in unequal() for label in labels)
    for split, share in (("train", 0.8), ("validation", 0.1), ("test", 0.1)):
        found = report.splits[split]
        assert {label: found.labels[label] for label in ("rare0", "rare1")} == {
            label: pytest.approx(share * total[label], abs=1) for label in ("rare0", "rare1")
        }
        assert found.labels["often"] == pytest.approx(share * total["often"], rel=0.15)
        assert found.unlabelled == pytest.approx(share * 58, abs=1)


def test_the_directory_keeps_the_labels_of_each_document_and_preview_counts_alike():
    rows = list(unequal(60))
    write_lists("docs.jsonl", rows)
    found = preview(settings(source="docs.jsonl"))
    root, _ = preprocess(settings(source="docs.jsonl"))
    data = DataDirectory.open(root)
    for source, labels in zip(data.documents.source, tables.labels(data.documents), strict=True):
        assert labels == tuple(sorted(rows[int(source) - 1][1]))
    sets = data.label_sets()
    assert [sets.sets[place] for place in data.classes()] == tables.labels(data.documents)
    assert found.labels["train"] == dict(Counter(label for _, labels in rows for label in labels).most_common())
    assert data.manifest.task == MULTI
    assert data.manifest.labels == sets.names() == ["often", "other", "rare0", "rare1"]


def test_labels_that_only_test_has_are_no_classes():
    write_lists("docs.jsonl", unequal(60))
    write_lists("test.jsonl", [("one text", ["often", "never seen"]), ("another", [])])
    root, _ = preprocess(settings(source="docs.jsonl", test=Path("test.jsonl")))
    data = DataDirectory.open(root)
    assert data.unseen_labels() == ["never seen"]
    assert "never seen" not in data.manifest.labels
    with pytest.raises(DataError, match=r"no training document has these labels.*'never seen' \(1\)"):
        preprocess(settings(source="docs.jsonl", test=Path("test.jsonl"), strict=True, overwrite=True))


@pytest.mark.parametrize(
    ("rows", "task", "message"),
    [
        ([("x", []), ("y", [])], "multi", "docs.jsonl: no training document has a label"),
        ([("x", ["a"]), ("y", ["b", "a"]), ("z", [])], "single", "docs.jsonl: document 3 has no label"),
        ([("x", ["a"]), ("y", ["b", "a"])], "single", "docs.jsonl: document 2 has 2 labels: 'a', 'b'"),
        ([("x", []), ("y", ["b"])], "auto", "docs.jsonl: document 1 has no label; each must have one, or add --task"),
        ([("x", ["a"]), ("y", ["a"])], "auto", "docs.jsonl: needs at least two classes, found one: 'a'"),
    ],
)
def test_labels_that_do_not_fit_the_task_are_refused_by_preview_in_the_same_words(rows, task, message):
    write_lists("docs.jsonl", rows)
    for run in (preview, preprocess):
        with pytest.raises(DataError) as caught:
            run(settings(source="docs.jsonl", task=task))
        assert str(caught.value).startswith(message)
