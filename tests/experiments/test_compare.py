import shutil
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import binom
from sklearn.metrics import f1_score

from tests.conftest import small_config
from textclf import training
from textclf.config import PreprocessConfig
from textclf.dataset.build import preprocess
from textclf.errors import UsageError
from textclf.evaluation.predictions import predict
from textclf.experiments.compare import Side, compare, compare_sides


def test_a_run_does_not_differ_from_itself(run_dir):
    comparison = compare(run_dir, run_dir, split="test")
    assert (comparison.accuracy, comparison.macro_f1, comparison.p_value) == (0, 0, 1)
    assert comparison.only == (0, 0)
    assert comparison.accuracy_interval == (0, 0)
    assert comparison.differences == []


@pytest.fixture
def pair(run_dir):
    """Predictions for 48 documents: all right, and with 8 of them wrong."""
    a = predict(run_dir, split="train")
    right = np.full(a.raw.shape, -1.0, dtype=np.float32)
    right[np.arange(48), a.labels] = 2
    wrong = right.copy()
    wrong[:8] = np.roll(right[:8], 1, axis=1)
    wrong[3] *= 5
    uncalibrated = replace(a.trained, temperature=1.0)
    return replace(a, raw=right, trained=uncalibrated), replace(a, raw=wrong, trained=uncalibrated)


def test_the_difference_is_paired_by_document(pair):
    comparison = compare_sides(*map(Side.of_split, pair), where="")
    assert comparison.accuracy == pytest.approx(-8 / 48)
    assert comparison.only == (8, 0)
    assert comparison.p_value == pytest.approx(2 * binom.cdf(0, 8, 0.5))
    low, high = comparison.accuracy_interval
    assert low < -8 / 48 < high < 0
    swapped = compare_sides(*map(Side.of_split, reversed(pair)), where="")
    assert (swapped.accuracy, swapped.only) == (-comparison.accuracy, (0, 8))


def test_the_documents_with_the_largest_differences_are_listed(pair):
    listed = compare_sides(*map(Side.of_split, pair), where="").differences
    assert len(listed) == 8
    assert listed[0].document == pair[0].document(3)
    gaps = [abs(each.probabilities[0] - each.probabilities[1]) for each in listed]
    assert gaps == sorted(gaps, reverse=True)
    assert all(each.answers[0] == each.label != each.answers[1] for each in listed)


def test_runs_of_different_data_are_refused(run_dir, corpus_csv, tmp_path):
    other = tmp_path / "other.csv"
    shutil.copy(corpus_csv, other)
    data, _ = preprocess(PreprocessConfig(source=str(other), seed=1, num_workers=1))
    second = training.train(small_config("mlp", data, tmp_path / "runs", epochs=1))
    with pytest.raises(
        UsageError, match=r"have different data, .*; compare them on a labelled file: textclf compare RUN_A"
    ):
        compare(run_dir, second.root, split="test")


@pytest.mark.parametrize("several_run", ["mlp"], indirect=True)
def test_models_of_several_labels_are_compared_by_micro_f1(several_run):
    a = predict(several_run, split="train")
    truth = a.outcome.truth
    right = np.where(truth, 9.0, -9.0).astype(np.float32)
    wrong = right.copy()
    wrong[:10] *= -1
    plain = replace(a.trained, temperature=1.0, thresholds=(0.5,) * 3)
    sides = [Side.of_split(replace(a, raw=raw, trained=plain)) for raw in (right, wrong)]
    comparison = compare_sides(*sides, where="")
    answers = truth.copy()
    answers[:10] = ~truth[:10]
    assert comparison.micro_f1 == pytest.approx(f1_score(truth, answers, average="micro") - 1)
    low, high = comparison.micro_f1_interval
    assert low < comparison.micro_f1 < high < 0
    assert comparison.only == (10, 0)
