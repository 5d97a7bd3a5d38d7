"""The companion of a network: what it learns from, and that a run with it repeats."""

import json

import numpy as np
import pytest

from tests.conftest import small_config
from tests.training.helpers import Shown
from textclf import training
from textclf.artefacts import loading
from textclf.models.model import LINEAR
from textclf.training import companion
from textclf.training.setup import Setup


@pytest.fixture
def parts_learned(monkeypatch):
    """The parts of the data that companions learned from, in order."""
    found = []
    learn = companion.learn

    def noting(setup: Setup, part, *, options):
        found.append(part)
        return learn(setup, part, options=options)

    monkeypatch.setattr(companion, "learn", noting)
    return found


def metrics_of(run):
    return json.loads(run.metrics.read_text())


def test_its_share_is_found_before_it_learns_from_validation(data_dir, tmp_path, parts_learned):
    run = training.train(small_config("mlp", data_dir, tmp_path, epochs=2))
    assert parts_learned == ["train", "refit"]
    metrics = metrics_of(run)
    assert 0 < metrics["companion"]["share"] < 1
    assert metrics["refit"]["epochs"] == 0  # the network itself had learned enough
    assert metrics["refit"]["documents"] > metrics["train"]["documents"]
    assert LINEAR in loading.load(run.model).weights


class Titles(Shown):
    """Keeps what companions were said to learn from, and the documents that then passed."""

    def __init__(self):
        super().__init__()
        self.told, self.passed = [], []

    def begin_companion(self, title, *, documents, epochs):
        super().begin_companion(title, documents=documents, epochs=epochs)
        self.told.append((title, documents, epochs))
        self.passed.append(0)

    def watch(self, batches, meter):
        for batch in batches:
            before = meter.documents
            yield batch
            if self.told:
                self.passed[-1] += meter.documents - before


def test_its_epochs_are_shown(data_dir, tmp_path):
    shown = Titles()
    metrics = metrics_of(training.train(small_config("mlp", data_dir, tmp_path, epochs=2), display=shown))
    parts = [metrics["train"]["documents"], metrics["refit"]["documents"]]
    assert shown.told == [("linear classifier", documents, companion.EPOCHS) for documents in parts]
    assert shown.passed == [documents * companion.EPOCHS for documents in parts]


def test_without_a_refit_it_never_learns_from_validation(data_dir, tmp_path, parts_learned):
    run = training.train(small_config("mlp", data_dir, tmp_path, epochs=2, refit=False))
    assert parts_learned == ["train"]
    assert metrics_of(run)["refit"] is None


def test_one_that_is_left_out_is_not_in_the_model(data_dir, tmp_path, parts_learned, monkeypatch):
    monkeypatch.setattr(companion, "fit_weights", lambda *_, **__: np.array([1.0, 0.0]))
    run = training.train(small_config("mlp", data_dir, tmp_path, epochs=2))
    assert parts_learned == ["train"]
    assert "companion" not in metrics_of(run)
    assert LINEAR not in loading.load(run.model).weights


def test_only_models_that_have_one_make_one(data_dir, tmp_path):
    run = training.train(small_config("cnn", data_dir, tmp_path, epochs=1))
    assert "companion" not in metrics_of(run)


def test_a_run_repeats_to_the_bit(data_dir, tmp_path):
    first, second = (training.train(small_config("mlp", data_dir, tmp_path / name, epochs=2)) for name in "ab")
    one, other = (loading.load(run.model).weights for run in (first, second))
    assert one.keys() == other.keys()
    assert all(np.array_equal(one[name], other[name]) for name in one)


def test_the_learning_rate_falls_to_zero(data_dir, tmp_path, monkeypatch):
    rates = []
    step = companion.Adam.step

    def noting(self, **given):
        if self.epsilon == companion.EPSILON:
            rates.append(self.lr)
        step(self, **given)

    monkeypatch.setattr(companion.Adam, "step", noting)
    training.train(small_config("mlp", data_dir, tmp_path, epochs=1, refit=False))
    assert rates == sorted(rates, reverse=True)
    assert len(set(rates)) == len(rates) > companion.EPOCHS
    assert rates[-1] == pytest.approx(rates[0] / len(rates))
