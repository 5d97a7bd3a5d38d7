"""Reviewed lists of wrong labels, applied while a corpus is preprocessed."""

import csv
import json
import random
from dataclasses import replace
from pathlib import Path

import pytest

from tests.dataset import tables
from tests.dataset.test_build import tree
from tests.dataset.test_shards import Tasks, compare, sums
from textclf.config import PreprocessConfig
from textclf.dataset import manifest
from textclf.dataset.build import preprocess
from textclf.dataset.data_report import read_report
from textclf.dataset.directory import DataDirectory
from textclf.dataset.originals import texts_of
from textclf.dataset.preview import preview
from textclf.dataset.read_corpus import BatchSize
from textclf.errors import ArtefactError, DataError, InterruptedRunError, TextclfError, UsageError
from textclf.system import checksums

WORDS = ["rain", "sun", "snow", "wind", "bread", "soup", "cake", "rice"]


def rows_of(count=80, seed=0):
    """Ids, texts, and labels that follow from the first word."""
    draw = random.Random(seed)
    texts = [" ".join(draw.choices(WORDS, k=4)) for _ in range(count)]
    return [
        (f"d{at}", text, "food" if WORDS.index(text.split()[0]) > 3 else "weather") for at, text in enumerate(texts)
    ]


ROWS = rows_of()
OTHER = {"food": "weather", "weather": "food"}


def write(path, rows, head=("id", "text", "label")):
    with Path(path).open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([head, *rows])
    return str(path)


def make(*lists, name="made", rows=ROWS, **given):
    write("texts.csv", rows)
    settings = {"source": "texts.csv", "id_column": "id", "num_workers": 1, "name": name} | given
    return DataDirectory.open(preprocess(PreprocessConfig(corrections=lists, **settings))[0])


def labels_by_id(data):
    return dict(zip(data.documents.source, tables.labels(data.documents), strict=True))


def splits_by_id(data):
    return {data.documents.source[row]: data.documents.split_of(row) for row in range(len(data.documents))}


# What a list does


def test_labels_are_corrected_and_documents_left_out():
    fixes = write(
        "fixes.csv", [("d3", OTHER[ROWS[3][2]], ""), ("d5", "", "x"), ("d9", "", "")], ("id", "label", "drop")
    )
    before, after = make(), make(fixes, name="fixed")
    expected = {name: label for name, _, label in ROWS if name != "d5"} | {"d3": OTHER[ROWS[3][2]]}
    assert labels_by_id(after) == expected
    assert splits_by_id(after) == {name: split for name, split in splits_by_id(before).items() if name != "d5"}
    assert [path.name for path in after.layout.tensors.rglob("*.pt")].__len__() == len(ROWS) - 1
    record = [{"file": "fixes.csv", "sha256": checksums.sha256(Path(fixes)), "relabelled": 1, "dropped": 1}]
    assert after.manifest.corrections == record
    (note,) = [line for line in read_report(after.layout.report).notes if "fixes.csv" in line]
    assert note.endswith("has corrected the labels of 1 document and left out 1")
    assert before.manifest.fingerprint != after.manifest.fingerprint


def test_the_directory_is_as_if_the_source_had_been_edited():
    """With the source's own splits, which no label can move, every file but those that name the source is the same."""
    source = {"test": ("test.csv",), "validation": ("validation.csv",)}
    write("test.csv", rows_of(20, 1))
    write("validation.csv", rows_of(20, 2))
    wrong = {3, 17, 40}
    fixes = write("fixes.csv", [(f"d{at}", OTHER[ROWS[at][2]], "train") for at in wrong], ("id", "label", "split"))
    dropped = write("dropped.csv", [("d5", "yes", "train"), ("d6", "1", "train")], ("id", "drop", "split"))
    corrected = make(fixes, dropped, name="corrected", **source)
    rows = [(name, text, OTHER[label] if at in wrong else label) for at, (name, text, label) in enumerate(ROWS)]
    edited = make(name="edited", rows=rows[:5] + rows[7:], **source)
    one, other = tree(corrected.layout.root), tree(edited.layout.root)
    differing = {name for name in one.keys() | other.keys() if one.get(name) != other.get(name)}
    assert differing == {"manifest.json", "report.json"}
    assert corrected.manifest.fingerprint == edited.manifest.fingerprint


def test_lists_are_applied_one_after_the_other():
    first = write("first.csv", [("d3", OTHER[ROWS[3][2]])], ("id", "label"))
    second = write("second.csv", [("d3", OTHER[ROWS[3][2]], ROWS[3][2])], ("id", "given", "label"))
    data = make(first, second)
    assert labels_by_id(data)["d3"] == ROWS[3][2]
    assert [each["relabelled"] for each in data.manifest.corrections] == [1, 1]


def test_a_row_that_confirms_a_label_changes_nothing():
    data = make(write("fixes.csv", [("d3", ROWS[3][2])], ("id", "label")))
    assert data.manifest.corrections[0] | {"file": "", "sha256": ""} == {
        "file": "", "sha256": "", "relabelled": 0, "dropped": 0,
    }  # fmt: skip


SEVERAL = [
    {"id": f"d{at}", "text": f"{text} number{at}", "labels": labels}
    for at, (text, labels) in enumerate(
        [("rain soup", ["food", "weather"]), ("rain", ["weather"]), ("soup", ["food"]), ("nothing", [])] * 12
    )
]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ([{"id": "d0", "remove": "food"}], {"d0": ("weather",)}),
        ([{"id": "d1", "add": "food"}, {"id": "d1", "remove": "weather"}], {"d1": ("food",)}),
        ([{"id": "d3", "label": ["food", "weather"]}], {"d3": ("food", "weather")}),
        ([{"id": "d0", "label": []}], {"d0": ()}),
        ([{"id": "d3", "label": "food;weather", "given": ""}], {"d3": ("food", "weather")}),
        ([{"id": "d0", "label": "food", "given": ["weather", "food"]}], {"d0": ("food",)}),
    ],
)
def test_several_labels(given, expected):
    Path("several.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in SEVERAL))
    Path("fixes.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in given))
    config = PreprocessConfig(source="several.jsonl", id_column="id", num_workers=1, corrections="fixes.jsonl")
    found = labels_by_id(DataDirectory.open(preprocess(config)[0]))
    assert found == {row["id"]: tuple(row["labels"]) for row in SEVERAL} | expected


def test_ids_of_several_splits_are_told_apart_by_the_split():
    write("test.csv", rows_of(20, 1))
    asked = {"test": ("test.csv",), "id_column": None}  # rows are numbered in each split
    fixes = write("fixes.csv", [("2", "x", "test"), ("2", "x", "validation")], ("id", "drop", "split"))
    before, after = make(**asked), make(fixes, name="fixed", **asked)
    assert sum(before.manifest.splits.values()) - sum(after.manifest.splits.values()) == 2
    assert before.manifest.splits["test"] - after.manifest.splits["test"] == 1  # validation was drawn from train
    with pytest.raises(DataError, match=r"bare\.csv:2: the id '2' is in train and in test of texts\.csv: name one in"):
        make(write("bare.csv", [("2", "x")], ("id", "drop")), name="bare", **asked)


# The same bytes


def test_a_cluster_writes_the_same_bytes():
    for number in range(3):
        write(f"part-{number}.csv", [(text, label) for _, text, label in rows_of(30, number)], ("text", "label"))
    fixes = write("fixes.csv", [("7", "food", ""), ("45", "weather", ""), ("81", "", "x")], ("id", "label", "drop"))
    compare(tuple(f"part-{number}.csv" for number in range(3)), tasks=Tasks(seed=1), corrections=fixes)
    assert manifest.read_manifest(Path("here/all")).corrections[0]["dropped"] == 1


def test_the_same_list_under_another_name_is_the_same():
    data = make(write("fixes.csv", [("d3", "x")], ("id", "drop")))
    before = {path: path.stat().st_mtime_ns for path in data.layout.root.rglob("*")}
    Path("fixes.csv").rename("moved.csv")
    make("moved.csv")
    assert {path: path.stat().st_mtime_ns for path in data.layout.root.rglob("*")} == before


def test_another_list_needs_overwrite():
    make(write("fixes.csv", [("d3", "x")], ("id", "drop")))
    for lists in ([], [write("more.csv", [("d4", "x")], ("id", "drop"))]):
        with pytest.raises(UsageError, match=r"made from other settings \(--corrections was [0-9a-f]{64} and is "):
            make(*lists)
    assert "d3" in labels_by_id(make(overwrite=True))


@pytest.mark.parametrize("changes", [False, True])
def test_a_killed_preprocess_notices_that_the_list_has_changed(changes):
    def stop(items, title, _total):
        for count, item in enumerate(items):
            if title == "tokens" and count == 3:
                raise InterruptedRunError("stopped")
            yield item

    write("texts.csv", ROWS)
    config = PreprocessConfig(source="texts.csv", id_column="id", num_workers=1, name="made")
    config = replace(config, corrections=(write("fixes.csv", [("d3", OTHER[ROWS[3][2]])], ("id", "label")),))
    told = []
    with pytest.raises(InterruptedRunError):
        preprocess(config, progress=stop, batch=BatchSize(documents=10))
    if changes:
        write("fixes.csv", [("d4", OTHER[ROWS[4][2]])], ("id", "label"))
    preprocess(config, tell=told.append)
    assert bool(told) != changes
    straight = replace(config, data_dir=Path("straight"))
    preprocess(straight)
    assert sums("straight") == sums("data")


# Afterwards


def test_the_source_is_read_again_for_texts():
    data = make(write("fixes.csv", [("d3", OTHER[ROWS[3][2]], ""), ("d5", "", "x")], ("id", "label", "drop")))
    found = texts_of(data, range(len(data.documents)))
    assert {data.documents.source[row]: text for row, text in found.items()} == {
        name: text for name, text, _ in ROWS if name != "d5"
    }


def test_a_manifest_without_lists_is_as_before(data_dir):
    assert "corrections" not in json.loads((data_dir / "manifest.json").read_text())
    assert manifest.read_manifest(data_dir).corrections == []


@pytest.mark.parametrize(
    "damage", [{}, [1], [{"file": "a"}], [{"file": 1, "sha256": "", "relabelled": 0, "dropped": 0}]]
)
def test_a_damaged_record_is_refused(damage):
    data = make(write("fixes.csv", [("d3", "x")], ("id", "drop")))
    values = json.loads(data.layout.manifest.read_text())
    del values[checksums.OWN]
    data.layout.manifest.write_bytes(checksums.seal(values | {"corrections": damage}))
    with pytest.raises(ArtefactError, match="is not as it was written"):
        manifest.read_manifest(data.layout.root)


def test_a_dry_run_names_the_lists():
    write("texts.csv", ROWS)
    write("fixes.csv", [("d3", "x"), ("d4", "")], ("id", "drop"))
    config = PreprocessConfig(source="texts.csv", id_column="id", corrections="fixes.csv")
    assert list(preview(config).notes) == ["1 correction in fixes.csv would be applied"]


# What is refused

NOT_A_LIST = "it needs the columns id and label, add, remove or drop$"

WRONG = {
    "id,label\nd3,foo\n": r"^fixes\.csv:2: no document of texts\.csv has the label 'foo'; did you mean food\?$",
    "id,label\nd3,x\n": r"^fixes\.csv:2: no document of texts\.csv has the label 'x'; there are 'food', 'weather'$",
    "id,label\nd1,food\nzz,food\nyy,food\n": r"^fixes\.csv: 2 ids are not in texts\.csv, the first 'zz' \(fixes",
    "id,label\nd3,food\nd3,food\n": r"^fixes\.csv:3: the document 'd3' was corrected before, in fixes\.csv:2$",
    "id,label,drop\nd3,food,\nd3,,x\n": r"^fixes\.csv:3: the document 'd3' was corrected before, in fixes\.csv:2$",
    "id,label\nd3,\n": r"^fixes\.csv: no row corrects anything: fill label, add, remove or drop of those that do$",
    "id,label\n": r"^fixes\.csv is empty: corrections are a table with the columns id and label, add, remove or drop$",
    "": r"^fixes\.csv is empty: corrections are a table with the columns id and label, add, remove or drop$",
    "id,verdict\nd3,food\n": r"^fixes\.csv has no column label, add, remove or drop: it corrects nothing$",
    "name,label\nd3,food\n": rf"^fixes\.csv is no list of corrections \(no column 'id'\): {NOT_A_LIST}",
    "the cat sat on the mat\n": rf"^fixes\.csv is no list of corrections \(no column 'id'\): {NOT_A_LIST}",
    "id,label\n,food\n": r"^fixes\.csv:2: the id is empty$",
    "id,label,drop\nd3,food,x\n": r"^fixes\.csv:2: label, add or remove, and drop exclude each other: keep one$",
    "id,drop\nd3,maybe\n": r"^fixes\.csv:2: drop is 'maybe'; write x to leave the document out, or nothing$",
    "id,add\nd3,food\n": r"^fixes\.csv:2: add and remove are for documents of several labels: fill label$",
    "id,split,label\nd3,tst,food\n": r"^fixes\.csv:2: the split 'tst' is none of train, validation, test$",
    "id,given,label\nd3,foo,food\n": r"^fixes\.csv:2: the document 'd3' of texts\.csv has '\w+', not 'foo': is it",
    'id,label\nd3,"food\n': r"^fixes\.csv:2: ",
}


@pytest.mark.parametrize("content", WRONG)
def test_what_is_no_list_is_refused(content):
    Path("fixes.csv").write_text(content)
    with pytest.raises(DataError, match=WRONG[content]):
        make("fixes.csv")
    assert not list(Path("data").glob("*"))


@pytest.mark.parametrize(
    ("path", "error", "message"),
    [
        ("nowhere.csv", UsageError, r"^no such file: nowhere\.csv$"),
        ("folder", UsageError, r"^folder is a folder"),
        ("bytes.csv", DataError, r"^bytes\.csv:2: byte 0xff is not UTF-8; save it as UTF-8$"),
        ("lines.txt", DataError, rf"^lines\.txt is no list of corrections \(it is no table\): {NOT_A_LIST}"),
        ("zeros.xlsx", TextclfError, r"^zeros\.xlsx"),
    ],
)
def test_files_that_cannot_be_lists(path, error, message):
    Path("folder").mkdir()
    Path("bytes.csv").write_bytes(b"id,label\nd\xff\x81,food\n")
    Path("lines.txt").write_text("__label__food soup\n")
    Path("zeros.xlsx").write_bytes(bytes(100))
    with pytest.raises(error, match=message):
        make(path)


def test_all_documents_of_a_class_may_not_go():
    with pytest.raises(DataError, match="needs at least two classes, found one: 'food'"):
        make(write("fixes.csv", [(name, "x") for name, _, label in ROWS if label == "weather"], ("id", "drop")))
