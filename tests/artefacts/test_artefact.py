from dataclasses import replace

import numpy as np
import pytest

from textclf.artefacts.artefact import Abstention
from textclf.errors import UsageError

LOGITS = np.array([[2.0, -1.0, 0.5], [0.0, 0.0, 3.0]], dtype=np.float32)


def test_the_threshold_is_that_of_the_next_higher_precision():
    learned = Abstention({"0.9": 0.5, "0.95": 0.75})
    assert [learned.threshold(precision) for precision in (0.5, 0.9, 0.91, 0.95)] == [0.5, 0.5, 0.75, 0.75]
    with pytest.raises(UsageError, match=r"0\.96 was not shown .* \(0\.95 is the highest that is\)"):
        learned.threshold(0.96)
    with pytest.raises(UsageError, match=r"\(none is\)"):
        Abstention().threshold(0.5)


def test_texts_with_more_unknown_words_than_that_are_unlike():
    shares = np.array([[0.0, 0.5], [0.51, 1.0]])
    assert Abstention().is_unlike(shares).tolist() == [[False, False], [True, True]]
    assert not Abstention(unlike=1).is_unlike(shares).any()


def test_class_weights_change_the_order_and_not_the_probabilities(trained):
    shift = tuple(np.linspace(-3, 3, len(trained.labels)))
    model = replace(trained, shift=shift, temperature=2.0)
    calibrated = model.calibrated(LOGITS + np.array(shift, dtype=np.float32))
    np.testing.assert_allclose(calibrated, LOGITS / 2, atol=1e-6)
    np.testing.assert_allclose(model.order(calibrated), (LOGITS + np.array(shift, dtype=np.float32)) / 2, atol=1e-6)
    assert replace(trained, shift=()).order(calibrated) is None


def test_probabilities_are_of_one_label_among_all_or_of_each_by_itself(trained):
    one = replace(trained, thresholds=())
    np.testing.assert_allclose(one.probabilities(LOGITS).sum(axis=1), 1, atol=1e-6)
    several = one.with_threshold(0.5)
    assert several.is_multi
    assert several.given(several.probabilities(LOGITS)).tolist() == (LOGITS >= 0).tolist()


def test_logits_are_finite_whatever_the_weights_are(trained):
    huge = replace(trained, weights={name: np.full_like(array, 1e38) for name, array in trained.weights.items()})
    tokens, lengths, _ = huge.read(["the cat sat", ""])
    assert np.isfinite(huge.raw_logits(tokens, lengths)).all()
