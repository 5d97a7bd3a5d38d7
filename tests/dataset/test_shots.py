"""Draws of a few documents of each label."""

import numpy as np
import pytest

from textclf.dataset.shots import EVERY, Pairs, draw

LABELS = np.array([0] * 40 + [1] * 200 + [2] * 3)
ONE = Pairs(np.arange(len(LABELS)), LABELS)
SEVERAL = Pairs(np.array([0, 0, 1, 2, 3, 4, 4, 5, 6, 7]), np.array([0, 1, 0, 0, 0, 0, 1, 1, 0, 0]))
"""Ten documents, of which the last two have no label."""


def of(shots, *, seed=0):
    return draw(ONE, documents=len(LABELS), shots=shots, seed=seed)


@pytest.mark.parametrize("shots", [2, 3, 8, 16, 64])
def test_each_label_has_as_many_documents_or_all_that_it_has(shots):
    drawn = of(shots)
    both = np.concatenate(drawn)
    assert len(set(both.tolist())) == len(both)
    assert np.bincount(LABELS[both]).tolist() == [min(shots, 40), min(shots, 200), min(shots, 3)]


@pytest.mark.parametrize("shots", [2, 8, 64])
def test_each_label_is_trained_on_and_a_tenth_is_validation(shots):
    train, validation = of(shots)
    assert set(LABELS[train].tolist()) == {0, 1, 2}
    assert len(validation) == -(-(len(train) + len(validation) - 3) // EVERY)  # the first of each label is not


def test_smaller_draws_are_part_of_larger_ones_for_the_same_use():
    small, large = of(8), of(16)
    assert set(small.train.tolist()) < set(large.train.tolist())
    assert set(small.validation.tolist()) < set(large.validation.tolist())


def test_validation_is_not_always_of_the_same_label():
    drawn = [LABELS[of(16, seed=seed).validation] for seed in range(10)]
    assert len(set(np.concatenate(drawn).tolist())) > 1


def test_a_draw_follows_from_the_seed():
    assert np.array_equal(np.concatenate(of(8)), np.concatenate(of(8)))
    assert not np.array_equal(np.concatenate(of(8)), np.concatenate(of(8, seed=1)))


@pytest.mark.parametrize("seed", range(5))
def test_of_several_labels_each_has_at_least_as_many_and_so_has_none(seed):
    both = np.concatenate(draw(SEVERAL, documents=10, shots=2, seed=seed))
    counts = np.bincount(SEVERAL.label[np.isin(SEVERAL.document, both)])
    assert (counts >= 2).all()
    assert {8, 9} <= set(both.tolist())
    assert set(both.tolist()) <= set(np.concatenate(draw(SEVERAL, documents=10, shots=3, seed=seed)).tolist())
