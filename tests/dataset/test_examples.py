import numpy as np
import pytest

from tests.dataset import tables
from textclf.dataset import examples
from textclf.dataset.examples import Example
from textclf.dataset.near_copies import NearCopies
from textclf.dataset.splits import DocumentCodes

NONE = NearCopies(0, np.empty((0, 2), dtype=np.int64))


def codes(*rows):
    """Documents as (split, label, text)."""
    split, label, text = np.array(rows, dtype=np.int64).reshape(-1, 3).T
    return DocumentCodes(split.astype(np.int8), label, text)


@pytest.mark.parametrize(
    ("documents", "expected"),
    [
        ((), []),
        (((0, 0, 0), (0, 1, 1)), []),
        (((0, 0, 0), (0, 1, 0)), [[0, 1]]),
        (((0, 0, 0), (0, 0, 0), (1, 1, 0), (2, 2, 0), (2, 2, 0)), [[0, 2, 3]]),  # one for each label
        (((0, 2, 5), (0, 1, 9), (1, 1, 5), (2, 2, 9)), [[0, 2], [1, 3]]),
    ],
)
def test_the_documents_of_a_text_with_several_labels_are_named(documents, expected):
    assert examples.conflicting(codes(*documents)) == expected


def test_as_many_groups_are_named_as_the_report_keeps():
    many = codes(*((0, number % 2, number // 2) for number in range(20)))
    assert examples.conflicting(many, most=3) == [[0, 1], [2, 3], [4, 5]]
    across = codes(*((split, 0, number) for split in (0, 1) for number in range(9)))
    assert examples.crossing(across, most=2) == [[0, 9], [1, 10]]
    labels = codes(*((0, number, 0) for number in range(50)))
    assert examples.conflicting(labels) == [list(range(examples.MOST_LABELS))]


def test_a_copy_in_a_later_split_is_named_with_the_first_document():
    assert examples.crossing(codes((0, 0, 7), (0, 0, 7), (1, 0, 7), (1, 0, 8), (2, 0, 8))) == [[0, 2], [3, 4]]
    assert examples.crossing(codes((0, 0, 0), (0, 0, 0))) == []


def test_each_problem_has_its_rows():
    near = NearCopies(3, np.array([[0, 2], [1, 3]]))
    found = examples.rows(codes((0, 0, 0), (0, 1, 0), (1, 0, 2)), near, np.array([False, True, True]), most=1)
    assert found == {"crossing": [], "near_crossing": [[0, 2]], "conflicting": [[0, 1]], "empty": [[1]]}


def test_documents_are_named_by_the_id_of_their_source():
    table = tables.made(["train", "test"], ["spam", "ham"], source=["a17", "b3"])
    first, second = Example("a17", "train", "spam", "train-0000000"), Example("b3", "test", "ham", "test-0000000")
    assert examples.named(table, {"conflicting": [[0, 1]], "empty": [[1]]}) == {
        "conflicting": [[first, second]],
        "empty": [[second]],
    }
