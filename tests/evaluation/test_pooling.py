"""The weights of several classifiers."""

import numpy as np
import pytest

from textclf.evaluation.calibration import FEW
from textclf.evaluation.pooling import fit_weights
from textclf.evaluation.scoring import OneLabel, SeveralLabels


def answers(labels, *, right, seed, classes=3):
    """Logits that put the label first with this probability, and are noise besides."""
    draw = np.random.default_rng(seed)
    logits = draw.normal(size=(len(labels), classes))
    known = draw.random(len(labels)) < right
    logits[known, labels[known]] += 4
    return logits.astype(np.float32)


LABELS = np.arange(600) % 3


def fit_share(scoring, labels, first, second):
    """The weight of the second of two."""
    return fit_weights(scoring, labels, [first, second], usual=[1, 1])[1]


def test_of_two_equally_good_ones_each_counts_by_about_half():
    first, second = (answers(LABELS, right=0.7, seed=seed) for seed in (1, 2))
    share = fit_share(OneLabel(), LABELS, first, second)
    assert 0.35 < share < 0.65
    loss = lambda share: min(OneLabel().loss(LABELS, s * ((1 - share) * first + share * second)) for s in (0.5, 1, 2))  # noqa: E731
    assert loss(share) < min(loss(0), loss(1)) - 0.05


def test_the_scale_of_logits_does_not_matter():
    first, second = (answers(LABELS, right=0.7, seed=seed) for seed in (1, 2))
    share = fit_share(OneLabel(), LABELS, first, 3 * second)
    expected = fit_share(OneLabel(), LABELS, first, second)
    assert 3 * share / (1 - share) == pytest.approx(expected / (1 - expected), rel=0.05)


def test_one_that_knows_nothing_is_left_out():
    first, second = answers(LABELS, right=0.9, seed=1), answers(LABELS, right=0, seed=2)
    assert fit_share(OneLabel(), LABELS, first, second) == 0


def test_one_that_knows_all_gets_nearly_all_the_weight():
    first, second = answers(LABELS, right=0, seed=1), answers(LABELS, right=0.9, seed=2)
    assert fit_share(OneLabel(), LABELS, first, second) > 0.9


def test_few_documents_do_not_decide():
    few = LABELS[: FEW - 1]
    first, second = answers(few, right=0.9, seed=1), answers(few, right=0, seed=2)
    assert fit_share(OneLabel(), few, first, second) == 0.5


def test_labels_that_the_model_does_not_know_do_not_count():
    labels = LABELS.copy()
    first, second = (answers(LABELS, right=0.7, seed=seed) for seed in (1, 2))
    labels[::5] = -1
    known = labels >= 0
    assert fit_share(OneLabel(), labels, first, second) == pytest.approx(
        fit_share(OneLabel(), labels[known], first[known], second[known]), abs=1e-3
    )


def test_of_several_labels_each_is_a_question_of_its_own():
    sets = np.eye(3, dtype=bool)
    scoring = SeveralLabels(sets)
    first, second = (answers(LABELS, right=0.7, seed=seed) - 2 for seed in (1, 2))
    assert 0.3 < fit_share(scoring, LABELS, first, second) < 0.7


def test_weights_add_up_to_one_and_better_classifiers_get_more():
    found = [answers(LABELS, right=right, seed=seed) for seed, right in enumerate((0.5, 0.6, 0.8))]
    weights = fit_weights(OneLabel(), LABELS, found, usual=[1, 1, 1])
    assert weights.sum() == pytest.approx(1)
    assert weights[2] > weights[0] > 0


def test_what_is_left_out_changes_nothing_for_the_others():
    good, other = (answers(LABELS, right=0.7, seed=seed) for seed in (1, 2))
    noise = answers(LABELS, right=0, seed=3)
    found = fit_weights(OneLabel(), LABELS, [good, noise, other], usual=[1, 1, 1])
    assert found[1] == 0
    np.testing.assert_array_equal(found[[0, 2]], fit_weights(OneLabel(), LABELS, [good, other], usual=[1, 1]))


def test_the_first_stays_even_if_it_knows_nothing():
    noise, good = answers(LABELS, right=0, seed=1), answers(LABELS, right=0.9, seed=2)
    assert fit_weights(OneLabel(), LABELS, [noise, good], usual=[1, 1])[0] > 0


def test_few_documents_that_may_decide_are_held_to_the_usual_weights():
    few, usual = LABELS[:60], np.array([0.25, 0.25, 0.5])
    found = [answers(few, right=right, seed=seed) for seed, right in enumerate((0.9, 0.5, 0.5))]
    free, held, fixed = (
        np.abs(fit_weights(OneLabel(), few, found, usual=usual, pull=pull) - usual).max() for pull in (0.01, 1.0, 1e5)
    )
    assert free > held > 0.1
    assert fixed < 0.01


def test_few_documents_give_the_usual_weights():
    few = LABELS[: FEW - 1]
    found = [answers(few, right=0.9, seed=seed) for seed in range(3)]
    np.testing.assert_array_equal(fit_weights(OneLabel(), few, found, usual=[1, 1, 2]), [0.25, 0.25, 0.5])
