import csv
import json
import shutil

import pytest
from sklearn.metrics import f1_score

from tests.conftest import invoke, small_config
from textclf import training
from textclf.artefacts import runs
from textclf.config import PreprocessConfig
from textclf.dataset.build import preprocess
from textclf.errors import ArtefactError, DataError, UsageError
from textclf.evaluation import report
from textclf.evaluation.calibration import fit_temperature
from textclf.evaluation.evaluate import evaluate
from textclf.evaluation.predictions import predict
from textclf.experiments.compare import compare
from textclf.export.exporting import ExportRequest, export
from textclf.inference.classifier import load_model
from textclf.models.bag_mlp import linear, network
from textclf.models.model import LINEAR


@pytest.fixture
def own(corpus_csv, tmp_path):
    """A run and its data, which the test may change."""
    config = PreprocessConfig(source=str(corpus_csv), num_workers=1, overwrite=True)
    data, _ = preprocess(config)
    return training.train(small_config("mlp", data, tmp_path / "runs", epochs=1)), config


@pytest.mark.parametrize("split", ["validation", "test"])
def test_the_figures_are_those_of_the_finished_run(split, run_dir):
    evaluation = evaluate(run_dir, split=split)
    figures = json.loads(runs.RunLayout(run_dir).metrics.read_text())
    assert evaluation.seen == bool(figures["refit"] and split == "validation")
    if not evaluation.seen:  # after the refit, validation is not what it was measured as
        assert evaluation.metrics._asdict() == pytest.approx(figures[split], abs=1e-5)
    assert (evaluation.run, evaluation.corpus, evaluation.split) == (run_dir.name, "tiny_corpus", split)


def test_training_documents_can_be_scored_too(run_dir):
    evaluation = evaluate(run_dir, split="train")
    assert evaluation.metrics.documents == 48
    assert [row["label"] for row in evaluation.classes] == ["animals", "food", "weather"]
    assert [row["documents"] for row in evaluation.classes] == [16, 16, 16]


def test_the_figures_of_the_classes_fit_those_of_all(run_dir):
    evaluation = evaluate(run_dir, split="test")
    right = sum(row["recall"] * row["documents"] for row in evaluation.classes)
    assert right / evaluation.metrics.documents == pytest.approx(evaluation.metrics.accuracy)
    assert sum(row["f1"] for row in evaluation.classes) / 3 == pytest.approx(evaluation.metrics.macro_f1)


def test_every_command_has_the_macro_f1_of_scikit_learn_for_labels_that_training_lacks(corpus_csv, tmp_path, runner):
    test = tmp_path / "test.csv"
    texts = ["the cat sat", "bread", "rain", "a dog", "snow", "soup", "hail"]
    labels = ["animals", "food", "weather", "pets", "pets", "meals", "storms"]
    test.write_text("\n".join(["text,label", *map(",".join, zip(texts, labels, strict=True))]))
    data, _ = preprocess(PreprocessConfig(source=str(corpus_csv), num_workers=1, test=test))
    finished = training.train(small_config("mlp", data, tmp_path / "runs", epochs=2))
    answers = [prediction.label for prediction in load_model(finished.root).predict(texts)]
    expected = pytest.approx(f1_score(labels, answers, average="macro", zero_division=0))
    evaluation = evaluate(finished.root, split="test")
    assert json.loads(finished.metrics.read_text())["test"]["macro_f1"] == evaluation.metrics.macro_f1 == expected
    assert evaluation.unseen == {"meals": 1, "pets": 2, "storms": 1}
    assert compare(finished.root, finished.root, split="test").metrics[0].macro_f1 == expected
    request = ExportRequest(tmp_path / "small", "safetensors", "float32", None, 100, "test")
    exported = export(finished.root, request)
    assert (exported.before.macro_f1, exported.after.macro_f1) == (expected, expected)
    said = invoke(runner, "predict", "--run", finished.root, "--input", test).stderr
    assert f"macro-F1 {expected.expected:.4f} on 7 rows" in said
    assert "pets" in invoke(runner, "evaluate", "--run", finished.root).stdout
    page = write_report(finished.root, tmp_path / "report.html")
    assert '<bdi>pets</bdi> <span class="tag">not in training</span>' in page


TEST = [
    ("the cat sat", "animals"),
    ("bread", "food"),
    ("rain", "weather"),
    ("a dog", "pets"),
    ("snow", "animals"),
    ("soup", "meals"),
    ("hail and wind, said the dog", "weather"),
]


def test_a_file_is_scored_as_the_split_with_the_same_documents(corpus_csv, tmp_path, runner):
    test = tmp_path / "test.csv"
    with test.open("w", newline="") as file:
        csv.writer(file).writerows([("text", "label"), *TEST])
    data, _ = preprocess(PreprocessConfig(source=str(corpus_csv), num_workers=1, test=test))
    finished = training.train(small_config("mlp", data, tmp_path / "runs", epochs=2))
    of_split = json.loads(invoke(runner, "evaluate", "--run", finished.root, "--format", "json").stdout)
    copied = shutil.copytree(finished.model, tmp_path / "copied")
    shutil.rmtree(data)

    result = invoke(runner, "evaluate", "--run", copied, "--input", test, "--format", "json")
    assert result.exit_code == 0, result.stderr
    assert "2 of 7 rows have a label that the model does not have" in result.stderr
    of_file = json.loads(result.stdout)
    about = {"run": "copied", "corpus": "tiny_corpus", "split": None, "files": [str(test)]}
    assert {name: of_file.pop(name) for name in about} == about
    assert of_file.pop("baseline")["label"] == "animals"  # the most frequent in the file
    assert of_file == {name: approximately(of_split[name]) for name in of_file}
    assert of_file["unseen"] == {"meals": 1, "pets": 1}


def approximately(value):
    """A value of JSON, with its numbers up to rounding."""
    if isinstance(value, dict):
        return {name: approximately(each) for name, each in value.items()}
    if isinstance(value, list):
        return [approximately(each) for each in value]
    return pytest.approx(value, abs=1e-6) if isinstance(value, float) else value


def test_a_split_without_any_label_of_training_is_named(corpus_csv, tmp_path):
    test = tmp_path / "test.csv"
    test.write_text("text,label\nthe cat sat,pets\n")
    data, _ = preprocess(PreprocessConfig(source=str(corpus_csv), num_workers=1, test=test))
    finished = training.train(small_config("mlp", data, tmp_path / "runs", epochs=1, test=False))
    with pytest.raises(DataError, match="tiny_corpus: no test document has a label that a training document has"):
        evaluate(finished.root, split="test")


def write_report(run, path):
    report.write(run, path, split="test")
    return path.read_text()


def test_the_figure_lies_in_its_interval_and_above_the_baseline(run_dir):
    evaluation = evaluate(run_dir, split="test")
    for name, (low, high) in evaluation.intervals.items():
        assert low <= getattr(evaluation.metrics, name) <= high
    assert evaluation.baseline.label in {row["label"] for row in evaluation.classes}
    assert evaluation.baseline.accuracy == pytest.approx(1 / 3)
    assert evaluation.baseline.macro_f1 == pytest.approx(1 / 6)


def test_the_confusion_matrix_counts_every_document(run_dir):
    evaluation = evaluate(run_dir, split="test")
    assert [sum(row) for row in evaluation.confusion] == [row["documents"] for row in evaluation.classes]
    right = sum(row[place] for place, row in enumerate(evaluation.confusion))
    assert right / evaluation.metrics.documents == pytest.approx(evaluation.metrics.accuracy)


def test_calibration_lowers_the_loss_on_the_documents_it_was_fitted_on(data_dir, tmp_path):
    finished = training.train(small_config("mlp", data_dir, tmp_path / "runs", epochs=3, refit=False))
    calibration = evaluate(finished.root, split="validation").calibration
    assert calibration.temperature == json.loads(finished.metrics.read_text())["temperature"]


def test_what_was_calibrated_is_what_is_shipped(data_dir, tmp_path):
    """The network and its linear classifier, as they are in the artefact, have the temperature that fits best."""
    finished = training.train(small_config("mlp", data_dir, tmp_path / "runs", epochs=3, refit=False))
    found = predict(finished.root, split="validation")
    raw = found.trained.raw_logits(*found.data.store("packed").gather(found.rows))
    assert LINEAR in found.trained.weights
    assert found.trained.temperature == pytest.approx(fit_temperature(found.labels, raw), rel=1e-3)


def test_a_run_its_model_and_latest_score_alike(run_dir):
    expected = evaluate(run_dir, split="test")
    assert evaluate(run_dir / "model", split="test") == expected
    assert evaluate(run_dir.parent / "latest", split="test") == expected


def test_a_better_model_scores_better(data_dir, tmp_path, monkeypatch):
    monkeypatch.setattr(network, "HEAD_START", 0.0)  # it is enough to learn this corpus
    monkeypatch.setattr(linear, "HIDDEN_PER_CLASS", 1_000)  # and so is a linear classifier
    worse, better = (
        evaluate(
            training.train(small_config("mlp", data_dir, tmp_path, epochs=epochs, lr=lr)).root, split="test"
        ).metrics
        for epochs, lr in ((1, 1e-4), (20, 0.05))
    )
    assert better.loss < worse.loss - 0.2


def test_a_split_that_is_not_there_is_named(run_dir):
    with pytest.raises(UsageError, match="tiny_corpus has no holdout split"):
        evaluate(run_dir, split="holdout")


def test_data_that_was_rebuilt_is_refused(own):
    layout, config = own
    before = evaluate(layout.root, split="test")
    preprocess(config)  # the same again
    assert evaluate(layout.root, split="test") == before
    preprocess(PreprocessConfig(source=config.source, num_workers=1, overwrite=True, seed=1))
    with pytest.raises(UsageError, match=r"tiny_corpus has been rebuilt since .* train a new model: textclf train"):
        evaluate(layout.root, split="test")


def test_data_that_is_gone_is_named(own, tmp_path):
    layout, _ = own
    shutil.rmtree(tmp_path / "data")
    with pytest.raises(UsageError, match=r"no data directory .*tiny_corpus"):
        evaluate(layout.root, split="test")


def test_no_run_is_the_user_s_mistake(tmp_path):
    with pytest.raises(UsageError, match="no finished run"):
        evaluate(tmp_path / "latest", split="test")


def test_an_unfinished_run_is_named(own):
    layout, _ = own
    shutil.rmtree(layout.model)
    with pytest.raises(UsageError, match="no model in"):
        evaluate(layout.root, split="test")


@pytest.mark.parametrize("content", ["{}", '{"data": null}', '{"data": {}}', "[]", "{"])
def test_a_damaged_config_names_the_file(content, own):
    layout, _ = own
    layout.config.write_text(content)
    with pytest.raises(ArtefactError) as caught:
        evaluate(layout.root, split="test")
    assert str(layout.config) in str(caught.value)
