import numpy as np
import pytest

from textclf.training import centroids


@pytest.fixture
def vectors():
    """Two classes of 20 documents, each around one corner."""
    random = np.random.default_rng(0)
    corners = np.repeat(np.eye(2, 3), 20, axis=0)
    return corners + random.normal(scale=0.2, size=corners.shape)


LABELS = np.repeat([0, 1], 20)


def logits(made, vectors):
    return vectors @ made.weight.T + made.bias


def test_documents_get_the_class_whose_mean_is_nearest_in_direction(vectors):
    made = centroids.learn(vectors, LABELS, classes=2)
    assert (made.weight.dtype, made.weight.shape, made.bias.shape) == (np.float32, (2, 3), (2,))
    assert (logits(made, vectors).argmax(axis=1) == LABELS).all()
    np.testing.assert_allclose(logits(made, vectors.mean(axis=0)), 0, atol=1e-5)


def test_the_less_documents_show_the_smaller_is_the_scale(vectors):
    random = np.random.default_rng(1)
    clear, chance = (
        np.linalg.norm(centroids.learn(vectors, some, classes=2).weight[0])
        for some in (LABELS, random.permutation(LABELS))
    )
    assert clear > 5 > chance
    assert chance >= centroids.LOWEST * 0.99


def test_a_class_may_have_one_document_or_none(vectors):
    made = centroids.learn(vectors[:21], LABELS[:21], classes=3)
    assert np.isfinite(logits(made, vectors)).all()
    assert not made.weight[2].any()


def test_documents_that_are_all_the_same_say_nothing():
    made = centroids.learn(np.ones((4, 3), dtype=np.float16), np.array([0, 1, 0, 1]), classes=2)
    assert not made.weight.any()
