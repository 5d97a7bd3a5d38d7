import pytest

from tests.conftest import small_config
from textclf.artefacts import runs
from textclf.config import TIERS
from textclf.experiments.seeds import Point, outlook, over_seeds, over_tiers, spread
from textclf.training.run import Display


def points(*pairs):
    return [Point("full", documents, accuracy, accuracy, 1.0, "run") for documents, accuracy in pairs]


def test_seeds_follow_one_another_and_make_different_models(data_dir, tmp_path):
    config = small_config("mlp", data_dir, tmp_path, epochs=1, seed=3)
    found = [runs.read_json(run.metrics) for run in over_seeds(config, 3, display=Display())]
    assert [metrics["seed"] for metrics in found] == [3, 4, 5]
    assert len({metrics["test"]["loss"] for metrics in found}) == 3


def test_the_spread_is_mean_and_standard_deviation_of_the_sample():
    metrics = [{"test": {"accuracy": value}} for value in (0.8, 0.9, 1.0)]
    assert spread(metrics, "test", "accuracy") == pytest.approx((0.9, 0.1))
    assert spread(metrics[:1], "test", "accuracy") == (0.8, 0.0)


def test_a_curve_has_a_run_for_each_tier(data_dir, tmp_path):
    found = list(over_tiers(small_config("mlp", data_dir, tmp_path, epochs=1), display=Display()))
    assert [point.tier for point in found] == list(TIERS)
    assert [point.documents for point in found] == sorted(point.documents for point in found)
    assert all((tmp_path / point.run / "metrics.json").exists() for point in found)


def test_the_outlook_continues_a_power_law():
    found = outlook(points(*((n, 1 - 2 * n**-0.5) for n in (100, 400, 1600, 6400))))
    assert found == pytest.approx((12_800, 1 - 2 * 12_800**-0.5, 0.5))


@pytest.mark.parametrize(
    "curve", [((100, 0.9), (400, 0.8)), ((100, 0.9), (400, 1.0)), ((60, 0.9), (60, 0.9)), ((100, 0.9),)]
)
def test_a_curve_that_does_not_rise_foretells_nothing(curve):
    assert outlook(points(*curve)) is None
