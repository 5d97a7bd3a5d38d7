import numpy as np
import pytest
import torch
from torch.testing import assert_close

from tests.conftest import assemble, small_config
from textclf.dataset.directory import DataDirectory
from textclf.models.bag_mlp.features import BagInputs
from textclf.models.bag_mlp.network import HEAD_START, SHRINKAGE, BagMLP, collate
from textclf.models.model import Examples

TEXTS = ["the cat sat on the mat", "catty dog", "qqq", "", "bread with butter"]


@pytest.fixture
def session(data_dir, tmp_path):
    return assemble(small_config("mlp", data_dir, tmp_path), DataDirectory.open(data_dir))


@pytest.fixture
def model(session):
    return session.learner.model.eval()


def batch_of(*views):
    """A batch of views, each a list of documents, each a list of pairs of a feature and its weight."""
    bags = [bag for view in views for bag in view]
    features, weights = zip(*(pair for bag in bags for pair in bag), strict=True)
    offsets = np.cumsum([0, *(len(bag) for bag in bags[:-1])])
    return batch_of_bags(
        BagInputs(np.array(features), offsets, np.array(weights, dtype=np.float32)),
        labels=np.zeros(len(views[0]), dtype=np.int64),
    )


def batch_of_bags(bags, labels):
    return collate(Examples(np.zeros(0), np.zeros(0), labels), inputs=lambda *_: bags)


def matrix_of(batch, features):
    """The batch as a dense matrix, (V * B, features)."""
    dense = torch.zeros(len(batch.offsets), features)
    bag = torch.bucketize(torch.arange(len(batch.features)), batch.offsets, right=True) - 1
    dense[bag, batch.features] = batch.weights
    return dense


def examples(session, texts):
    ids = [session.setup.tokenizer.encode(text) for text in texts]
    return Examples(np.concatenate(ids), np.array([len(run) for run in ids]), np.arange(len(ids)))


FIRST, SECOND = [(5, 0.5), (6, 0.25), (9, 0.8)], [(5, 1.0)]
THIRD, FOURTH = [(70, 0.6), (9, 0.8)], [(80, 0.1), (70, 0.2), (60, 0.3)]


def test_logits_are_those_of_the_formula(model):
    table = model.embedding.weight
    words = torch.stack((0.5 * table[5] + 0.25 * table[6] + 0.8 * table[9], table[5]))
    parts = torch.stack((0.6 * table[70] + 0.8 * table[9], 0.1 * table[80] + 0.2 * table[70] + 0.3 * table[60]))
    expected = torch.stack(
        [
            bags.clamp(min=0) @ output.weight.T + output.bias
            for bags, output in zip((words, parts), model.outputs, strict=True)
        ]
    )
    assert_close(model(batch_of([FIRST, SECOND], [THIRD, FOURTH])), expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("views", [1, 2, 3])
def test_each_view_has_an_output_layer_of_its_own_and_one_table(views):
    model = BagMLP(features=100, views=views, classes=4, hidden_size=6, dropout=0.5).eval()
    logits = model(batch_of(*[[FIRST, SECOND]] * views))
    assert logits.shape == (views, 2, 4)
    assert [sum(weight.shape == shape for weight in model.parameters()) for shape in ((100, 6), (4, 6))] == [1, views]
    for one in range(views):
        for other in range(one):
            assert not torch.allclose(logits[one], logits[other], atol=1e-4)


def test_the_order_of_the_features_does_not_matter(model):
    expected = model(batch_of([FIRST], [FOURTH]))
    assert_close(model(batch_of([FIRST[::-1]], [FOURTH[::-1]])), expected, rtol=0, atol=1e-6)


def test_a_feature_of_weight_zero_does_not_matter(model):
    expected = model(batch_of([FIRST], [THIRD]))
    assert_close(model(batch_of([[*FIRST, (7, 0.0)]], [THIRD])), expected, rtol=0, atol=1e-6)
    assert not torch.allclose(model(batch_of([[*FIRST, (7, 0.5)]], [THIRD])), expected, rtol=0, atol=1e-4)


def test_a_view_does_not_see_the_other(model):
    words, parts = model(batch_of([FIRST, SECOND], [THIRD, FOURTH]))
    others, same = model(batch_of([SECOND, FIRST], [THIRD, FOURTH]))
    assert_close(parts, same, rtol=0, atol=1e-6)
    assert_close(words, others.flip(0), rtol=0, atol=1e-6)


def test_a_document_without_any_known_word_gets_the_biases(model):
    biases = torch.tensor([[0.5, -0.25, 0.125], [1.0, 2.0, 3.0]])
    with torch.no_grad():
        for output, bias in zip(model.outputs, biases, strict=True):
            output.bias.copy_(bias)
    nothing = [[(0, 0.0)], [(0, 0.0), (1, 0.0)]]
    assert torch.equal(model(batch_of(nothing, nothing)), biases[:, None].expand(2, 2, 3))


def test_the_output_layers_start_as_glorot_derives_and_apart(model):
    for output in model.outputs:
        bound = (6 / sum(output.weight.shape)) ** 0.5
        assert output.weight.abs().max() <= bound
        assert output.weight.abs().max() > 0.8 * bound  # torch's own bound is half of it
    first, second = model.outputs
    assert not torch.equal(first.weight, second.weight)


@pytest.mark.parametrize("texts", [TEXTS, TEXTS[:1], TEXTS[2:4]])
def test_a_batch_has_the_bags_row_by_row_and_column_by_column(session, texts):
    given = examples(session, texts)
    bags, batch = session.setup.features(given.tokens, given.lengths), collate(given, inputs=session.setup.features)
    assert batch.features.tolist() == bags.features.tolist()
    assert batch.offsets.tolist() == bags.offsets.tolist()
    assert batch.weights.tolist() == bags.weights.tolist()
    assert batch.labels.tolist() == given.labels.tolist()
    assert batch.columns.tolist() == sorted(set(bags.features.tolist()))
    transposed = torch.zeros(len(session.setup.features.rarity), len(batch.offsets))
    sizes = torch.diff(batch.column_offsets, append=torch.tensor([len(batch.features)]))
    transposed[batch.columns.repeat_interleave(sizes), batch.column_bags] = batch.column_weights
    assert torch.equal(transposed.T, matrix_of(batch, len(transposed)))
    assert {batch.features.dtype, batch.offsets.dtype, batch.column_bags.dtype} == {torch.int32}
    assert {batch.weights.dtype, batch.column_weights.dtype} == {torch.float32}


def test_the_gradient_of_the_embeddings_is_sparse_and_has_each_row_once(session, model):
    batch = collate(examples(session, TEXTS), inputs=session.setup.features)
    model(batch).square().sum().backward()
    gradient = model.embedding.weight.grad
    assert gradient.is_sparse
    assert gradient._indices().tolist() == [batch.columns.tolist()]
    learning = gradient.to_dense().any(dim=1).nonzero().flatten().tolist()
    assert len(learning) > 10
    assert set(learning) <= set(batch.columns.tolist()) - {0, 1}  # padding and unknown words weigh nothing


def test_the_sparse_gradient_is_that_of_a_dense_table(session, model):
    batch = collate(examples(session, TEXTS), inputs=session.setup.features)
    model(batch).square().sum().backward()
    table = model.embedding.weight.detach().clone().requires_grad_()
    views = (matrix_of(batch, len(table)) @ table).relu().chunk(2)
    sum(output(view).square().sum() for output, view in zip(model.outputs, views, strict=True)).backward()
    assert_close(model.embedding.weight.grad.to_dense(), table.grad, rtol=1e-4, atol=1e-6)


def test_the_head_start_is_that_of_the_formula():
    torch.manual_seed(0)
    model = BagMLP(features=12, views=2, classes=3, hidden_size=4, dropout=0.0)
    before, generator = model.embedding.weight.detach().clone(), np.random.default_rng(0)
    batches = []
    for documents in (5, 3):
        features = np.concatenate(
            [[2 + view, 4 + generator.integers(3) * 2 + view] for view in (0, 1) for _ in range(documents)]
        )
        bags = BagInputs(features, np.arange(0, 4 * documents, 2), generator.random(4 * documents, dtype=np.float32))
        batches.append(batch_of_bags(bags, generator.integers(0, 3, documents)))
    model.learn_labels(batches)
    sums, totals = torch.zeros(12, 4), torch.zeros(12, 1)
    for batch in batches:
        matrix = matrix_of(batch, 12)
        answers = torch.stack([output.weight[batch.labels] for output in model.outputs])
        surplus = (answers - answers.mean(dim=1, keepdim=True)).flatten(end_dim=1)
        sums, totals = sums + matrix.T @ surplus, totals + matrix.sum(dim=0)[:, None]
    expected = before + HEAD_START * sums / (totals + SHRINKAGE)
    assert_close(model.embedding.weight.detach(), expected.detach(), rtol=1e-4, atol=1e-6)
    absent = totals[:, 0] == 0
    assert absent.any()
    assert torch.equal(model.embedding.weight[absent], before[absent])


def test_with_the_head_start_a_model_classifies_before_it_is_trained(session):
    """The corpus has three classes."""
    batches = session.batches["train"]
    fresh = BagMLP(**session.setup.features.sizes, classes=3, hidden_size=16, dropout=0.0)
    right = {
        name: sum(int((model(batch).mean(dim=0).argmax(dim=1) == batch.labels).sum()) for batch in batches)
        for name, model in (("random", fresh), ("started", session.learner.model.eval()))
    }
    assert right["random"] < 0.7 * len(batches.dataset)
    assert right["started"] > 0.9 * len(batches.dataset)
