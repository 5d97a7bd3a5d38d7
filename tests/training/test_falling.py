"""Epochs over which the learning rate falls."""

import pytest
import torch

from tests.conftest import assemble, small_config
from textclf.dataset.directory import DataDirectory
from textclf.training import falling
from textclf.training.loop import StepOptions


def test_the_learning_rate_falls_to_zero_in_equal_steps(data_dir, tmp_path, monkeypatch):
    made = assemble(small_config("mlp", data_dir, tmp_path), DataDirectory.open(data_dir))
    optimizer, rates = made.learner.optimizer, []
    step = optimizer.step
    monkeypatch.setattr(optimizer, "step", lambda **given: (rates.append(optimizer.lr), step(**given)))
    options = StepOptions(torch.device("cpu"), made.setup.objective(torch.device("cpu")))
    lr, steps = optimizer.lr, 2 * len(made.batches["train"])
    falling.learn(made.learner.model, optimizer, made.batches["train"], epochs=2, options=options)
    assert rates == pytest.approx([lr * (1 - step / steps) for step in range(steps)])
