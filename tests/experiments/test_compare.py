import shutil
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import binom

from tests.conftest import small_config
from textclf import training
from textclf.config import PreprocessConfig
from textclf.dataset.build import preprocess
from textclf.errors import UsageError
from textclf.evaluation.predictions import predict
from textclf.experiments import compare as comparing
from textclf.experiments.compare import compare


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
    comparison = comparing._compare(*pair)
    assert comparison.accuracy == pytest.approx(-8 / 48)
    assert comparison.only == (8, 0)
    assert comparison.p_value == pytest.approx(2 * binom.cdf(0, 8, 0.5))
    low, high = comparison.accuracy_interval
    assert low < -8 / 48 < high < 0
    swapped = comparing._compare(*reversed(pair))
    assert (swapped.accuracy, swapped.only) == (-comparison.accuracy, (0, 8))


def test_the_documents_with_the_largest_differences_are_listed(pair):
    listed = comparing._compare(*pair).differences
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
    with pytest.raises(UsageError, match=r"have different data, .*; train both on one: textclf train --data NAME"):
        compare(run_dir, second.root, split="test")
