"""The weight of each class, against scikit-learn, and what is refused."""

import json

import numpy as np
import pytest
from sklearn.utils.class_weight import compute_class_weight

from textclf.errors import UsageError
from textclf.training.class_weights import LARGEST, weigh

COUNTS = {"ham": 90, "news": 9, "spam": 1}


def weights(given, counts=COUNTS, *, is_multi=False, documents=100):
    return weigh(given, counts, documents=documents, is_multi=is_multi)


@pytest.mark.parametrize("counts", [COUNTS, {"a": 50, "b": 50}, {"a": 1, "b": 2, "c": 97, "d": 300}])
def test_balanced_is_the_formula_of_scikit_learn(counts):
    labels = np.repeat(list(counts), list(counts.values()))
    expected = compute_class_weight("balanced", classes=np.array(list(counts)), y=labels)
    found = weights("balanced", counts, documents=len(labels))
    assert found.dtype == np.float32
    assert found == pytest.approx(expected)


def test_balanced_makes_each_of_several_labels_weigh_as_much_as_its_absence():
    found = weights("balanced", {"a": 50, "b": 10, "c": 1}, is_multi=True)
    for count, weight in zip((50, 10, 1), found, strict=True):
        against = compute_class_weight("balanced", classes=np.array([0, 1]), y=np.arange(100) < count)
        assert weight == pytest.approx(against[1] / against[0])


def test_weights_are_finite_for_labels_that_no_or_every_document_has():
    found = weights("balanced", {"a": 100, "b": 0}, is_multi=True)
    assert found.tolist() == pytest.approx([1 / LARGEST, 100])
    assert np.isfinite(np.log(found)).all()
    assert np.isfinite(weights("balanced", {"a": 100, "b": 0})).all()


def test_a_file_has_the_weight_of_each_label_and_others_weigh_1():
    assert weights(json.dumps({"spam": 10, "ham": 0.5})).tolist() == [0.5, 1, 10]
    assert weights("{}").tolist() == [1, 1, 1]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("even", "--class-weights 'even': give none, balanced, or a JSON file such as {\"ham\": 2}"),
        ("[1, 2]", "--class-weights '[1, 2]': give none, balanced, or a JSON file such as {\"ham\": 2}"),
        ('{"Spam": 2}', "--class-weights: no training document has the label 'Spam'"),
        ('{"spam": 0}', "--class-weights: the weight of 'spam' is 0, not a number above 0"),
        ('{"spam": -1}', "--class-weights: the weight of 'spam' is -1, not a number above 0"),
        ('{"spam": true}', "--class-weights: the weight of 'spam' is True, not a number above 0"),
        ('{"spam": "2"}', "--class-weights: the weight of 'spam' is '2', not a number above 0"),
        ('{"spam": null}', "--class-weights: the weight of 'spam' is None, not a number above 0"),
        ('{"spam": NaN}', "--class-weights: the weight of 'spam' is nan, not a number above 0"),
        ('{"spam": Infinity}', "--class-weights: the weight of 'spam' is inf, not a number above 0"),
        ('{"spam": 1e7}', "--class-weights: the weight of 'spam' is 10000000.0, not a number above 0"),
    ],
)
def test_anything_else_is_refused(given, message):
    with pytest.raises(UsageError) as caught:
        weights(given)
    assert str(caught.value).startswith(message)
