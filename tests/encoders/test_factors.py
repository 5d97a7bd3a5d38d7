import numpy as np
import pytest
from scipy import sparse

from textclf.encoders.factors import word_vectors


@pytest.fixture
def counts():
    """Words 0 to 4 stand beside each other, and so do 5 to 9; 10 stands alone."""
    matrix = np.zeros((11, 11))
    matrix[:5, :5] = matrix[5:10, 5:10] = 8
    matrix[0, 9] = matrix[9, 0] = 1
    np.fill_diagonal(matrix, 0)
    return sparse.csr_array(matrix)


def test_words_with_the_same_neighbours_are_similar(counts):
    vectors = word_vectors(counts, 2)
    similar = vectors @ vectors.T
    assert similar[1:5, 1:5].min() > 0.9
    assert abs(similar[1:5, 5:9]).max() < 0.1


def test_vectors_have_length_1_but_those_of_words_alone(counts):
    lengths = np.linalg.norm(word_vectors(counts, 4), axis=1)
    np.testing.assert_allclose(lengths[:10], 1)
    assert lengths[10] == 0


def test_they_repeat_to_the_bit_and_are_no_wider_than_the_words(counts):
    assert word_vectors(counts, 100).shape == (11, 11)
    np.testing.assert_array_equal(word_vectors(counts, 3), word_vectors(counts, 3))


def test_they_are_the_largest_factors_of_the_mutual_information():
    random = np.random.default_rng(1)
    matrix = random.poisson(1.0, size=(60, 60)).astype(float)
    matrix += matrix.T
    of_word = matrix.sum(axis=1)
    of_context = of_word**0.75 / (of_word**0.75).sum()
    with np.errstate(divide="ignore"):
        information = np.maximum(np.log(matrix / np.outer(of_word, of_context)), 0)
    left, values, _ = np.linalg.svd(information)
    expected = left[:, :5] * np.sqrt(values[:5])
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    found = word_vectors(sparse.csr_array(matrix), 5)
    np.testing.assert_allclose(found @ found.T, expected @ expected.T, atol=0.05)
