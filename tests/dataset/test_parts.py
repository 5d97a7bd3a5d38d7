import pytest

from textclf.config import TENSORS_UP_TO
from textclf.dataset.parts import MOST, PART, Parts, name_of


@pytest.mark.parametrize(
    ("documents", "size", "expected"),
    [(1, 4, [(0, 1)]), (4, 4, [(0, 4)]), (5, 4, [(0, 4), (4, 5)]), (9, 3, [(0, 3), (3, 6), (6, 9)])],
)
def test_all_parts_but_the_last_have_the_same_size(documents, size, expected):
    parts = Parts(documents, size)
    assert [(rows.start, rows.stop) for rows in parts] == expected
    assert parts.count == len(expected)


def test_documents_with_a_tensor_each_are_one_part_by_default():
    assert Parts.of(TENSORS_UP_TO).count == 1


@pytest.mark.parametrize(
    ("documents", "size", "count"),
    [
        (1, PART, 1),
        (10**7, PART, 39),
        (MOST * PART, PART, MOST),
        (MOST * PART + 1, 2 * PART, 257),
        (10**9, 8 * PART, 477),
    ],
)
def test_parts_grow_so_that_a_process_can_open_all_of_them(documents, size, count):
    parts = Parts.of(documents)
    assert (parts.size, parts.count) == (size, count)


def test_names_sort_by_number():
    assert name_of(0) == "part-00000"
    assert name_of(9) < name_of(10) < name_of(99_999)
