import itertools

import numpy as np
import pytest
from scipy.stats import binomtest

from tests.conftest import small_config
from textclf.config import TIERS
from textclf.experiments.repeated import LearningCurve, Point, outlook, over_tiers, verdict, wilson
from textclf.training.display import Display


def points(*pairs, tested=100_000):
    return [
        Point("full", documents, accuracy, accuracy, 1.0, "run", "accuracy", tested) for documents, accuracy in pairs
    ]


def test_a_curve_has_a_run_for_each_tier(data_dir, tmp_path):
    found = list(over_tiers(small_config("mlp", data_dir, tmp_path, epochs=1), display=Display()))
    assert [point.tier for point in found] == list(TIERS)
    assert [point.documents for point in found] == sorted(point.documents for point in found)
    assert all((tmp_path / point.run / "metrics.json").exists() for point in found)


def test_the_outlook_continues_a_power_law():
    found = outlook(points(*((n, 1 - 2 * n**-0.5) for n in (100, 400, 1600, 6400))))
    assert (found.documents, found.accuracy, found.exponent) == pytest.approx((12_800, 1 - 2 * 12_800**-0.5, 0.5))
    assert found.interval[0] < found.accuracy < found.interval[1]
    assert found.exponent_interval[0] < 0.5 < found.exponent_interval[1]


def test_the_outlook_is_vaguer_with_fewer_test_documents():
    curve = ((100, 0.8), (400, 0.9), (1600, 0.95))
    few, many = (outlook(points(*curve, tested=tested)) for tested in (200, 20_000))
    assert few.interval[0] < many.interval[0] < many.interval[1] < few.interval[1]
    assert few == outlook(points(*curve, tested=200))  # whose draws are the same


@pytest.mark.parametrize("truth", [0.1, 0.3, 0.5])
def test_nearly_all_intervals_hold_the_exponent_that_test_splits_are_drawn_from(truth):
    generator, sizes, tested = np.random.default_rng(1), np.array((100, 400, 1600)), 500
    errors = 0.5 * (sizes / 100) ** -truth
    held = 0
    for drawn in generator.binomial(tested, errors, size=(100, 3)):
        low, high = outlook(
            points(*zip(sizes.tolist(), 1 - drawn / tested, strict=True), tested=tested)
        ).exponent_interval
        held += low <= truth <= high
    assert held >= 88  # of 95 expected, with a standard deviation of 2.2


def test_the_last_of_tiers_with_the_same_documents_counts():
    assert outlook(points((100, 0.8), (400, 0.9), (400, 0.95))) == outlook(points((100, 0.8), (400, 0.95)))


@pytest.mark.parametrize("curve", [((100, 0.9), (400, 1.0)), ((60, 0.9), (60, 0.9)), ((100, 0.9),)])
def test_a_curve_of_one_size_or_without_errors_has_no_outlook(curve):
    assert outlook(points(*curve)) is None


FELL = "the error fell from each tier to the next"
TWICE = "from tier to tier the error fell twice and rose once"
MOVES = {  # accuracies of the tiers, test documents: what is said
    ((0.6, 0.7, 0.8, 0.9), 100_000): "would likely raise accuracy from 0.9000 to about 0.9240 (95 % interval 0.92",
    ((0.6, 0.7, 0.8, 0.81), 100): "whether more documents would help is not clear: twice as many documents, 12,800,",
    ((0.6, 0.7, 0.8, 0.805), 100): "a test split of 100 documents is too small to tell the last tiers apart",
    ((0.82, 0.968, 0.955, 0.977), 222): f"is too small to tell the last tiers apart; {TWICE}",
    ((0.82, 0.968, 0.955, 0.977), 100_000): "would likely raise accuracy from 0.9770 to about 0.9788",
    ((0.6, 0.7, 0.8, 0.9), 50_000): FELL,
    ((0.6, 0.7, 0.72, 0.69), 100_000): f"nothing, as the error rose over the last tiers: {TWICE} (one seed per tier)",
    ((0.9, 0.8, 0.7, 0.6), 100_000): "the error rose from each tier to the next",
    ((0.7, 0.7, 0.7, 0.7), 100_000): "not clear",
    ((0.6, 0.7, 0.8, 1.0), 100_000): "no error is left on the test split",
    ((0.9, 1.0, 1.0, 0.96), 100_000): "nothing, as the error rose over the last tiers",
}


@pytest.mark.parametrize(("case", "said"), MOVES.items())
def test_the_verdict_follows_from_the_numbers(case, said):
    accuracies, tested = case
    found = points(*zip((100, 400, 1600, 6400), accuracies, strict=True), tested=tested)
    assert said in verdict(found, outlook(found))


@pytest.mark.parametrize("moves", list(itertools.product((-1, 0, 1), repeat=3)))
def test_the_verdict_counts_every_pattern_of_moves(moves):
    accuracies = [0.5, *(0.5 + sum(moves[: place + 1]) / 10 for place in range(3))]
    found = points(*zip((100, 400, 1600, 6400), accuracies, strict=True))
    said = verdict(found, outlook(found)).split(":")[-1].split("; over")[0]
    names = {1: "fell", -1: "rose", 0: "stayed"}
    for move, name in names.items():
        times = {1: "once", 2: "twice"}.get(moves.count(move))
        assert times is None or f"{name} {times}" in said


@pytest.mark.parametrize(("right", "count"), [(5, 10), (20, 20), (0, 7), (190, 222)])
def test_wilson_intervals_are_those_of_scipy(right, count):
    expected = binomtest(right, count).proportion_ci(method="wilson")
    assert wilson(right / count, count) == pytest.approx((expected.low, expected.high), abs=1e-6)


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
