import numpy as np

from textclf.word_vectors.found import Wanted, folded

ONE, TWO = np.array([1, 1], dtype=np.float32), np.array([2, 2], dtype=np.float32)


def give(wanted: Wanted, word: str, vector) -> None:
    if places := wanted.places(word.encode()):
        wanted.give(word.encode(), places, vector)


def test_a_word_gets_the_vector_of_its_own_spelling_whatever_comes_first():
    for order in (("May", "may"), ("may", "May")):
        wanted = Wanted(["may", "x"])
        for word in order:
            give(wanted, word, ONE if word == "may" else TWO)
        found = wanted.found(dimension=2, words=2, kind="text")
        assert found.values.tolist() == [[1, 1], [0, 0]]
        assert found.is_found.tolist() == [True, False]


def test_else_it_gets_that_of_the_first_that_differs_in_case_alone():
    wanted = Wanted(["may", "MAY"])
    give(wanted, "May", ONE)
    give(wanted, "mAy", TWO)
    assert wanted.found(dimension=2, words=2, kind="text").values.tolist() == [[1, 1], [1, 1]]


def test_missing_words_are_those_without_a_vector():
    wanted = Wanted(["a", "ä"])
    give(wanted, "Ä", ONE)
    assert wanted.missing() == [(0, b"a")]
    assert wanted.may_want(b"A")
    assert not wanted.may_want(b"b")


def test_nothing_found_has_the_dimension_all_the_same():
    assert Wanted(["a"]).found(dimension=7, words=3, kind="text").dimension == 7


def test_lower_case_leaves_bytes_alone_that_are_no_utf8():
    assert folded("ÄB".encode()) == "äb".encode()
    assert folded(b"\xffA") == b"\xffA"
