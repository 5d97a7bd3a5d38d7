import itertools

import pytest

from tests.conftest import small_config
from textclf.config import TIERS
from textclf.experiments.repeated import LearningCurve, Point, outlook, over_tiers, verdict
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


FELL = "the error fell from each tier to the next; over the last tiers it falls"
WHOLE = "and as a whole it did not fall over the last tiers"
LITTLE = "more documents would likely bring little: "
MOVES = {  # accuracies of the tiers: what is said
    (0.6, 0.7, 0.8, 0.9): f"raise accuracy from 0.9000 to about 0.9240: {FELL}",
    (0.6, 0.7, 0.72, 0.69): f"{LITTLE}from tier to tier the error fell twice and rose once",
    (0.6, 0.8, 0.79, 0.795): f"{LITTLE}from tier to tier the error fell twice and rose once, {WHOLE}",
    (0.8, 0.7, 0.75, 0.85): "from tier to tier the error fell twice and rose once; over the last tiers it falls",
    (0.6, 0.8, 0.79, 0.78): f"{LITTLE}from tier to tier the error fell once and rose twice, {WHOLE}",
    (0.9, 0.8, 0.7, 0.6): f"{LITTLE}the error rose from each tier to the next",
    (0.7, 0.7, 0.7, 0.7): f"{LITTLE}the error stayed the same from each tier to the next",
    (0.6, 0.7, 0.7, 0.7): f"{LITTLE}from tier to tier the error fell once and stayed twice, {WHOLE}",
    (0.7, 0.6, 0.6, 0.6): f"{LITTLE}from tier to tier the error rose once and stayed twice",
    (0.7, 0.6, 0.65, 0.65): "from tier to tier the error fell once, rose once and stayed once",
    (0.6, 0.7, 0.8, 1.0): "no error is left on the test split",
    (1.0, 1.0, 1.0, 1.0): "no error is left on the test split",
    (0.9, 1.0, 0.95, 0.96): "from tier to tier the error fell twice and rose once",
}


@pytest.mark.parametrize(("accuracies", "said"), MOVES.items())
def test_the_verdict_says_how_the_error_moved(accuracies, said):
    found = points(*zip((100, 400, 1600, 6400), accuracies, strict=True))
    assert said in verdict(found, outlook(found))


@pytest.mark.parametrize("moves", list(itertools.product((-1, 0, 1), repeat=3)))
def test_the_verdict_counts_every_pattern_of_moves(moves):
    accuracies = [0.5, *(0.5 + sum(moves[: place + 1]) / 10 for place in range(3))]
    found = points(*zip((100, 400, 1600, 6400), accuracies, strict=True))
    said = verdict(found, outlook(found))
    names = {1: "fell", -1: "rose", 0: "stayed"}
    for move, name in names.items():
        assert (name in said) == (move in moves), said
        times = {1: "once", 2: "twice"}.get(moves.count(move))
        assert times is None or f"{name} {times}" in said
    assert ("would likely raise accuracy" in said) == (outlook(found) is not None)


def test_tiers_of_the_same_documents_show_nothing():
    found = points((60, 0.9), (60, 0.8), (60, 0.9))
    assert verdict(found, outlook(found)).startswith("all tiers have the same documents")


@pytest.mark.parametrize("suffix", [".svg", ".png"])
def test_a_curve_is_drawn_in_the_format_of_the_file_name(suffix, tmp_path):
    found = points((100, 0.6), (400, 0.8), (1600, 0.9))
    curve = LearningCurve(tmp_path / "news", "mlp", found, outlook(found))
    assert curve.default_picture() == tmp_path / "learning-curve-news-mlp.svg"
    curve.draw(tmp_path / f"curve{suffix}")
    start = (tmp_path / f"curve{suffix}").read_bytes()[:400]
    assert (b"<svg" in start) if suffix == ".svg" else start.startswith(b"\x89PNG")
