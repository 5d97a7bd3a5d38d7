"""What names of files say about them."""

from pathlib import Path

import pytest

from textclf.errors import UsageError
from textclf.sources.layouts import FILES, SIDE_BY_SIDE, Name, arrange, classes_of, may_be_data


def arranged(*names):
    return {
        split: (part.form, *(path.name for path in part.paths))
        for split, part in arrange([Path(name) for name in names], "here").items()
    }


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("train.csv", ("train", None, (), ())),
        ("Training.csv.gz", ("train", None, (), ())),
        ("val_text.txt", ("validation", "text", (), ())),
        ("train_labels.txt", ("train", "label", (), ())),
        ("train.labels", ("train", "label", (), ())),
        ("X_train.txt", ("train", "text", (), ())),
        ("y-test.txt", ("test", "label", (), ())),
        ("seq.in", (None, "text", (), ())),
        ("label", (None, "label", (), ())),
        ("seq.out", (None, None, (), ("seq", "out"))),
        ("train-00000-of-00002.parquet", ("train", None, ("00000", "00002"), ())),
        ("train1.csv", ("train", None, ("1",), ())),
        ("cooking.train", ("train", None, (), ("cooking",))),
        ("stsa.binary.dev", ("validation", None, (), ("stsa", "binary"))),
        ("reviews_2019_test.csv", ("test", None, ("2019",), ("reviews",))),
        ("testing.csv", (None, None, (), ("testing",))),
        ("latest.csv", (None, None, (), ("latest",))),
        ("train_test.csv", (None, None, (), ())),
        ("überprüfung.csv", (None, None, (), ("überprüfung",))),
    ],
)
def test_names_are_read(name, expected):
    assert Name.of(Path(name)) == expected


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["train.csv", "dev.csv", "test.jsonl"], {"train": "train.csv", "validation": "dev.csv", "test": "test.jsonl"}),
        (["train.csv", "test.csv", "test_results.csv", "sample.csv"], {"train": "train.csv", "test": "test.csv"}),
        (["a_train.csv", "a_test.csv", "b.csv", "b_test.csv"], {"train": "a_train.csv", "test": "a_test.csv"}),
        (["train_5500.label", "TREC_10.label"], {"train": "train_5500.label"}),
        (["cooking.train", "cooking.valid"], {"train": "cooking.train", "validation": "cooking.valid"}),
        (["a.csv", "b.csv"], {}),
        (["test.csv"], {}),
    ],
)
def test_files_are_splits_by_their_names(names, expected):
    if names == ["test.csv"]:
        assert "train" not in arranged(*names)
        return
    assert arranged(*names) == {split: (FILES, name) for split, name in expected.items()}


def test_files_that_differ_in_a_number_are_parts_of_a_split():
    names = [f"train-0000{number}-of-00003.parquet" for number in range(3)]
    assert arranged(*names, "test-00000-of-00001.parquet") == {
        "train": (FILES, *names),
        "test": (FILES, "test-00000-of-00001.parquet"),
    }


@pytest.mark.parametrize(
    "names",
    [
        ["train.csv", "training.csv"],
        ["train.csv", "train.jsonl"],
        ["train.csv", "test.csv", "test.tsv"],
        ["a_train.csv", "b_train.csv"],
        ["train1.csv", "train2.tsv"],
    ],
)
def test_two_files_for_one_split_are_refused(names):
    with pytest.raises(UsageError, match=r"here has two (train|test) parts, .* and .*: name one file$"):
        arranged(*names)


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["train_text.txt", "train_labels.txt"], {"train": ("train_text.txt", "train_labels.txt")}),
        (["mapping.txt", "train_labels.txt", "train_text.txt"], {"train": ("train_text.txt", "train_labels.txt")}),
        (["texts.txt", "labels.txt"], {None: ("texts.txt", "labels.txt")}),
        (["label", "seq.in", "seq.out"], {None: ("seq.in", "label")}),
        (["train.txt", "train.labels"], {"train": ("train.txt", "train.labels")}),
        (["X_train.txt", "y_train.txt"], {"train": ("X_train.txt", "y_train.txt")}),
        (["en_train.x", "en_train.y"], {"train": ("en_train.x", "en_train.y")}),
    ],
)
def test_texts_and_labels_side_by_side_are_found(names, expected):
    assert arranged(*names) == {split: (SIDE_BY_SIDE, *pair) for split, pair in expected.items()}


def test_every_split_may_have_two_files():
    names = [f"{split}_{role}.txt" for split in ("train", "val", "test") for role in ("text", "labels")]
    assert list(arranged(*names)) == ["train", "validation", "test"]


@pytest.mark.parametrize(
    "names", [["train.csv", "train_labels.csv"], ["labels.txt", "notes.txt"], ["text.txt", "x.txt"]]
)
def test_other_files_are_not_side_by_side(names):
    assert all(form != SIDE_BY_SIDE for form, *_ in arranged(*names).values())


@pytest.mark.parametrize(
    ("names", "classes"),
    [
        (["neg.txt", "pos.txt"], ["neg", "pos"]),
        (["rt-polarity.neg", "rt-polarity.pos"], ["neg", "pos"]),
        (["neg", "pos"], ["neg", "pos"]),
        (["neg.txt.gz", "pos.txt.gz"], ["neg", "pos"]),
        (["neg.csv", "pos.csv"], ["neg", "pos"]),
        (["neg.csv", "neg.txt", "pos.txt"], ["neg", "pos"]),
        (["README.txt", "LICENSE", "sci.med.txt", "sci.space.txt"], ["sci.med", "sci.space"]),
        (["1.txt", "2.txt"], []),
        (["doc1.txt", "doc2.txt"], []),
        (["data.txt"], []),
        (["README.txt", "data.txt"], []),
        (["rt-polarity.neg", "rt-polarity.pos", "rt-polaritydata.README.1.0.txt"], ["neg", "pos"]),
        (["a.csv", "b.csv"], ["a", "b"]),
        (["a1.csv", "a2.csv"], []),
        ([], []),
    ],
)
def test_files_are_classes_by_their_names(names, classes):
    assert list(classes_of([Path(name) for name in names]).values()) == classes


def test_only_some_endings_are_data():
    assert all(map(may_be_data, map(Path, ["train.csv", "train.txt.gz", "train", "seq.in", "train.labels", "a.dev"])))
    assert not any(map(may_be_data, map(Path, ["train.py", "train.md", "train.log", "test.zip"])))
