from itertools import pairwise

import numpy as np
import pytest

from textclf.dataset import spool
from textclf.dataset.spool import Spool

DOCUMENTS = [[3, 1], [], [1], [0, 2, 2], [], [], [5], [4, 0, 1], []]


def write(path, numbers):
    np.array(numbers, dtype=np.int32).tofile(path)
    return path


def starts_and_lengths():
    lengths = np.array(list(map(len, DOCUMENTS)), dtype=np.int32)
    return np.cumsum(lengths) - lengths, lengths


@pytest.mark.parametrize("cuts", [[], [3], [0, 3, 6], [2, 2, 4, 9], [6, 7, 8, 9, 9]], ids=str)
@pytest.mark.parametrize("own", [False, True])
def test_numbers_are_those_of_one_file_wherever_it_is_cut(tmp_path, cuts, own):
    """Also if each file has numbers of its own, in the order in which it has them first."""
    flat = [number for document in DOCUMENTS for number in document]
    bounds = [0, *cuts, len(flat)]
    paths, maps = [], []
    for place, (first, last) in enumerate(pairwise(bounds)):
        some = flat[first:last]
        distinct = list(dict.fromkeys(some)) if own else list(range(6))
        paths.append(write(tmp_path / f"{place}.numbers", [distinct.index(number) for number in some]))
        maps.append(write(tmp_path / f"{place}.map", distinct))
    found = Spool(tuple(paths), np.array(bounds[1:]), tuple(maps) if own else ())
    starts, lengths = starts_and_lengths()
    whole = [
        document
        for document in range(len(DOCUMENTS))
        if not any(s < c < s + n for c in cuts for s, n in [(starts[document], lengths[document])])
    ]
    for rows in (whole, whole[::-1], whole[1::2], []):
        chosen = np.array(rows, dtype=np.int64)
        expected = [number for row in rows for number in DOCUMENTS[row]]
        assert found.numbers(starts[chosen], lengths[chosen]).tolist() == expected
    assert found.folder == tmp_path


@pytest.mark.parametrize("at_once", [1, 4, 1000])
def test_numbers_of_chosen_documents_are_counted(tmp_path, at_once):
    starts, lengths = starts_and_lengths()
    path = write(tmp_path / "numbers", [number for document in DOCUMENTS for number in document])
    chosen = np.array([place % 2 == 0 for place in range(len(DOCUMENTS))])
    some = [number for place in range(0, len(DOCUMENTS), 2) for number in DOCUMENTS[place]]
    found = spool.count(path, np.append(starts, lengths.sum()), chosen, kinds=7, at_once=at_once)
    assert found.tolist() == [some.count(number) for number in range(7)]


def test_an_empty_file_has_no_numbers(tmp_path):
    path = write(tmp_path / "numbers", [])
    found = Spool.of(path, np.zeros(2, dtype=np.int32))
    assert found.numbers(np.zeros(2, dtype=np.int64), np.zeros(2, dtype=np.int32)).tolist() == []
    assert spool.count(path, np.zeros(3, dtype=np.int64), np.ones(2, dtype=bool), kinds=3).tolist() == [0, 0, 0]
