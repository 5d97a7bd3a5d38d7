import numpy as np
import torch
from torch.nn.functional import linear as linear_of_torch

from textclf.models.arithmetic import linear, softmax


def test_linear_agrees_with_torch():
    random = np.random.default_rng(0)
    weights = {"a.weight": random.random((3, 4), dtype=np.float32), "a.bias": random.random(3, dtype=np.float32)}
    x = random.random((5, 4), dtype=np.float32)
    expected = linear_of_torch(*map(torch.from_numpy, (x, weights["a.weight"], weights["a.bias"])))
    np.testing.assert_allclose(linear(weights, "a", x), expected.numpy(), rtol=0, atol=1e-6)


def test_softmax_agrees_with_torch_and_never_overflows():
    logits = np.array([[0, 1, 2], [-5, 5, 0], [1e4, -1e4, 0], [1e38, 1e38, -1e38]], dtype=np.float32)
    probabilities = softmax(logits)
    np.testing.assert_allclose(probabilities, torch.from_numpy(logits).softmax(dim=1).numpy(), rtol=0, atol=1e-6)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=0, atol=1e-6)
