from pathlib import Path

import numpy as np
import pytest

from textclf.errors import UsageError
from textclf.evaluation.predictions import predict
from textclf.export.exporting import ExportRequest, export
from textclf.export.finished_run import FinishedRun


@pytest.fixture
def run(run_dir):
    return FinishedRun.open(run_dir)


def test_its_predictions_are_those_of_evaluate(run, run_dir):
    found = run.predict(run.trained)
    assert list(found) == ["validation", "test"]
    for split, predictions in found.items():
        np.testing.assert_array_equal(predictions.raw, predict(run_dir, split=split).raw)


def test_a_smaller_vocabulary_reads_the_same_documents(run):
    smaller = run.pruning().keep(20)
    found = run.predict(smaller)["test"]
    assert found.trained is smaller
    np.testing.assert_array_equal(found.rows, run.data.rows("test"))


def test_every_feature_is_ranked_whatever_the_number_of_documents(run):
    assert run.pruning(most_documents=7).features == len(run.trained.weights["embedding.weight"])


def test_the_precision_is_that_of_the_run_or_of_the_export(run, run_dir, tmp_path):
    assert (run.name, run.precision) == (run_dir.name, "float32")
    request = ExportRequest(tmp_path / "out", "safetensors", "int4", max_size=None, max_drop=100, split="test")
    export(run_dir, request)
    assert FinishedRun.open(tmp_path / "out").precision == "int4"


def test_there_must_be_a_run():
    with pytest.raises(UsageError, match="no run"):
        FinishedRun.open(Path("nowhere"))
