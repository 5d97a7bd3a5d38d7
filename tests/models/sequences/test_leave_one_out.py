"""With logits that are known, what each token contributes is known."""

import numpy as np
import pytest

from textclf.models.sequences import leave_one_out
from textclf.models.sequences.features import Sequences
from textclf.models.sequences.leave_one_out import LeaveOneOut

VALUES = np.array([0.0, 0.25, 1.0, 2.0, 4.0, 8.0], dtype=np.float32)  # of each word id
AGAINST = np.array([1.0, -1.0])


def sums(weights, inputs):
    """Logits of two classes: the sum of the values of a document's words, and its negative."""
    inside = np.arange(inputs.tokens.shape[1]) < inputs.lengths[:, None]
    total = (weights["values"][inputs.tokens] * inside).sum(axis=1)
    return np.stack((total, -total), axis=1)


def contributions(ids, max_length=100):
    features = Sequences(words=len(VALUES), max_length=max_length)
    return LeaveOneOut(sums)({"values": VALUES}, features, np.array(ids, dtype=np.int32), AGAINST)


def test_a_word_contributes_what_the_score_loses_without_it():
    found = contributions([2, 3, 3, 4])
    assert found.tokens.tolist() == [2, 4, 4, 8]  # twice the value: the other class loses as much
    assert (found.margin, found.rest) == (18, 0)


def test_a_single_word_is_compared_with_an_unknown_one():
    assert contributions([5]).tokens.tolist() == [2 * (8 - 0.25)]


def test_words_beyond_those_that_are_read_contribute_nothing_and_subwords_are_no_words():
    found = contributions([2, 1, len(VALUES) + 3, 4, 5], max_length=3)
    assert found.tokens.tolist() == [2, 0.5, 8, 0]
    assert found.margin == pytest.approx(found.rest + found.tokens.sum())


def test_many_words_go_through_the_model_in_several_batches():
    ids = [2, 3, 4] * leave_one_out.BATCH
    assert contributions(ids, max_length=len(ids)).tokens.tolist() == [2, 4, 8] * leave_one_out.BATCH
