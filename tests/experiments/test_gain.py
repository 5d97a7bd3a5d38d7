"""Gains and their intervals: of real ones, and of the luck of the best of many trials."""

import numpy as np
import pytest

from textclf.experiments import gain


def right(share, documents=400, seed=0):
    """The accuracy of a model that is right on this share of documents, at random."""
    values = (np.random.default_rng(seed).random(documents) < share).astype(np.float32)
    return lambda weights: (weights @ values).astype(np.float64) / np.maximum(weights.sum(axis=1), 1)


def test_the_gain_of_a_better_model_is_no_noise():
    found = gain.paired(right(0.6, seed=1), right(0.8, seed=2), 400)
    assert found.gain == pytest.approx(found.after - found.before)
    assert found.interval[0] < found.gain < found.interval[1]
    assert not found.is_noise
    assert gain.paired(right(0.6, seed=1), right(0.6, seed=1), 400).is_noise


def test_nearly_all_intervals_hold_the_true_gain():
    held = 0
    for seed in range(60):
        low, high = gain.paired(right(0.7, seed=2 * seed), right(0.75, seed=2 * seed + 1), 400).interval
        held += low <= 0.05 <= high
    assert held >= 53  # of 57 expected


def test_the_best_of_many_trials_that_are_all_the_same_leads_by_luck_alone():
    lucky, left = [], []
    for search in range(20):
        trials = [right(0.8, seed=100 * search + number) for number in range(20)]
        values = [gain.value(each, 400) for each in trials]
        found = gain.of_choice(trials, int(np.argmax(values)), 400)
        assert found.is_noise
        lucky.append(found.after - found.before)
        left.append(found.gain)
    assert np.mean(lucky) > 0.02  # which is how wrong the best figure is
    assert abs(np.mean(left)) < 0.012


def test_a_trial_that_is_better_keeps_its_lead():
    trials = [right(0.7, seed=1), *(right(0.7, seed=seed) for seed in range(2, 8)), right(0.85, seed=9)]
    found = gain.of_choice(trials, 7, 400)
    assert found.gain == pytest.approx(found.after - found.before, abs=0.02)
    assert not found.is_noise


def test_equal_trials_leave_the_defaults():
    assert gain.of_choice([right(0.7), right(0.7)], 0, 400).gain == 0


def test_one_document_shows_nothing():
    found = gain.of_choice([right(0.5, documents=1), right(1.0, documents=1)], 1, 1)
    assert np.isnan(found.interval).all()
    assert found.is_noise
