import numpy as np
import pytest
from scipy.stats import bootstrap
from sklearn.metrics import accuracy_score, f1_score

from textclf.evaluation.metrics import accuracies, interval, macro_f1s


@pytest.fixture
def scored():
    """Labels of 4 classes, one of them unknown to the model, and answers that are right six times in ten."""
    random = np.random.default_rng(0)
    labels = random.integers(-1, 3, size=300)
    answers = np.where(random.random(300) < 0.6, labels, random.integers(0, 3, size=300))
    return labels, np.maximum(answers, 0)


def test_figures_of_resamples_are_those_of_scikit_learn(scored):
    labels, answers = scored
    places = np.random.default_rng(1).integers(0, 300, size=(20, 300))
    places[0] = 0  # of one class only
    expected = [
        (
            accuracy_score(labels[row], answers[row]),
            f1_score(labels[row], answers[row], average="macro", zero_division=0),
        )
        for row in places
    ]
    assert accuracies(labels, answers)(places) == pytest.approx([row[0] for row in expected])
    assert macro_f1s(labels, answers)(places) == pytest.approx([row[1] for row in expected])


@pytest.mark.parametrize("figures", [accuracies, macro_f1s])
def test_the_interval_holds_the_figure_and_narrows_with_more_documents(figures, scored):
    labels, answers = scored
    figure = figures(labels, answers)(np.arange(300)[None])[0]
    low, high = interval(figures(labels, answers), 300)
    assert low < figure < high
    more = interval(figures(np.tile(labels, 16), np.tile(answers, 16)), 4800)
    assert (more[1] - more[0]) == pytest.approx((high - low) / 4, rel=0.2)


def test_the_interval_of_an_accuracy_is_that_of_the_binomial(scored):
    right = np.arange(1000) < 800
    low, high = interval(accuracies(np.zeros(1000, dtype=int), np.where(right, 0, 1)), 1000)
    deviation = np.sqrt(0.8 * 0.2 / 1000)
    assert (low, high) == pytest.approx((0.8 - 1.96 * deviation, 0.8 + 1.96 * deviation), abs=0.004)


@pytest.mark.parametrize("figures", [accuracies, macro_f1s])
def test_the_interval_is_the_percentile_bootstrap_of_scipy(figures, scored):
    of = figures(*scored)
    expected = bootstrap(
        (np.arange(300),),
        lambda places, axis: of(places.astype(int).reshape(-1, 300)).reshape(places.shape[:axis]),
        n_resamples=1000,
        batch=100,
        vectorized=True,
        method="percentile",
        rng=np.random.default_rng(0),
    ).confidence_interval
    assert interval(of, 300) == pytest.approx(tuple(expected))


def test_the_interval_is_the_same_each_time(scored):
    assert interval(accuracies(*scored), 300) == interval(accuracies(*scored), 300)


def test_one_document_has_no_interval():
    assert np.isnan(interval(accuracies(np.array([0]), np.array([0])), 1)).all()
