from math import inf

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from textclf.training.learner import AVERAGE_DECAY, Adam, Learner, clip_gradients


def learner_of(model):
    return Learner.of(model, Adam(model, lr=0.1))


def test_the_first_average_is_the_weights_and_each_later_one_moves_less():
    model = nn.Linear(1, 1, bias=False)
    learner, mean = learner_of(model), 0.0
    for count in range(40):
        with torch.no_grad():
            model.weight.fill_(count)
        learner.update_average()
        decay = min(AVERAGE_DECAY, (1 + count) / (10 + count)) if count else 0.0
        mean = decay * mean + (1 - decay) * count
        assert learner.average.module.weight.item() == pytest.approx(mean, rel=1e-5)


def test_the_running_figures_of_a_batch_norm_are_those_of_the_model():
    model = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    learner = Learner.of(model, Adam(model, lr=0.1))
    for _ in range(2):
        model(torch.randn(8, 2))
        learner.update_average()
    assert int(learner.average.module[1].num_batches_tracked) == 2
    assert_close(learner.average.module[1].running_mean, model[1].running_mean, rtol=0, atol=0)


def test_ending_frees_everything_but_the_mean_of_the_weights():
    model = nn.Linear(2, 2)
    learner = learner_of(model)
    learner.update_average()
    before = {name: weight.clone() for name, weight in model.state_dict().items()}
    assert_close(dict(learner.end().state_dict()), before)
    assert all(weight.is_meta for weight in model.parameters())
    assert not learner.optimizer.state


@pytest.mark.parametrize("largest", [0.5, 1e6, inf])
def test_sparse_gradients_are_clipped_as_dense_ones_are(largest):
    norms, gradients = [], []
    for sparse in (False, True):
        torch.manual_seed(1)
        model = nn.ModuleDict({"embedding": nn.Embedding(9, 4, sparse=sparse), "layer": nn.Linear(4, 2)})
        model["unused"] = nn.Linear(1, 1)
        model["layer"](model["embedding"](torch.tensor([2, 3, 7]))).square().sum().backward()
        clip = clip_gradients if sparse else nn.utils.clip_grad_norm_
        norms.append(clip(model if sparse else model.parameters(), largest).item())
        gradients.append([model["embedding"].weight.grad, model["layer"].weight.grad, model["layer"].bias.grad])
    assert gradients[1][0].is_sparse
    assert norms[1] == pytest.approx(norms[0])
    assert norms[0] > 0.5
    for dense, other in zip(*gradients, strict=True):
        assert_close(other.to_dense(), dense)
