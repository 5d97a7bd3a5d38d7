"""The linear classifier beside the network: its ratios, its gradient, and the sum of both."""

import numpy as np
import pytest
import torch

from tests.conftest import assemble, small_config
from textclf.dataset.directory import DataDirectory
from textclf.models.bag_mlp.features import BagInputs
from textclf.models.bag_mlp.linear import NaiveBayesLinear, companion, log_count_ratios
from textclf.models.bag_mlp.network import BagMLP, collate
from textclf.models.model import Examples


def batch_of(bags, labels):
    """A batch of dictionaries from feature to weight."""
    found = BagInputs(
        np.array([feature for bag in bags for feature in bag], dtype=np.int32),
        np.cumsum([0, *map(len, bags[:-1])]),
        np.array([weight for bag in bags for weight in bag.values()], dtype=np.float32),
    )
    unread = np.zeros(len(labels), dtype=np.int32)
    return collate(Examples(unread, unread + 1, np.array(labels)), inputs=lambda *_: found)


BAGS = [{1: 0.6, 2: 0.8}, {1: 1.0}, {2: 0.5, 3: 0.5}]
"""Of three documents of one view."""


def test_ratios_are_those_of_the_formula():
    ratios = log_count_ratios([batch_of(BAGS, [0, 0, 1])], None, features=4, classes=2)
    own = np.array([[1, 1], [3, 1], [2, 2], [1, 2]])  # one more than the documents that have each feature
    others = own[:, ::-1]
    np.testing.assert_allclose(ratios, np.log(own / own.sum(0)) - np.log(others / others.sum(0)), rtol=1e-6)


def test_a_document_of_several_labels_is_one_of_each():
    sets = torch.tensor([[1.0, 1, 0], [0, 0, 0]])
    ratios = log_count_ratios([batch_of(BAGS, [0, 1, 1])], sets, features=4, classes=3)
    own = np.array([[1, 1, 1], [2, 2, 1], [2, 2, 1], [1, 1, 1]])
    others = np.array([[1], [3], [3], [2]]) + 1 - own
    np.testing.assert_allclose(ratios, np.log(own / own.sum(0)) - np.log(others / others.sum(0)), rtol=1e-6)


def test_ratios_of_batches_are_those_of_one_batch():
    whole = log_count_ratios([batch_of(BAGS, [0, 1, 1])], None, features=4, classes=2)
    parts = [batch_of(BAGS[:1], [0]), batch_of(BAGS[1:], [1, 1])]
    torch.testing.assert_close(log_count_ratios(parts, None, features=4, classes=2), whole)


def test_the_gradient_is_that_of_autograd():
    torch.manual_seed(0)
    batch, ratios = batch_of(BAGS * 2, [0, 1, 1]), torch.randn(4, 2)  # two views
    model = NaiveBayesLinear(ratios)
    with torch.no_grad():
        model.multiples.weight.normal_()
        model.bias.normal_()
    logits = model(batch)
    torch.nn.functional.cross_entropy(logits[0], batch.labels).backward()

    dense = torch.zeros(6, 4)
    for row, bag in enumerate(BAGS * 2):
        for feature, weight in bag.items():
            dense[row, feature] = weight
    multiples = model.multiples.weight.detach().clone().requires_grad_()
    expected = (dense @ (multiples * ratios)).view(2, 3, 2).sum(0) + model.bias.detach()
    torch.nn.functional.cross_entropy(expected, batch.labels).backward()
    torch.testing.assert_close(logits[0], expected)
    torch.testing.assert_close(model.multiples.weight.grad.to_dense(), multiples.grad)


def test_there_is_none_where_classes_are_many():
    batches = [batch_of(BAGS, [0, 0, 1])]
    assert companion(batches, None, features=4, classes=2, hidden_size=3, views=1) is None
    assert companion(batches, None, features=4, classes=2, hidden_size=4, views=1, dropout=0.5) is not None


@pytest.mark.parametrize("share", [0.25, 1.0])
def test_both_together_give_the_weighted_sum(share, data_dir, tmp_path):
    session = assemble(small_config("mlp", data_dir, tmp_path), DataDirectory.open(data_dir))
    network, batch = session.learner.model.eval(), next(iter(session.batches["validation"]))
    assert isinstance(network, BagMLP)
    other = NaiveBayesLinear(torch.randn(len(network.embedding.weight), 3))
    with torch.no_grad():
        other.multiples.weight.normal_()
        expected = (1 - share) * network(batch).mean(0) + share * other(batch)[0]
        network.add(other, share=share)
        torch.testing.assert_close(network(batch).mean(0), expected)
    assert {"linear.weight", "linear.bias"} <= network.state_dict().keys()
