import numpy as np
import pytest

from textclf.encoders.word_means import KnownWords, WordMeans


@pytest.fixture
def means():
    vectors = np.array([[1, 0], [0, 1], [0, -1]], dtype=np.float16)
    return WordMeans(vectors, np.array([1, 1, 2], dtype=np.float32))


def test_words_without_a_vector_are_skipped():
    known = KnownWords(["rain", "wind"])
    assert known.encode("Wind, then RAIN and wind", 10).tolist() == [1, 0, 1]
    assert known.encode("wind rain wind", 2).tolist() == [1, 0]
    assert known.encode("", 10).tolist() == []


def test_a_word_may_not_come_twice():
    with pytest.raises(ValueError, match="twice"):
        KnownWords(["rain", "rain"])


def test_a_text_gets_the_weighted_mean_of_its_words_in_length_1(means):
    found = means([np.array([0, 2]), np.array([1, 1, 1])])
    np.testing.assert_allclose(found[0], np.array([1, -2]) / np.sqrt(5), rtol=1e-6)
    np.testing.assert_allclose(found[1], [0, 1])


def test_a_word_that_comes_often_counts_by_the_logarithm(means):
    (found,) = means([np.array([0, 0, 0, 1])])
    assert found[0] / found[1] == pytest.approx(1 + np.log(3))


def test_a_text_of_unknown_words_gets_zeros(means):
    assert means([np.array([], dtype=np.int32)]).tolist() == [[0, 0]]
    assert means([]).shape == (0, 2)
