import math
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from tests.encoders import tiny
from textclf.encoders import bert, encoder, published

TEXTS = [[2, 5, 6, 7, 3], [2, 3], [2, 8, 9, 3], [2, 5, 12, 6, 3], [2, *range(5, 19), 3], [2, 10, 3]]


def network(folder, precision="float32"):
    return encoder.parse(published.read(folder, name="x", precision=precision), folder).network


@pytest.mark.parametrize("activation", ["gelu", "gelu_new", "relu"])
def test_vectors_are_those_of_torch(activation, tmp_path):
    folder = tiny.write(tmp_path / "x", hidden_act=activation)
    vectors = network(folder)(TEXTS)
    assert (vectors.dtype, vectors.shape) == (np.float32, (len(TEXTS), tiny.HIDDEN))
    for text, vector in zip(TEXTS, vectors, strict=True):
        np.testing.assert_allclose(vector, tiny.reference(folder, text), atol=1e-4)


def test_a_text_may_be_its_first_token_and_keep_its_length(tmp_path):
    folder = tiny.write(tmp_path / "x")
    (folder / "modules.json").write_text(f"[{str(tiny.MODULES[:2])[1:-1]}]".replace("'", '"'))
    tiny.rewrite(folder / "1_Pooling" / "config.json", pooling_mode_cls_token=True, pooling_mode_mean_tokens=False)
    for text, vector in zip(TEXTS, network(folder)(TEXTS), strict=True):
        np.testing.assert_allclose(vector, tiny.reference(folder, text, pooling="first", normalises=False), atol=1e-3)


def test_packed_a_vector_points_nearly_there(folder):
    cosines = (network(folder)(TEXTS) * network(folder, "int10")(TEXTS)).sum(axis=1)
    assert cosines.min() > 0.999
    assert cosines.min() < 1 - 1e-7  # it is not the same network


@pytest.mark.parametrize("batch", [1, 7, 1024])
def test_a_text_has_the_same_vector_alone_and_in_any_batch(batch, folder, monkeypatch):
    network_ = network(folder, "int10")
    alone = np.concatenate([network_([text]) for text in TEXTS])
    monkeypatch.setattr(bert, "BATCH", batch)
    np.testing.assert_allclose(network_(TEXTS), alone, atol=1e-5)
    np.testing.assert_allclose(network_(TEXTS[::-1])[::-1], alone, atol=1e-5)


def test_no_text_has_no_vector(folder):
    assert network(folder)([]).shape == (0, tiny.HIDDEN)


def test_threads_may_share_it(folder):
    shared = network(folder)
    expected = shared(TEXTS)
    with ThreadPoolExecutor(4) as pool:
        for vectors in pool.map(lambda _: shared(TEXTS), range(20)):
            np.testing.assert_array_equal(vectors, expected)


def test_every_text_is_in_one_batch_and_texts_of_one_length_stand_together(monkeypatch):
    monkeypatch.setattr(bert, "BATCH", 10)
    lengths = np.array([3, 30, 4, 3, 9, 2, 3])
    batches = [rows.tolist() for rows in bert._batches(lengths)]
    assert batches == [[1], [4], [2, 0, 3], [6, 5]]
    groups = list(bert._groups(lengths[[2, 0, 3]]))
    assert groups == [(0, 1, 4), (4, 2, 3)]


def test_gelu_is_right_to_3e_5_everywhere():
    x = np.concatenate((np.linspace(-12, 12, 4801), [-1e4, -50, 0, 50, 1e4])).astype(np.float32)
    found = x.copy()
    bert.ACTIVATIONS["gelu"](found)
    exact = [value * (1 + math.erf(value / math.sqrt(2))) / 2 for value in x.tolist()]
    np.testing.assert_allclose(found, exact, atol=3e-5, rtol=1e-6)


def test_matrices_are_packed_and_embeddings_by_their_rows():
    weights = {"words": np.ones((3, 40), np.float32), "a.weight": np.ones((40, 3), np.float32)}
    stored = bert.packed({**weights, "a.bias": np.ones(3, np.float32)})
    assert {name: (array.dtype.name, array.shape) for name, array in stored.items()} == {
        "words": ("int8", (3, 40)),
        "words.low": ("uint8", (1, 3, 5)),
        "words.scale": ("float16", (3, 2)),
        "a.weight": ("int8", (40, 3)),
        "a.weight.low": ("uint8", (2, 40, 1)),
        "a.weight.scale": ("float16", (2, 3)),
        "a.bias": ("float32", (3,)),
    }
