"""What preprocess and train return: a path that knows its figures."""

import os
import shutil
from pathlib import Path

import pandas as pd
import pytest

import textclf
from textclf.artefacts import runs
from textclf.errors import UsageError
from textclf.inference.classifier import load_model


def test_data_is_a_path_that_knows_its_sizes(data_dir):
    data = textclf.Data(data_dir)
    assert (os.fspath(data), str(data), data.name) == (str(data_dir), str(data_dir), "tiny_corpus")
    assert (data / "manifest.json").is_file()
    assert data == textclf.Data(data_dir) == data_dir
    assert {data, data_dir} == {data_dir}
    assert data != textclf.Data(data_dir.parent)
    assert repr(data) == f"Data({str(data_dir)!r}, train=48, validation=6, test=6, labels=3)"
    assert data.report.splits["train"].documents == 48
    assert data.problems == ["2 documents are nearly the same as one in an earlier split"]


def test_data_that_is_gone_still_has_a_repr():
    assert repr(textclf.Data(Path("gone"))) == "Data('gone')"


def test_data_in_a_notebook_is_a_table_in_which_labels_are_no_markup():
    pairs = [(f"{word} {number}", label) for label, word in (("<b>", "cat"), ("\x1b&", "soup")) for number in range(30)]
    shown = textclf.preprocess(pairs, name="odd")._repr_html_()
    assert "<td>&lt;b&gt;</td><td>24</td><td>3</td><td>3</td>" in shown
    assert "<td>\\x1b&amp;</td>" in shown
    assert "\x1b" not in shown


def test_a_run_is_a_path_that_knows_its_figures(run_dir):
    run = textclf.Run(run_dir)
    assert (os.fspath(run), str(run), run.name) == (str(run_dir), str(run_dir), run_dir.name)
    assert run == textclf.Run(run_dir / "model") == run_dir
    assert {run, run_dir} == {run_dir}
    metrics = runs.read_json(run / "metrics.json")
    assert run.metrics == metrics
    assert run.config["hidden_size"] == 8
    assert f"test_accuracy={metrics['test']['accuracy']:.4f}" in repr(run)
    assert repr(run).startswith(f"Run({str(run_dir)!r}, ")
    assert "\n" not in repr(run)
    assert f"<td>{metrics['validation']['macro_f1']:.4f}</td>" in run._repr_html_()


def test_the_history_is_a_table_of_epochs(run_dir):
    history = textclf.Run(run_dir).history
    table = pd.DataFrame(history)
    assert table["epoch"].tolist() == [1, 2]
    assert table["validation_loss"].tolist() == [each["validation"]["loss"] for each in _lines(run_dir)]
    assert not any(isinstance(value, dict | list) for epoch in history for value in epoch.values())


def _lines(run_dir):
    return runs.read_lines(runs.RunLayout(run_dir).history)


def test_a_run_loads_evaluates_and_reports(run_dir, tmp_path):
    run = textclf.Run(run_dir)
    assert run.load().predict("rain") == load_model(run_dir).predict("rain")
    found = run.evaluate()
    assert found.metrics.accuracy == run.metrics["test"]["accuracy"]
    assert repr(found) == (
        f"Evaluation({run.name!r}, 'test', accuracy={found.metrics.accuracy:.4f}, "
        f"macro_f1={found.metrics.macro_f1:.4f}, documents=6)"
    )
    assert run.evaluate("validation").split == "validation"
    output = run.report(tmp_path / "report.html", split="validation")
    assert output.read_text(encoding="utf-8").startswith("<!doctype html>")


def test_wrong_arguments_of_a_run_are_named(run_dir):
    run = textclf.Run(run_dir)
    with pytest.raises(UsageError, match="split: 'train' is not one of test, validation"):
        run.evaluate("train")
    with pytest.raises(UsageError, match="split: 5 is not one of"):
        run.report(split=5)
    Path("folder").mkdir()
    with pytest.raises(UsageError, match="output: folder is not a file"):
        run.report("folder")
    with pytest.raises(UsageError, match="no run nowhere"):
        textclf.Run("nowhere")
    with pytest.raises(UsageError, match="no finished run in runs; train one"):
        textclf.Run()


def test_a_run_that_is_not_finished_says_so(run_dir):
    shutil.copytree(run_dir, "stopped")
    Path("stopped/metrics.json").unlink()
    run = textclf.Run("stopped")
    assert not run.is_finished
    assert repr(run) == "Run('stopped', not finished)"
    with pytest.raises(UsageError, match="finish it: textclf train --resume stopped"):
        _ = run.metrics
