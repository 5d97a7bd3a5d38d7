"""From logits to figures, for one label per document and for several."""

import numpy as np
import pytest
from sklearn.metrics import f1_score

from tests.dataset import tables
from textclf.dataset.directory import DataDirectory
from textclf.dataset.label_sets import MULTI, LabelSets
from textclf.evaluation import calibration, metrics, multi_label
from textclf.evaluation.metrics import macro_f1s
from textclf.evaluation.scoring import Calibrated, OneLabel, SeveralLabels, scoring_of
from textclf.models.arithmetic import sigmoid

SETS = LabelSets([(), ("a",), ("a", "b"), ("b", "new"), ("c",)], MULTI)
SHIFT = (0.5, 0.0, -1.0)


def drawn(seed, classes=3):
    """Class indices, or numbers of sets, and logits."""
    generator = np.random.default_rng(seed)
    return generator.integers(0, classes, size=80), generator.normal(scale=2, size=(80, 3)).astype(np.float32)


def test_logits_lose_what_class_weights_added_before_they_are_divided():
    raw = np.array([[1.5, 2.0, -3.0]], dtype=np.float32)
    assert Calibrated(2.0, SHIFT).logits(raw) == pytest.approx(np.array([[0.5, 1.0, -1.0]]))
    assert Calibrated(2.0).logits(raw) == pytest.approx(raw / 2)


def test_the_figures_of_a_data_directory_are_those_of_its_task(data_dir, several_data):
    assert isinstance(scoring_of(DataDirectory.open(data_dir)), OneLabel)
    data = DataDirectory.open(several_data)
    several = scoring_of(data)
    labels = data.classes()
    expected = [[name in some for name in data.manifest.labels] for some in tables.labels(data.documents)]
    np.testing.assert_array_equal(several.truth(labels), expected)


def test_labels_that_the_model_lacks_come_after_its_own():
    several = SeveralLabels.of(SETS, ["c", "b", "a"])
    expected = [[0, 0, 0, 0], [0, 0, 1, 0], [0, 1, 1, 0], [0, 1, 0, 1], [1, 0, 0, 0]]
    np.testing.assert_array_equal(several.truth(np.arange(5)), np.array(expected, dtype=bool))


@pytest.mark.parametrize("shift", [(), SHIFT])
def test_with_one_label_answers_are_those_of_the_weighted_model_and_probabilities_are_not(shift):
    labels, raw = drawn(0)
    scoring = OneLabel()
    how = scoring.calibrate(labels, raw, shift=shift)
    unshifted = raw - np.array(shift or (0, 0, 0), dtype=np.float32)
    assert how == Calibrated(calibration.fit_temperature(labels, unshifted), shift)
    found = scoring.measure(labels, raw, how)
    assert found.accuracy == (raw.argmax(axis=1) == labels).mean() == scoring.is_right(labels, raw, how).mean()
    assert found.loss == pytest.approx(metrics.cross_entropy(labels, unshifted / how.temperature), rel=1e-4)
    probabilities, right = scoring.confident(labels, raw, how)
    np.testing.assert_array_equal(right, raw.argmax(axis=1) == labels)
    assert probabilities.shape == right.shape


@pytest.mark.parametrize("shift", [(), SHIFT])
def test_with_several_labels_thresholds_are_learned_after_calibration(shift):
    several = SeveralLabels.of(SETS, ["a", "b", "c"])
    labels, raw = drawn(1, classes=5)
    how = several.calibrate(labels, raw, shift=shift)
    truth, unshifted = several.truth(labels), raw - np.array(shift or (0, 0, 0), dtype=np.float32)
    assert how.temperature == multi_label.fit_temperature(truth, unshifted)
    probabilities = sigmoid(how.logits(raw))
    assert list(how.thresholds) == multi_label.learn_thresholds(truth, probabilities)
    given = several.given(raw, how)
    found = several.measure(labels, raw, how)
    assert found.micro_f1 == pytest.approx(f1_score(truth, np.pad(given, ((0, 0), (0, 1))), average="micro"))
    assert found.accuracy == several.is_right(labels, raw, how).mean()
    sure, right = several.confident(labels, raw, how)
    assert sure == pytest.approx(probabilities.ravel())
    np.testing.assert_array_equal(right, truth[:, :3].ravel())


@pytest.mark.parametrize("scoring", [OneLabel(), SeveralLabels.of(SETS, ["a", "b", "c"])], ids=["one", "several"])
def test_the_figures_of_all_documents_are_those_of_a_resample_of_each_once(scoring):
    labels, raw = drawn(2)
    how = scoring.calibrate(labels, raw, shift=())
    found = scoring.measure(labels, raw, how)
    each_once = np.arange(len(labels))[None]
    for name, resampled in scoring.resampled(labels, raw, how).items():
        assert resampled(each_once) == pytest.approx([getattr(found, name)], abs=1e-6)


@pytest.mark.parametrize("scoring", [OneLabel(), SeveralLabels.of(SETS, ["a", "b", "c"])], ids=["one", "several"])
def test_each_label_has_its_figures(scoring):
    labels, raw = drawn(3)
    how = scoring.calibrate(labels, raw, shift=())
    rows = scoring.by_label(labels, raw, how, names=["a", "b", "c"])
    assert [row["label"] for row in rows] == ["a", "b", "c"]
    if isinstance(scoring, OneLabel):
        f1 = macro_f1s(labels, raw.argmax(axis=1))(np.arange(80)[None])
        assert np.mean([row["f1"] for row in rows]) == pytest.approx(f1[0])
    else:
        assert [row["threshold"] for row in rows] == list(how.thresholds)
