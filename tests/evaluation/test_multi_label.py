"""Figures of documents with several labels, against scikit-learn; thresholds and calibration."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from textclf.evaluation import multi_label
from textclf.evaluation.calibration import HIGHEST, LOWEST
from textclf.evaluation.multi_label import (
    Counts,
    average_precision,
    baseline,
    confident,
    fit_temperature,
    learn_thresholds,
    macro_f1s,
    measure,
    micro_f1s,
    per_label,
)
from textclf.models.arithmetic import sigmoid

CLASSES = 6
UNSEEN = 2
"""Labels that the model does not have."""


def draw(seed, *, documents=150, unseen=UNSEEN):
    """Which documents have which labels (some have none, one label has no document), and logits that say something."""
    generator = np.random.default_rng(seed)
    shares = np.array([0.5, 0.3, 0.2, 0.1, 0.05, 0.0, *[0.04] * unseen])
    truth = generator.random((documents, CLASSES + unseen)) < shares
    noise = generator.normal(scale=1.5, size=(documents, CLASSES))
    return truth, (noise + 2.0 * truth[:, :CLASSES] - 1.0).astype(np.float32)


def wide(columns, truth, *, fill):
    missing = np.full((len(truth), truth.shape[1] - columns.shape[1]), fill, dtype=columns.dtype)
    return np.hstack([columns, missing])


def check_against_scikit_learn(truth, logits, answers):
    """All figures of a ranking of all labels, in which those that the model lacks are last, and of the answers."""
    found = measure(truth, logits, answers)
    given = wide(answers, truth, fill=False)
    ranked = wide(logits.astype(np.float64), truth, fill=-1e6)
    ranked -= 1e-7 * np.arange(ranked.shape[1])  # the first of equal ones comes first
    either = (truth | given).any(axis=0)
    scores = {name: sk.f1_score(truth, given, average=name, zero_division=0) for name in ("micro", "weighted")}
    assert found.documents == len(truth)
    assert found.accuracy == pytest.approx(sk.accuracy_score(truth, given))
    assert (found.micro_f1, found.weighted_f1) == pytest.approx((scores["micro"], scores["weighted"]))
    of_occurring = sk.f1_score(truth[:, either], given[:, either], average="macro", zero_division=0)
    assert found.macro_f1 == pytest.approx(of_occurring)
    assert found.document_f1 == pytest.approx(sk.f1_score(truth, given, average="samples", zero_division=1))
    assert found.micro_precision == pytest.approx(sk.precision_score(truth, given, average="micro", zero_division=0))
    assert found.micro_recall == pytest.approx(sk.recall_score(truth, given, average="micro", zero_division=0))
    assert found.hamming_loss == pytest.approx(sk.hamming_loss(truth, given))
    known = truth[:, : logits.shape[1]]
    probabilities = sigmoid(logits.astype(np.float64))
    per_class = [sk.log_loss(known[:, at], probabilities[:, at], labels=[False, True]) for at in range(known.shape[1])]
    assert found.loss == pytest.approx(sum(per_class), rel=1e-4)
    some = truth.any(axis=1)
    assert found.ndcg_at_5 == pytest.approx(sk.ndcg_score(truth[some], ranked[some] + 2e6, k=5))
    found_ranking = sk.label_ranking_average_precision_score(truth[some], ranked[some])
    assert found.ranking_average_precision == pytest.approx(found_ranking)
    order = np.argsort(-ranked, axis=1)
    hits = np.take_along_axis(truth, order, axis=1)
    assert found.precision_at_1 == pytest.approx(hits[:, :1].mean())
    assert found.precision_at_3 == pytest.approx(hits[:, :3].mean())
    assert found.precision_at_5 == pytest.approx(hits[:, :5].mean())
    assert found.recall_at_5 == pytest.approx((hits[some, :5].sum(axis=1) / truth[some].sum(axis=1)).mean())


@pytest.mark.parametrize("unseen", [0, UNSEEN])
@pytest.mark.parametrize("seed", range(3))
def test_figures_are_those_of_scikit_learn(seed, unseen):
    truth, logits = draw(seed, unseen=unseen)
    check_against_scikit_learn(truth, logits, sigmoid(logits) >= np.float32(0.4))


def test_figures_by_hand():
    truth = np.array([[1, 1, 0], [0, 0, 0], [1, 0, 1]], dtype=bool)  # the third label is not the model's
    logits = np.array([[2, 1], [-1, -2], [-1, 1]], dtype=np.float32)
    found = measure(truth, logits, logits > 0)
    # right: both of the first document. Given 3, labelled 4. By label: 1 of 1 given and 2 labelled; 1 of 2 and 1; 0
    assert found.accuracy == pytest.approx(2 / 3)
    assert (found.micro_precision, found.micro_recall, found.micro_f1) == pytest.approx((2 / 3, 2 / 4, 4 / 7))
    assert found.macro_f1 == pytest.approx((2 / 3 + 2 / 3 + 0) / 3)
    assert found.weighted_f1 == pytest.approx((2 * 2 / 3 + 2 / 3 + 0) / 4)
    assert found.document_f1 == pytest.approx((1 + 1 + 0) / 3)
    assert found.hamming_loss == pytest.approx(3 / 9)
    assert found.precision_at_1 == pytest.approx(1 / 3)
    assert found.recall_at_5 == 1
    assert found.ranking_average_precision == pytest.approx((1 + (1 / 2 + 2 / 3) / 2) / 2)


@pytest.mark.parametrize("truth", [np.zeros((3, 2), dtype=bool), np.ones((3, 2), dtype=bool)], ids=["none", "all"])
@pytest.mark.parametrize("sign", [-1, 1])
def test_documents_with_no_label_at_all_or_with_all_have_finite_figures(truth, sign):
    logits = np.full((3, 2), sign, dtype=np.float32)
    found = measure(truth, logits, logits > 0)
    assert np.isfinite(found).all()
    assert found.accuracy == float(truth[0, 0] == (sign > 0))


def test_equal_probabilities_get_one_rank():
    """scikit-learn ranks labels of one document alike if they are equally probable; so does average precision."""
    labels = np.array([1, 0, 1, 0, 0, 1], dtype=bool)
    probabilities = np.array([0.5, 0.5, 0.5, 0.2, 0.9, 0.2], dtype=np.float32)
    assert average_precision(labels, probabilities) == pytest.approx(sk.average_precision_score(labels, probabilities))


@settings(deadline=None, max_examples=40)
@given(st.data(), st.integers(1, 40))
def test_average_precision_is_that_of_scikit_learn(data, documents):
    labels = np.array(data.draw(st.lists(st.booleans(), min_size=documents, max_size=documents)))
    tenths = data.draw(st.lists(st.integers(0, 10), min_size=documents, max_size=documents))
    probabilities = (np.array(tenths) / 10).astype(np.float32)
    expected = sk.average_precision_score(labels, probabilities) if labels.any() else 0.0
    assert average_precision(labels, probabilities) == pytest.approx(expected)


def test_each_label_has_a_row_with_its_threshold():
    truth, logits = draw(3)
    probabilities, names = sigmoid(logits), [f"label {place}" for place in range(CLASSES)]
    thresholds = np.linspace(0.2, 0.7, CLASSES).tolist()
    answers = probabilities >= np.array(thresholds, dtype=np.float32)
    rows = per_label(truth, probabilities, answers, names=names, thresholds=thresholds)
    report = sk.classification_report(
        truth[:, :CLASSES], answers, target_names=names, output_dict=True, zero_division=0
    )
    assert [row["label"] for row in rows] == names
    assert [row["threshold"] for row in rows] == thresholds
    for place, row in enumerate(rows):
        expected = report[row["label"]]
        assert row["documents"] == expected["support"]
        figures = (row["precision"], row["recall"], row["f1"])
        assert figures == pytest.approx((expected["precision"], expected["recall"], expected["f1-score"]))
        if row["documents"]:
            of_label = sk.average_precision_score(truth[:, place], probabilities[:, place])
            assert row["average_precision"] == pytest.approx(of_label)
    assert (rows[5]["documents"], rows[5]["average_precision"]) == (0, 0.0)
    assert json.loads(json.dumps(rows)) == rows


def test_figures_are_plain_numbers():
    truth, logits = draw(0)
    figures = [*measure(truth, logits, logits > 0)]
    assert json.loads(json.dumps(figures)) == figures


def test_the_figures_of_resamples_are_those_of_the_same_documents_measured_again():
    truth, logits = draw(1, unseen=0)
    answers = logits > 0
    places = np.random.default_rng(0).integers(0, len(truth), size=(7, len(truth)))
    each = [measure(truth[row], logits[row], answers[row]) for row in places]
    assert micro_f1s(truth, answers)(places) == pytest.approx([found.micro_f1 for found in each])
    assert macro_f1s(truth, answers)(places) == pytest.approx([found.macro_f1 for found in each], abs=1e-6)


def test_the_baseline_gives_one_set_of_labels_to_every_document():
    truth, _ = draw(2)
    names = [f"label {place}" for place in range(truth.shape[1])]
    always = np.zeros_like(truth)
    always[:, [0, 2]] = True
    found = baseline(truth, ("label 0", "label 2"), names)
    either = truth.any(axis=0) | always.any(axis=0)
    assert found.label == "label 0, label 2"
    assert found.accuracy == pytest.approx(sk.accuracy_score(truth, always))
    assert found.micro_f1 == pytest.approx(sk.f1_score(truth, always, average="micro"))
    macro = sk.f1_score(truth[:, either], always[:, either], average="macro", zero_division=0)
    assert found.macro_f1 == pytest.approx(macro)
    assert baseline(truth, (), names).label == "no label"
    assert baseline(truth, (), names).accuracy == pytest.approx((~truth.any(axis=1)).mean())


# Thresholds


def micro_f1(truth, answers):
    return Counts(*(np.atleast_1d(pairs.sum()) for pairs in (truth & answers, answers, truth))).f1()[0]


@pytest.mark.parametrize("seed", range(3))
def test_with_much_shrinkage_the_one_threshold_is_the_best_for_micro_f1(seed):
    truth, logits = draw(seed, unseen=0)
    probabilities = sigmoid(logits)
    thresholds = learn_thresholds(truth, probabilities, shrinkage=1e12)
    assert len({round(threshold, 3) for threshold in thresholds}) == 1
    reached = micro_f1(truth, probabilities >= np.float32(thresholds[0]))
    others = [micro_f1(truth, probabilities >= one) for one in np.linspace(0.01, 0.99, 197)]
    assert reached >= max(others) - 1e-9


def test_without_shrinkage_each_threshold_is_the_best_for_its_label():
    truth, logits = draw(4, unseen=0)
    probabilities = sigmoid(logits)
    thresholds = learn_thresholds(truth, probabilities, shrinkage=0.0)
    for place in np.flatnonzero(truth.any(axis=0)):
        own, scores = truth[:, place], probabilities[:, place]
        reached = sk.f1_score(own, scores >= np.float32(thresholds[place]))
        assert reached >= max(sk.f1_score(own, scores >= one, zero_division=0) for one in scores) - 1e-9


def test_a_label_of_few_documents_has_a_threshold_near_that_of_all():
    truth, logits = draw(5, documents=2000, unseen=0)
    probabilities = sigmoid(logits)
    common = learn_thresholds(truth, probabilities, shrinkage=1e12)[0]
    own = np.array(learn_thresholds(truth, probabilities, shrinkage=0.0))
    mixed = np.array(learn_thresholds(truth, probabilities))
    counts = truth.sum(axis=0)
    expected = (counts * own + multi_label.SHRINKAGE * common) / (counts + multi_label.SHRINKAGE)
    some = counts > 0
    assert mixed[some] == pytest.approx(expected[some], abs=1e-5)
    assert mixed[~some] == pytest.approx(common, abs=1e-5)  # validation has no document with it


def test_without_any_label_in_validation_a_label_is_given_where_it_is_more_likely_than_not():
    assert learn_thresholds(np.zeros((4, 3), dtype=bool), np.full((4, 2), 0.3, dtype=np.float32)) == [0.5, 0.5]


def test_thresholds_are_probabilities_and_documents_on_their_side_stay_there():
    truth = np.array([[1], [1], [0], [0]], dtype=bool)
    assert learn_thresholds(truth, np.array([[1], [0.8], [0.6], [0]], dtype=np.float32)) == [0.7]
    assert learn_thresholds(np.ones((4, 1), dtype=bool), np.full((4, 1), 0.5, dtype=np.float32)) == [0.25]


# Calibration


@pytest.mark.parametrize("scale", [0.25, 1.0, 4.0])
def test_the_temperature_makes_probabilities_those_with_which_labels_were_drawn(scale):
    generator = np.random.default_rng(0)
    logits = generator.normal(scale=2, size=(2000, 4)).astype(np.float32)
    truth = generator.random(logits.shape) < sigmoid(logits)
    assert fit_temperature(truth, logits * np.float32(scale)) == pytest.approx(scale, rel=0.1)


def test_the_temperature_has_bounds_and_labels_that_the_model_lacks_say_nothing():
    logits = np.array([[3.0, -3.0], [-3.0, 3.0]], dtype=np.float32)
    right = fit_temperature(logits > 0, logits)
    assert right == pytest.approx(LOWEST, rel=0.01)
    assert fit_temperature(logits < 0, logits) == pytest.approx(HIGHEST, rel=0.01)
    assert fit_temperature(np.hstack([logits > 0, [[True], [False]]]), logits) == right


def test_the_loss_of_extreme_logits_is_exact():
    logits = np.array([[1e4, -1e4]], dtype=np.float32)
    assert multi_label.cross_entropy(np.array([[True, False]]), logits) == 0
    assert multi_label.cross_entropy(np.array([[False, True, True]]), logits) == 2e4


def test_each_pair_of_a_document_and_a_class_is_an_answer():
    truth = np.array([[True, False, True], [False, False, True]])
    probabilities, right = confident(truth, np.array([[0.0, 2.0], [-2.0, 50.0]], dtype=np.float32))
    assert probabilities == pytest.approx([0.5, 0.880797, 0.119203, 1.0])
    assert right.tolist() == [True, False, False, False]
