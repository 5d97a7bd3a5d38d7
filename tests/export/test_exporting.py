import json
import shutil
import sys
from dataclasses import fields, replace

import numpy as np
import pytest

from tests.conftest import invoke
from textclf.artefacts import loading, model_folder
from textclf.artefacts.artefact import Abstention
from textclf.inference.classifier import load_model

ALL = {"README.md", "config.json", "labels.json", "model.safetensors", "tokenizer.json"}


def export(runner, run_dir, output, *more):
    """Export with any loss allowed: two epochs on sixty documents are no model yet."""
    result = invoke(runner, "export", "--run", run_dir, "--output", output, "--max-drop", 100, *more)
    assert result.exit_code == 0, result.stderr
    return result


def bytes_of(folder):
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def test_an_export_shows_both_models_and_is_an_artefact(runner, run_dir, tmp_path):
    shown = export(runner, run_dir, tmp_path / "out").stdout
    for words in ("before", "after", "float32", "int8", "accuracy", "bytes of model/", "get the same answer"):
        assert words in shown
    model = tmp_path / "out" / "model"
    assert {path.name for path in model.iterdir()} == ALL
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "config.json",
        "history.jsonl",
        "metrics.json",
        "model",
    }
    assert f"{bytes_of(model):,}" in shown
    assert "int8 weights" in (model / "README.md").read_text()


@pytest.mark.parametrize("precision", ["float32", "float16", "int8", "int4"])
def test_every_command_takes_an_export(precision, runner, run_dir, tmp_path):
    export(runner, run_dir, tmp_path / "out", "--precision", precision)
    made = json.loads((tmp_path / "out" / "metrics.json").read_text())["exported"]
    assert made["after"]["precision"] == precision
    scores = json.loads(invoke(runner, "evaluate", "--run", tmp_path / "out", "--format", "json").stdout)
    assert scores["metrics"]["accuracy"] == pytest.approx(made["after"]["accuracy"])
    assert scores["metrics"]["loss"] == pytest.approx(made["after"]["loss"])
    for path in (tmp_path / "out", tmp_path / "out" / "model"):
        assert invoke(runner, "predict", "--run", path, "rain and wind").stdout.split()[0]
    assert "exported" in invoke(runner, "info", tmp_path / "out").stdout
    if precision != "int4":  # the others differ in nothing that matters below
        return
    compared = json.loads(invoke(runner, "compare", run_dir, tmp_path / "out", "--format", "json").stdout)
    assert -100 * compared["accuracy"] == pytest.approx(made["drop"], abs=1e-6)
    report = invoke(runner, "report", "--run", tmp_path / "out", "--output", tmp_path / "r.html")
    assert report.exit_code == 0, report.stderr


def with_thresholds(run_dir, tmp_path):
    """A copy of the run whose model has learned thresholds: sixty documents are too few to show a precision."""
    copy = shutil.copytree(run_dir, tmp_path / "with thresholds")
    trained = replace(loading.load(copy / "model"), abstention=Abstention({"0.9": 0.4}, unlike=0.7))
    model_folder.save(copy / "model", trained, card="")
    return copy, trained


@pytest.mark.parametrize("share", [2.0, 0.95])
def test_an_export_keeps_the_learned_thresholds(share, runner, run_dir, tmp_path):
    run, trained = with_thresholds(run_dir, tmp_path)
    export(runner, run, tmp_path / "int4", "--precision", "int4")
    export(runner, run, tmp_path / "out", "--max-size", int(share * bytes_of(tmp_path / "int4")))
    assert loading.load(tmp_path / "out" / "model").abstention == trained.abstention
    for path in (run, tmp_path / "out", tmp_path / "int4"):
        answered = invoke(runner, "predict", "--run", path, "rain and wind", "--target-precision", 0.9)
        assert answered.exit_code == 0, answered.stderr
        assert " of 1 row ha" in answered.stderr


def test_an_export_changes_nothing_of_the_model_but_its_figures(runner, run_dir, tmp_path):
    run, trained = with_thresholds(run_dir, tmp_path)
    export(runner, run, tmp_path / "out", "--precision", "float32")
    written = loading.load(tmp_path / "out" / "model")
    for name in {field.name for field in fields(trained)} - {"weights", "tokenizer", "inputs", "trained"}:
        assert getattr(written, name) == getattr(trained, name), name


def sizes(runner, run_dir, tmp_path):
    """Bytes of the folder in each precision."""
    found = {}
    for precision in ("float16", "int8", "int4"):
        export(runner, run_dir, tmp_path / precision, "--precision", precision)
        found[precision] = bytes_of(tmp_path / precision)
    return found


def test_the_most_exact_that_is_small_enough_is_chosen(runner, run_dir, tmp_path):
    found = sizes(runner, run_dir, tmp_path)
    assert found["float16"] > found["int8"] > found["int4"]
    for precision, size in found.items():
        export(runner, run_dir, tmp_path / f"most-{precision}", "--max-size", size + 1000)
        metrics = json.loads((tmp_path / f"most-{precision}" / "metrics.json").read_text())
        assert metrics["exported"]["after"]["precision"] in ("float16", precision)
        assert bytes_of(tmp_path / f"most-{precision}") <= size + 1000


@pytest.mark.parametrize("share", [0.96, 0.9])
def test_a_model_too_large_in_int4_is_pruned_and_predicts(share, runner, run_dir, tmp_path):
    export(runner, run_dir, tmp_path / "int4", "--precision", "int4")
    most = int(share * bytes_of(tmp_path / "int4"))
    output = tmp_path / "out"
    export(runner, run_dir, output, "--max-size", most)
    made = json.loads((output / "metrics.json").read_text())["exported"]
    assert bytes_of(output) <= most
    assert made["after"]["features"] < made["before"]["features"]
    scores = json.loads(invoke(runner, "evaluate", "--run", output, "--format", "json").stdout)
    assert scores["metrics"]["loss"] == pytest.approx(made["after"]["loss"])
    assert scores["metrics"]["accuracy"] == pytest.approx(made["after"]["accuracy"])
    assert len(load_model(output).predict(["rain", "", "bread and butter"])) == 3


@pytest.mark.parametrize("size", ["16kB", "40kB"])
def test_a_model_that_knows_no_word_is_pruned_and_predicts(size, wordless_run, runner, tmp_path):
    options = ["--max-size", size, "--max-drop", 100, "--split", "validation"]
    done = invoke(runner, "export", "--run", wordless_run, "--output", tmp_path / "small", *options)
    assert done.exit_code == 0
    assert invoke(runner, "predict", "--run", tmp_path / "small", "kqkq1zz2").stdout.strip() in {"a", "b"}
    assert loading.load(tmp_path / "small" / "model").inputs.views == 2


def test_the_figures_are_those_of_the_texts_themselves(runner, run_dir, corpus_csv, tmp_path):
    """The pruned model's answers from the data directory, whose ids are of the whole vocabulary, and from texts."""
    from textclf.evaluation.predictions import predict, unknown_shares

    export(runner, run_dir, tmp_path / "int4", "--precision", "int4")
    output = tmp_path / "out"
    export(runner, run_dir, output, "--max-size", int(0.92 * bytes_of(tmp_path / "int4")))
    found = predict(output, split="test")
    texts = [found.text(place, most=1000) for place in range(len(found.rows))]
    classifier = load_model(output)
    np.testing.assert_allclose(classifier.logits(texts), found.trained.calibrated(found.raw), atol=1e-5)
    shares = unknown_shares(found.data, found.rows, found.trained.tokenizer)
    np.testing.assert_allclose(shares, [prediction.unknown for prediction in classifier.predict(texts)])


def test_an_export_is_the_same_twice(runner, run_dir, tmp_path):
    for name in ("one", "two"):
        export(runner, run_dir, tmp_path / name, "--precision", "int4")
    for path in (tmp_path / "one").rglob("*"):
        if path.is_file():
            assert path.read_bytes() == (tmp_path / "two" / path.relative_to(tmp_path / "one")).read_bytes()


def refused(runner, code, *arguments):
    """The line that says why; nothing may be left behind."""
    result = invoke(runner, "export", *arguments)
    assert result.exit_code == code, result.stderr
    assert result.stdout == ""
    assert result.stderr.count("\n") == 1
    return result.stderr


def test_a_model_that_loses_too_much_is_refused_and_nothing_is_left(runner, run_dir, tmp_path, monkeypatch):
    folder = tmp_path / "here"
    folder.mkdir()
    spoil(monkeypatch)
    line = refused(runner, 1, "--run", run_dir, "--output", folder / "out", "--max-drop", 0.5)
    assert "not exported: accuracy on test falls from" in line
    assert "bytes (int8" in line
    assert list(folder.iterdir()) == []


def spoil(monkeypatch):
    """Let quantising forget the embeddings, so that the written model is bad."""
    from textclf.artefacts import weight_files

    whole = weight_files.quantise

    def forgetful(weights, precision):
        return whole({name: 0 * array for name, array in weights.items()}, precision)

    monkeypatch.setattr(weight_files, "quantise", forgetful)


def test_a_size_that_nothing_fits_into_is_refused(runner, run_dir, tmp_path):
    (tmp_path / "here").mkdir()
    line = refused(runner, 1, "--run", run_dir, "--output", tmp_path / "here" / "out", "--max-size", 100)
    assert "fits into 100 bytes, the smallest has" in line
    assert list((tmp_path / "here").iterdir()) == []


def test_files_of_a_killed_export_are_not_part_of_the_next_one(runner, run_dir, tmp_path):
    left = tmp_path / ".out.1.tmp" / "model"
    left.mkdir(parents=True)
    (left / "model.onnx").write_bytes(b"half a graph")
    export(runner, run_dir, tmp_path / "out")
    assert {path.name for path in (tmp_path / "out" / "model").iterdir()} == ALL


def test_an_existing_output_is_not_overwritten(runner, run_dir, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("dear")
    for path in (tmp_path / "mine", tmp_path / "mine" / "letter.txt"):
        assert "exists; remove it" in refused(runner, 2, "--run", run_dir, "--output", path)
    assert (tmp_path / "mine" / "letter.txt").read_text() == "dear"


@pytest.mark.parametrize("size", ["0", "-1", "2XB", "MB", " ", "nan", "1e9", "٣MB"])
def test_an_invalid_size_is_bad_usage(size, runner, run_dir):
    line = refused(runner, 2, "--run", run_dir, "--output", "out", "--max-size", size)
    assert "is not a size such as 500kB, 2MB or 1.5MiB" in line


@pytest.mark.parametrize(
    ("text", "size"), [("2MB", 2_000_000), ("1.5 MiB", 1_572_864), ("500kb", 500_000), ("77", 77), ("3B", 3)]
)
def test_sizes(text, size):
    from textclf.cli.export import Size

    assert Size().convert(text, None, None) == size


def test_there_must_be_a_run(runner):
    assert "no run" in refused(runner, 2, "--run", "nowhere", "--output", "out")


def test_without_the_extra_onnx_is_bad_usage(runner, run_dir, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    line = refused(runner, 2, "--run", run_dir, "--output", "out", "--format", "onnx")
    assert line == "textclf: ONNX needs onnx, which is not installed: pip install onnx\n"


def test_a_run_whose_data_is_gone_is_refused(runner, run_dir, tmp_path):
    copy = shutil.copytree(run_dir, tmp_path / "copy")
    config = json.loads((copy / "config.json").read_text())
    config["data"]["path"] = str(tmp_path / "gone")
    (copy / "config.json").write_text(json.dumps(config))
    assert "no data directory" in refused(runner, 2, "--run", copy, "--output", "out")


@pytest.mark.parametrize("share", [2.0, 0.95])
def test_an_onnx_export_is_run_from_texts(share, runner, run_dir, tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnx")
    from textclf.export.onnx import Feeder

    export(runner, run_dir, tmp_path / "whole", "--format", "onnx", "--precision", "int4")
    size, output = int(share * bytes_of(tmp_path / "whole")), tmp_path / "out"
    export(runner, run_dir, output, "--format", "onnx", "--precision", "int4", "--max-size", size)
    export(runner, run_dir, tmp_path / "ours", "--precision", "int4")
    assert bytes_of(output) <= size
    model = output / "model"
    assert {path.name for path in model.iterdir()} == {
        "README.md",
        "inputs.json",
        "inputs.safetensors",
        "labels.json",
        "model.onnx",
        "thresholds.json",
        "tokenizer.json",
    }
    thresholds = json.loads((model / "thresholds.json").read_text())
    assert Abstention(**thresholds) == loading.load(run_dir / "model").abstention
    texts = ["rain and wind", "", "the cat sat on the mat"]
    session = onnxruntime.InferenceSession(model / "model.onnx", providers=["CPUExecutionProvider"])
    logits, probabilities = session.run(None, Feeder(model)(texts))
    assert probabilities.sum(axis=1) == pytest.approx(1)
    if share > 1:
        np.testing.assert_allclose(logits, load_model(tmp_path / "ours").logits(texts), atol=1e-4)
    line = invoke(runner, "predict", "--run", output, "rain")
    assert line.exit_code == 2
    assert "is for ONNX Runtime" in line.stderr
