import json
from collections import Counter
from math import log

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, classification_report, confusion_matrix, f1_score, log_loss

from textclf.evaluation.metrics import Metrics, baseline, confusion, cross_entropy, macro_f1s, measure, per_class
from textclf.inference.predicting import macro_f1


def draw(seed, documents=200, classes=4, skew=1.0):
    generator = np.random.default_rng(seed)
    logits = generator.normal(size=(documents, classes), scale=2).astype(np.float32)
    return generator.choice(classes, size=documents, p=[0.7, 0.2, 0.1, 0.0][:classes]), logits


def test_figures_by_hand():
    logits = np.log([[0.5, 0.25, 0.25], [0.25, 0.5, 0.25], [0.5, 0.25, 0.25], [0.25, 0.5, 0.25]]).astype(np.float32)
    metrics = measure(np.array([0, 1, 1, 1]), logits)
    # class 0: precision 1/2, recall 1; class 1: precision 1, recall 2/3
    macro, weighted = (2 / 3 + 4 / 5) / 2, (2 / 3 + 3 * 4 / 5) / 4
    assert metrics == pytest.approx(Metrics(4, 0.75, macro, 0.75, weighted, (3 * log(2) + log(4)) / 4), abs=1e-6)


@pytest.mark.parametrize("seed", range(5))
def test_figures_are_those_of_scikit_learn(seed):
    labels, logits = draw(seed)
    predicted = logits.argmax(axis=1)
    probabilities = np.exp(logits.astype(np.float64))
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    metrics = measure(labels, logits)
    assert metrics.documents == 200
    assert metrics.accuracy == accuracy_score(labels, predicted)
    assert (confusion(labels, predicted, classes=4) == confusion_matrix(labels, predicted, labels=range(4))).all()
    assert metrics.macro_f1 == f1_score(labels, predicted, average="macro", zero_division=0)
    assert metrics.loss == pytest.approx(log_loss(labels, probabilities, labels=range(4)))


def test_a_label_that_the_model_cannot_give_is_an_error_and_has_no_loss():
    logits = np.array([[2, 0], [0, 2], [2, 0], [0, 2]], dtype=np.float32)
    known = measure(np.array([0, 1]), logits[:2])
    metrics = measure(np.array([0, 1, -1, -2]), logits)
    assert (known.accuracy, metrics.accuracy) == (1.0, 0.5)
    assert metrics.documents == 4
    assert metrics.loss == pytest.approx(known.loss)
    assert metrics.macro_f1 == pytest.approx((2 / 3 + 2 / 3 + 0 + 0) / 4)  # each is a class of its own


NAMES = ["ham", "spam", "news", "never given", "only in test", "there too", "another"]


@settings(deadline=None)  # scikit-learn is imported in the first example
@given(st.data(), st.integers(1, 60))
def test_every_f1_is_that_of_scikit_learn_from_the_names(data, documents):
    """By name, as a user would check it, with labels that training lacks, that no document has, and that none gets."""
    known = data.draw(st.integers(1, len(NAMES)))
    names = st.lists(st.sampled_from(range(len(NAMES))), min_size=documents, max_size=documents)
    truth, answers = np.array(data.draw(names)), np.array(data.draw(names)) % known
    truth[0] %= known  # without any label that the model knows, there is no loss
    labels = np.where(truth < known, truth, known - 1 - truth)  # -1, -2 and so on
    logits = np.eye(known, dtype=np.float32)[answers]
    by_name = [NAMES[place] for place in truth], [NAMES[place] for place in answers]
    expected = {average: f1_score(*by_name, average=average, zero_division=0) for average in ("macro", "weighted")}
    metrics = measure(labels, logits)
    assert (metrics.macro_f1, metrics.weighted_f1) == pytest.approx(tuple(expected.values()))
    assert metrics.accuracy == metrics.micro_f1 == accuracy_score(*by_name)
    assert macro_f1s(labels, answers)(np.arange(documents)[None]) == pytest.approx([expected["macro"]])
    assert macro_f1(Counter(zip(*by_name, strict=True))) == pytest.approx(expected["macro"])
    constant = baseline(labels, np.zeros(1, dtype=np.int64), NAMES[:known])
    always = [NAMES[0]] * documents
    assert constant.macro_f1 == pytest.approx(f1_score(by_name[0], always, average="macro", zero_division=0))


def test_the_loss_of_extreme_logits_is_exact():
    logits = np.array([[1e4, 0], [0, 1e4], [-1e4, 1e4]], dtype=np.float32)
    assert cross_entropy(np.array([0, 0, 1]), logits) == pytest.approx(1e4 / 3)
    assert cross_entropy(np.array([0]), np.array([[40.0, 0.0]], dtype=np.float32)) == pytest.approx(
        log(1 + np.exp(-40)), abs=1e-18
    )


@pytest.mark.parametrize("seed", range(3))
def test_each_class_has_its_figures(seed):
    labels, logits = draw(seed)
    names = ["Zürich", "b", "c", "never"]
    report = classification_report(
        labels, logits.argmax(axis=1), labels=range(4), target_names=names, output_dict=True, zero_division=0
    )
    rows = per_class(labels, logits, names)
    assert [row["label"] for row in rows] == names
    for row in rows:
        expected = report[row["label"]]
        assert row["documents"] == expected["support"]
        assert (row["precision"], row["recall"], row["f1"]) == pytest.approx(
            (expected["precision"], expected["recall"], expected["f1-score"])
        )
    assert sum(row["documents"] for row in rows) == 200
    assert rows[3]["documents"] == rows[3]["recall"] == 0


def test_classes_count_the_documents_that_they_cannot_have():
    rows = per_class(np.array([0, -1, 1]), np.array([[2, 0], [2, 0], [0, 2]], dtype=np.float32), ["a", "b"])
    assert [(row["precision"], row["recall"], row["documents"]) for row in rows] == [(0.5, 1, 1), (1, 1, 1)]


def test_figures_are_plain_numbers():
    labels, logits = draw(0)
    values = [*measure(labels, logits), *per_class(labels, logits, list("abcd"))]
    assert json.loads(json.dumps(values)) == values


def test_the_baseline_gives_the_label_that_is_most_frequent_in_training():
    found = baseline(np.array([0, 1, 1, -1]), np.array([1, 1, 0, -1, -1, -1]), ["ham", "spam"])
    assert found == ("spam", 0.5, pytest.approx((2 / 3) / 3))


def test_confusion_has_labels_as_rows_and_answers_as_columns():
    counts = confusion(np.array([0, 0, 1, -1]), np.array([0, 2, 1, 1]), classes=3)
    assert counts.tolist() == [[1, 0, 1], [0, 1, 0], [0, 0, 0]]
