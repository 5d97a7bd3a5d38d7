import json
from dataclasses import replace

import numpy as np
import pytest

from textclf.dataset import data_report
from textclf.dataset.data_report import DataReport, SplitReport, describe_split
from textclf.errors import ArtefactError
from textclf.models import MODELS

LABELS = {"né": 2, "x": 1}
TRAIN = SplitReport(
    documents=3,
    tokens=9,
    unknown=1 / 3,
    empty=1,
    truncated=0,
    lengths={"min": 1, "median": 2, "p95": 6, "max": 6},
    labels=LABELS,
)
REPORT = DataReport(
    name="films",
    source="films.csv",
    splits={"train": TRAIN, "test": TRAIN},
    tiers={"tiny": 2, "full": 3},
    duplicates={"copies": 1, "crossing": 0, "conflicting": 0, "near": 0, "near_crossing": 0},
    notes=("two rows were left out",),
)


def test_a_split_is_summed_up():
    lengths = np.arange(1, 101, dtype=np.int32) * 3
    unknown = np.where(lengths > 270, 5, 0).astype(np.int32)
    report = describe_split(lengths, unknown, {"b": 30, "c": 40, "a": 30}, empty=4)
    assert report == SplitReport(
        documents=100,
        tokens=15150,
        unknown=50 / 15150,
        empty=4,
        truncated=15,  # longer than 256 tokens
        lengths={"min": 3, "median": 152, "p95": 285, "max": 300},
        labels={"c": 40, "a": 30, "b": 30},
    )
    assert list(report.labels) == ["c", "a", "b"]


def test_labels_of_documents_that_have_several_are_counted_and_so_are_documents_that_have_none():
    labels = {(): 2, ("a", "b"): 1, ("b",): 1}
    report = describe_split(np.ones(4, dtype=np.int32), np.zeros(4, dtype=np.int32), labels, empty=0)
    assert list(report.labels.items()) == [("b", 2), ("a", 1)]
    assert report.unlabelled == 2


def test_one_document_has_one_length():
    report = describe_split(np.array([7], dtype=np.int32), np.array([7], dtype=np.int32), {"a": 1}, empty=0)
    assert report.lengths == {"min": 7, "median": 7, "p95": 7, "max": 7}
    assert report.unknown == 1


def test_the_sum_of_the_lengths_needs_more_than_32_bits():
    lengths = np.full(3, 2**30, dtype=np.int32)
    assert describe_split(lengths, lengths, {"a": 2, "b": 1}, empty=0).tokens == 3 * 2**30


def test_a_report_survives_the_disk(tmp_path):
    data_report.write_report(tmp_path / "report.json", REPORT)
    again = data_report.read_report(tmp_path / "report.json")
    assert again == REPORT
    assert list(again.splits["train"].labels) == list(LABELS)


def test_other_programs_can_read_it(tmp_path):
    data_report.write_report(tmp_path / "report.json", REPORT)
    values = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    assert values["splits"]["train"]["labels"] == LABELS
    assert values["notes"] == ["two rows were left out"]


@pytest.mark.parametrize(
    "content",
    [
        None,
        b"",
        b'{"name": "films"',
        b"\xff\xfe",
        b"[" * 200_000,
        b"{}",
        b"[]",
        b"null",
        b'{"splits": []}',
        b'{"splits": {"train": {"documents": 3}}}',
        b'{"splits": {}, "name": "films", "colour": "red"}',
    ],
)
def test_a_damaged_report_is_named(tmp_path, content):
    path = tmp_path / "report.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ArtefactError) as caught:
        data_report.read_report(path)
    assert str(caught.value) == f"{path} is missing or damaged; rebuild it: textclf preprocess SOURCE --overwrite"


def split_with(**given):
    return replace(TRAIN, **{"empty": 0, "unknown": 0.0, "labels": {"a": 9, "b": 9}, **given})


@pytest.mark.parametrize(
    ("copies", "train", "test", "expected"),
    [
        ({}, {}, {}, []),
        ({"crossing": 1}, {}, {}, ["1 document is a copy of one in an earlier split: the model has seen it"]),
        (
            {"crossing": 1200},
            {},
            {},
            ["1,200 documents are copies of one in an earlier split: the model has seen them"],
        ),
        ({"near_crossing": 1}, {}, {}, ["1 document is nearly the same as one in an earlier split"]),
        ({"near_crossing": 2}, {}, {}, ["2 documents are nearly the same as one in an earlier split"]),
        ({"conflicting": 1}, {}, {}, ["1 text has two labels"]),
        ({"conflicting": 3}, {}, {}, ["3 texts have two labels"]),
        ({}, {"empty": 1}, {"empty": 2}, ["1 document of train is empty", "2 documents of test are empty"]),
        ({}, {"unknown": 0.5}, {"unknown": 0.5}, ["50% of the tokens of test are not in the training split"]),
        (
            {},
            {},
            {"labels": {"a": 2, "d": 3, "c": 9}},
            ["no training document has these labels of test, so their documents count as errors: 'c' (9), 'd' (3)"],
        ),
        ({}, {"labels": {"a": 9, "b": 4}}, {}, ["1 label has fewer than 5 training documents: 'b'"]),
        ({}, {"labels": {"a": 1, "b": 4}}, {}, ["2 labels have fewer than 5 training documents: 'a', 'b'"]),
        (
            {},
            {"labels": {"a": 9, "A": 9, "b": 9}},
            {},
            ["these labels differ only in case or white space: 'A', 'a'"],
        ),
    ],
)
def test_problems_are_named_in_the_singular_or_the_plural(copies, train, test, expected):
    report = replace(
        REPORT,
        splits={"train": split_with(**train), "test": split_with(**test)},
        duplicates={**REPORT.duplicates, **copies},
    )
    assert [problem.sentence for problem in data_report.problems(report)] == expected


def test_many_labels_are_not_all_listed():
    labels = {f"label {number}": 1 for number in range(8)}
    report = replace(REPORT, splits={"train": split_with(labels=labels)})
    (problem,) = data_report.problems(report)
    assert problem.sentence.endswith("'label 3', 'label 4' and 3 more")


@pytest.mark.parametrize("model", ["lstm", "cnn"])
def test_the_report_counts_what_a_sequence_model_does_not_read_by_default(model):
    assert MODELS[model].preset_for(documents=1_000, tokens=300_000).max_length == data_report.USUALLY_READ
