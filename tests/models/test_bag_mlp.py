import numpy as np
import pytest
import torch
from torch.testing import assert_close

from tests.conftest import small_config
from textclf.models.bag_mlp import Batch
from textclf.store.directory import DataDirectory
from textclf.training.session import assemble


@pytest.fixture
def model(data_dir, tmp_path):
    return assemble(small_config("mlp", data_dir, tmp_path), DataDirectory.open(data_dir)).model.eval()


def bags(*documents):
    """A batch of documents, each a list of pairs of a feature and its weight."""
    pairs = [pair for document in documents for pair in document]
    return Batch(
        features=torch.tensor([feature for feature, _ in pairs]),
        offsets=torch.from_numpy(np.cumsum([0, *(len(document) for document in documents[:-1])])),
        weights=torch.tensor([weight for _, weight in pairs]),
        labels=torch.zeros(len(documents), dtype=torch.int64),
    )


FIRST, SECOND = [(5, 0.5), (6, 0.25), (9, 0.8)], [(5, 1.0)]


def test_logits_are_those_of_the_formula(model):
    table = model.embedding.weight
    bag = torch.stack((0.5 * table[5] + 0.25 * table[6] + 0.8 * table[9], table[5]))
    expected = bag.clamp(min=0) @ model.output.weight.T + model.output.bias
    assert_close(model(bags(FIRST, SECOND)), expected, rtol=0, atol=1e-6)


def test_the_order_of_the_features_does_not_matter(model):
    assert_close(model(bags(FIRST)), model(bags(FIRST[::-1])), rtol=0, atol=1e-6)


def test_a_feature_of_weight_zero_does_not_matter(model):
    assert_close(model(bags(FIRST)), model(bags([*FIRST, (7, 0.0)])), rtol=0, atol=1e-6)
    assert not torch.allclose(model(bags(FIRST)), model(bags([*FIRST, (7, 0.5)])), rtol=0, atol=1e-4)


def test_a_document_without_any_known_word_gets_the_bias(model):
    with torch.no_grad():
        model.output.bias.copy_(torch.tensor([0.5, -0.25, 0.125]))
    assert torch.equal(model(bags([(5, 0.0)], [(1, 0.0), (6, 0.0)])), model.output.bias.expand(2, 3))


def test_the_output_layer_starts_as_glorot_derives(model):
    weight = model.output.weight
    bound = (6 / sum(weight.shape)) ** 0.5
    assert weight.abs().max() <= bound
    assert weight.abs().max() > 0.8 * bound  # torch's own bound is half of it
