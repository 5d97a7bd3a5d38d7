import json

import numpy as np
import pytest

from textclf.dataset import data_report
from textclf.dataset.data_report import DataReport, SplitReport, describe_split
from textclf.errors import ArtefactError

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
    lengths = np.arange(1, 101, dtype=np.int32)
    unknown = np.where(lengths > 90, 5, 0).astype(np.int32)
    report = describe_split(lengths, unknown, ["b"] * 30 + ["c"] * 40 + ["a"] * 30, empty=4, most=95)
    assert report == SplitReport(
        documents=100,
        tokens=5050,
        unknown=50 / 5050,
        empty=4,
        truncated=5,
        lengths={"min": 1, "median": 50, "p95": 95, "max": 100},
        labels={"c": 40, "a": 30, "b": 30},
    )
    assert list(report.labels) == ["c", "a", "b"]


def test_one_document_has_one_length():
    report = describe_split(np.array([7], dtype=np.int32), np.array([7], dtype=np.int32), ["a"], empty=0, most=9)
    assert report.lengths == {"min": 7, "median": 7, "p95": 7, "max": 7}
    assert report.unknown == 1


def test_the_sum_of_the_lengths_needs_more_than_32_bits():
    lengths = np.full(3, 2**30, dtype=np.int32)
    assert describe_split(lengths, lengths, list("aab"), empty=0, most=9).tokens == 3 * 2**30


def test_a_report_survives_the_disk(tmp_path):
    data_report.write(tmp_path / "report.json", REPORT)
    again = data_report.read(tmp_path / "report.json")
    assert again == REPORT
    assert list(again.splits["train"].labels) == list(LABELS)


def test_other_programs_can_read_it(tmp_path):
    data_report.write(tmp_path / "report.json", REPORT)
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
        data_report.read(path)
    assert str(caught.value) == f"{path} is missing or damaged; make it again: textclf preprocess --overwrite"
