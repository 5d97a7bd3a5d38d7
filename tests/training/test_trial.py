"""A trial is what a run of the same settings is measured by, until its refit."""

import numpy as np
import pytest

from tests.conftest import small_config
from textclf.artefacts import runs
from textclf.models import MODELS
from textclf.training import run as training
from textclf.training import trial
from textclf.training.setup import set_up


def through(batches, _meter):
    return batches


@pytest.mark.parametrize("model", list(MODELS))
def test_it_gives_the_validation_figures_of_a_run(model, data_dir, tmp_path):
    setup = set_up(small_config(model, data_dir, tmp_path, epochs=3, refit=False, test=False))
    epochs = []
    tried = trial.run(setup, watch=through, goes_on=lambda epoch: not epochs.append(epoch.number))
    run = training.train(setup)
    metrics = runs.read_json(run.metrics)
    assert epochs == list(range(1, metrics["epochs"] + 1))
    assert (tried.epochs, tried.best_epoch) == (metrics["epochs"], metrics["best_epoch"])
    accuracy = (tried.logits.argmax(axis=1) == setup.parts["validation"].classes).mean()
    assert accuracy == metrics["validation"]["accuracy"]
    again = trial.run(setup, watch=through, goes_on=lambda _epoch: True)
    np.testing.assert_array_equal(again.logits, tried.logits)


def test_it_stops_when_it_is_told_to(data_dir, tmp_path):
    setup = set_up(small_config("mlp", data_dir, tmp_path, epochs=9, refit=False, test=False))
    epochs = []

    def goes_on(epoch):
        epochs.append(epoch.number)
        return len(epochs) < 2

    assert trial.run(setup, watch=through, goes_on=goes_on) is None
    assert epochs == [1, 2]
