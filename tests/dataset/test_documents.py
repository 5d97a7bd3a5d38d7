import numpy as np
import pytest

from tests.dataset import tables
from textclf.dataset.documents import NO_TIER, DocumentNames, labels_of

SPLITS = ["train"] * 3 + ["validation"] + ["test"] * 2


def test_an_id_is_the_split_and_the_number_in_it():
    names = DocumentNames((3, 1, 2))
    expected = ["train-0000000", "train-0000001", "train-0000002", "validation-0000000", "test-0000000", "test-0000001"]
    assert names.of(range(6)) == expected
    assert names.of([5, 0]) == [expected[5], expected[0]]
    assert DocumentNames((2, 0, 1)).of([2]) == ["test-0000000"]
    assert DocumentNames((10**8, 0, 0)).of([10**8 - 1]) == ["train-99999999"]
    assert names.slices() == {"train": slice(0, 3), "validation": slice(3, 4), "test": slice(4, 6)}


def test_splits_ids_and_labels_of_a_row():
    documents = tables.made(SPLITS, list("babcab"))
    assert [documents.split_of(row) for row in range(6)] == SPLITS
    assert [documents.label_of(row) for row in range(6)] == list("babcab")
    assert documents.id_of(4) == "test-0000000"
    assert len(documents) == 6


def test_rows_of_splits_and_tiers():
    documents = tables.made(SPLITS, list("babcab"))
    documents.tier[:3] = [1, 0, 3]
    found = {part: documents.rows(part).tolist() for part in ("train", "validation", "test", "tiny", "small", "full")}
    expected = {"train": [0, 1, 2], "validation": [3], "test": [4, 5], "tiny": [1], "small": [0, 1], "full": [0, 1, 2]}
    assert found == expected
    assert {documents.rows(part).dtype for part in expected} == {np.dtype(np.int32)}
    assert documents.tier[3:].tolist() == [NO_TIER] * 3


def test_labels_are_counted_and_those_that_no_document_has_left_out():
    documents = tables.made(SPLITS, list("babcab"))
    assert documents.counts(slice(0, 3)) == {"a": 1, "b": 2}
    assert documents.counts(slice(3, 4)) == {"c": 1}


@pytest.mark.parametrize(("given", "is_multi"), [(["a", "b"], False), ([(), ("a",)], True), ([("a", "b")] * 2, True)])
def test_documents_may_have_several_labels_if_labels_are_tuples(given, is_multi):
    documents = tables.made(["train", "train"], given)
    assert documents.is_multi is is_multi
    assert [documents.label_of(row) for row in range(2)] == given
    assert labels_of("a") == ("a",)
    assert labels_of(("a", "b")) == ("a", "b")


def test_a_document_takes_thirteen_bytes():
    documents = tables.made(SPLITS, list("babcab"))
    columns = (documents.label, documents.tier, documents.tokens, documents.crc32)
    assert sum(column.itemsize for column in columns) == 13
