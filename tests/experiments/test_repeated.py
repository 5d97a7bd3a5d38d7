from dataclasses import replace

import pytest

from tests.conftest import small_config
from textclf import training
from textclf.artefacts import runs
from textclf.experiments.repeated import over_seeds, spread
from textclf.training.display import Display


def test_seeds_are_consecutive_and_give_different_models(data_dir, tmp_path):
    config = small_config("mlp", data_dir, tmp_path, epochs=1, seed=3)
    found = [runs.read_json(run.metrics) for run in over_seeds(config, 3, display=Display())]
    assert [metrics["seed"] for metrics in found] == [3, 4, 5]
    assert len({metrics["test"]["loss"] for metrics in found}) == 3


def test_the_spread_is_mean_and_standard_deviation_of_the_sample():
    metrics = [{"test": {"accuracy": value}} for value in (0.8, 0.9, 1.0)]
    assert spread(metrics, "test", "accuracy") == pytest.approx((0.9, 0.1))
    assert spread(metrics[:1], "test", "accuracy") == (0.8, 0.0)


def test_with_shots_each_seed_has_documents_of_its_own(data_dir, tmp_path):
    config = small_config("mlp", data_dir, tmp_path, epochs=1, shots=3)
    first, second = over_seeds(config, 2, display=Display())
    assert runs.read_json(second.config)["settings"]["shots"] == 3
    alone = training.train(replace(config, seed=1))
    assert runs.read_json(second.metrics)["test"] == runs.read_json(alone.metrics)["test"]
    assert runs.read_json(first.metrics)["test"] != runs.read_json(alone.metrics)["test"]
