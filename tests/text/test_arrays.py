import numpy as np
import pytest

from textclf.text import arrays


def test_places_are_row_after_row():
    values = np.arange(100)
    starts, lengths = np.array([7, 90, 3, 3]), np.array([2, 0, 3, 1])
    assert values[arrays.places(starts, lengths)].tolist() == [7, 8, 3, 4, 5, 3]


def test_no_rows_have_no_places():
    none = np.zeros(0, dtype=np.int64)
    assert arrays.places(none, none).tolist() == []
    assert arrays.offsets(none).tolist() == [0]


def test_offsets_do_not_overflow():
    assert arrays.offsets(np.full(3, 2**31 - 1, dtype=np.int32)).tolist() == [0, 2**31 - 1, 2**32 - 2, 3 * 2**31 - 3]


def test_empty_rows_get_one_value():
    values, lengths = arrays.fill_empty(np.array([5, 6, 7], dtype=np.int32), np.array([0, 0, 2, 2, 3, 3]), fill=1)
    assert (values.tolist(), lengths.tolist()) == ([1, 5, 6, 1, 7, 1], [1, 2, 1, 1, 1])
    assert (values.dtype, lengths.dtype) == (np.int32, np.int64)


@pytest.mark.parametrize(
    ("at_most", "rows", "expected"), [(5, None, [3, 1, 1, 2]), (5, 2, [2, 2, 1, 2]), (99, None, [7])]
)
def test_row_slices_end_at_many_values_or_rows(at_most, rows, expected):
    offsets = np.cumsum([0, 2, 2, 0, 3, 9, 1, 1])
    slices = list(arrays.row_slices(offsets, at_most=at_most, rows=rows))
    assert [some.stop - some.start for some in slices] == expected
    assert [row for some in slices for row in range(7)[some]] == list(range(7))
    assert list(arrays.row_slices(np.array([0]), at_most=at_most, rows=rows)) == []
