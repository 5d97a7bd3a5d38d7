from dataclasses import replace

import numpy as np
import pytest

from textclf.artefacts import loading
from textclf.dataset.label_sets import MULTI, LabelSets
from textclf.evaluation.confusions import confusions
from textclf.evaluation.outcome import Outcome
from textclf.evaluation.predictions import predict
from textclf.evaluation.scoring import SeveralLabels

mlp = pytest.mark.parametrize("run_dir", ["mlp"], indirect=True)


@mlp
def test_pairs_are_the_cells_of_the_matrix_off_its_diagonal(run_dir):
    found = predict(run_dir, split="train")
    raw = np.eye(3, dtype=np.float32)[[0, 1, 1, 2, 2, 2]]
    outcome = replace(found, labels=np.array([0, 0, 0, 1, 2, -1]), raw=raw).outcome  # the last has an unknown label
    assert confusions(outcome, most=5) == [("animals", "food", 2, pytest.approx(2 / 3)), ("food", "weather", 1, 1.0)]
    assert confusions(outcome, most=1) == [("animals", "food", 2, pytest.approx(2 / 3))]


@pytest.mark.parametrize("several_run", ["mlp"], indirect=True)
def test_of_several_labels_each_missed_one_is_paired_with_each_wrong_one(several_run):
    trained = replace(loading.load(several_run / "model"), temperature=1.0, thresholds=(0.5, 0.5, 0.5))
    sets = LabelSets([(), ("animals",), ("animals", "food")], MULTI)
    raw = np.array([[1, -1, -1], [-1, 1, 1], [-1, -1, 1], [1, -1, -1]], dtype=np.float32)
    outcome = Outcome(trained, SeveralLabels.of(sets, trained.labels), np.array([0, 1, 2, 2]), raw)
    assert confusions(outcome, most=9) == [
        ("animals", "weather", 2, pytest.approx(2 / 3)),  # of three documents about animals
        ("animals", "food", 1, pytest.approx(1 / 3)),
        ("food", "weather", 1, pytest.approx(1 / 2)),
    ]
