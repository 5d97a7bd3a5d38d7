import numpy as np
import pytest

from tests.dataset import tables
from textclf.dataset.near_copies import BANDS, ROWS, find_near_copies, near_copies, signatures


def end_to_end(documents):
    return np.concatenate(documents).astype(np.int32), np.array([len(document) for document in documents])


def jaccard(a, b):
    runs = [{tuple(document[start : start + 3]) for start in range(len(document) - 2)} for document in (a, b)]
    return len(runs[0] & runs[1]) / len(runs[0] | runs[1])


@pytest.fixture
def random():
    return np.random.default_rng(0)


def test_signatures_agree_as_often_as_documents_are_alike(random):
    base = random.integers(2, 5000, size=200)
    documents = [base]
    for changed in (2, 5, 10, 20, 50):
        document = base.copy()
        document[random.choice(200, changed, replace=False)] = random.integers(5000, 9000, size=changed)
        documents.append(document)
    found = signatures(*end_to_end(documents))
    agree = (found[1:] == found[0]).mean(axis=1)
    assert agree == pytest.approx([jaccard(base, document) for document in documents[1:]], abs=0.2)


def test_near_copies_point_to_the_first_and_others_to_themselves(random):
    others = [random.integers(2, 5000, size=100) for _ in range(30)]
    copy = others[4].copy()
    copy[50] = 7777  # 3 of 98 runs differ
    found = near_copies(signatures(*end_to_end([*others, copy, others[9]])))
    assert found.tolist() == [*range(30), 4, 9]


def test_a_document_does_not_see_its_neighbours(random):
    documents = [random.integers(2, 50, size=size) for size in (1, 2, 3, 4, 30)]
    together = signatures(*end_to_end(documents))
    alone = [signatures(*end_to_end([document]))[0] for document in documents]
    assert (together == np.stack(alone)).all()


def test_documents_shorter_than_a_run_of_tokens_are_compared_whole():
    documents = [np.array([1]), np.array([1]), np.array([5, 6]), np.array([6, 5]), np.array([5, 6])]
    assert near_copies(signatures(*end_to_end(documents))).tolist() == [0, 0, 2, 3, 2]


def test_near_copies_are_found_without_exact_ones():
    found = np.array([[1], [2], [1], [1], [2]], dtype=np.uint32).repeat(BANDS * ROWS, axis=1)
    splits = ["train", "train", "train", "test", "test"]
    table = tables.made(splits, [""] * 5, tokens=[9, 5, 9, 9, 5], crc32=[1, 2, 3, 4, 2])
    near = find_near_copies(table, found)
    assert (near.near, near.crossing.tolist()) == (2, [[0, 3]])  # the last document is an exact copy
    assert find_near_copies(table, found[:, :0]).near == 0
