import pytest

from tests.conftest import small_config
from textclf.config import TIERS
from textclf.experiments.repeated import LearningCurve, Point, outlook, over_tiers
from textclf.training.display import Display


def points(*pairs):
    return [Point("full", documents, accuracy, accuracy, 1.0, "run") for documents, accuracy in pairs]


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
def test_a_curve_that_does_not_rise_has_no_outlook(curve):
    assert outlook(points(*curve)) is None


@pytest.mark.parametrize("suffix", [".svg", ".png"])
def test_a_curve_is_drawn_in_the_format_of_the_file_name(suffix, tmp_path):
    found = points((100, 0.6), (400, 0.8), (1600, 0.9))
    curve = LearningCurve(tmp_path / "news", "mlp", found, outlook(found))
    assert curve.default_picture() == tmp_path / "learning-curve-news-mlp.svg"
    curve.draw(tmp_path / f"curve{suffix}")
    start = (tmp_path / f"curve{suffix}").read_bytes()[:400]
    assert (b"<svg" in start) if suffix == ".svg" else start.startswith(b"\x89PNG")
