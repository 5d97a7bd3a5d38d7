"""Fixtures of the tests of whole runs."""

import pytest

from tests.conftest import small_config
from tests.training.helpers import read_events
from textclf.artefacts import runs
from textclf.config import PreprocessConfig
from textclf.dataset.build import preprocess
from textclf.models.bag_mlp import linear, network

HEAD_START = network.HEAD_START


@pytest.fixture(params=["mlp", "lstm"])
def model(request):
    return request.param


@pytest.fixture
def settings(data_dir, tmp_path, monkeypatch):
    """Makes the settings of a small run.

    With all of its head start, the mlp would know this corpus before the first epoch.
    """
    monkeypatch.setattr(network, "HEAD_START", 0.25)

    def make(model="mlp", data=data_dir, *, refit=False, **given):
        return small_config(model, data, tmp_path / "runs", refit=refit, **given)

    return make


@pytest.fixture
def as_in_another_process(settings, monkeypatch):
    """What `settings` changed here is not changed there."""
    monkeypatch.setattr(network, "HEAD_START", HEAD_START)


@pytest.fixture
def finished(run_dir):
    return runs.RunLayout(run_dir)


@pytest.fixture
def own_data(corpus_csv):
    """Makes a data directory that the test may change."""

    def make(**given):
        config = PreprocessConfig(source=str(corpus_csv), num_workers=1, overwrite=True, **given)
        return preprocess(config)[0]

    return make


@pytest.fixture
def events(run_dir):
    """What TensorBoard reads of a finished run."""
    return read_events(run_dir)


@pytest.fixture
def without_companion(monkeypatch):
    """The mlp has no linear classifier beside it, so that its model is the network alone."""
    monkeypatch.setattr(linear, "HIDDEN_PER_CLASS", 1_000)
