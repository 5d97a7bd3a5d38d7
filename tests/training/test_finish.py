import shutil

import numpy as np
import pytest
import torch

from tests.conftest import assemble, small_config
from tests.training.helpers import Kept, Shown, Stopped, history, read, resume, same, train, weights, without_seconds
from textclf.artefacts import loading
from textclf.cli import main
from textclf.config import PreprocessConfig, TrainConfig
from textclf.dataset.build import preprocess
from textclf.dataset.directory import DataDirectory
from textclf.errors import ArtefactError
from textclf.evaluation.calibration import HIGHEST, LOWEST, fit_temperature
from textclf.evaluation.metrics import measure
from textclf.training import checkpoint, loop
from textclf.training.loop import StepOptions
from textclf.training.objective import Softmax


def test_metrics_say_what_was_trained_on_what_and_how_well(finished, data_dir):
    metrics = read(finished.metrics)
    data = DataDirectory.open(data_dir)
    settings = read(finished.config)["settings"]
    assert metrics["corpus"] == data.manifest.name
    assert {name: metrics[name] for name in ("tier", "model", "seed")} == {
        name: settings[name] for name in ("tier", "model", "seed")
    }
    trained = {name: array.size for name, array in weights(finished).items() if not name.startswith("inputs.")}
    assert metrics["parameters"] == sum(trained.values())
    assert metrics["train"]["documents"] == data.manifest.tiers["full"]
    assert metrics["test"]["documents"] == data.manifest.splits["test"]
    for split in ("validation", "test"):
        assert {"accuracy", "macro_f1", "loss"} <= set(metrics[split])
        assert 0 <= metrics[split]["accuracy"] <= 1
    assert metrics["epochs"] == 2
    assert metrics["best_epoch"] in (1, 2)
    seconds = metrics["seconds"]
    assert set(seconds) == {"load", "train", "total"}
    assert 0 < seconds["load"] + seconds["train"] <= seconds["total"]


def test_metrics_are_those_of_the_best_epoch(finished):
    metrics, epochs = read(finished.metrics), history(finished)
    *_, best = (epoch for epoch in epochs if epoch["is_best"])
    assert metrics["best_epoch"] == best["number"]
    assert metrics["train"] == best["train"]
    assert metrics["validation"]["accuracy"] == pytest.approx(best["validation"]["accuracy"], abs=1e-6)
    assert metrics["validation"]["loss"] < best["validation"]["loss"]  # of calibrated logits


def test_the_temperature_is_fitted_to_the_validation_documents_of_the_best_epoch(finished, data_dir):
    metrics = read(finished.metrics)
    assert LOWEST <= metrics["temperature"] <= HIGHEST
    if "companion" in metrics:
        return  # that of the sum: see test_what_was_calibrated_is_what_is_shipped
    settings = TrainConfig.from_json(read(finished.config)["settings"])
    session = assemble(settings, DataDirectory.open(data_dir))
    best = session.learner.average.module
    checkpoint.load_best(finished.best, best)
    cpu = StepOptions(torch.device("cpu"), Softmax())
    logits, labels = loop.predict(best, session.batches["validation"], options=cpu)
    assert metrics["temperature"] == pytest.approx(fit_temperature(labels, logits), rel=1e-4)
    expected = measure(labels, logits / np.float32(metrics["temperature"]))._asdict()
    assert metrics["validation"] == pytest.approx(expected, abs=1e-6)


def test_the_test_figures_are_those_of_the_artefact_and_its_temperature(finished, data_dir):
    trained, data = loading.load(finished.model), DataDirectory.open(data_dir)
    metrics, rows = read(finished.metrics), data.rows("test")
    assert trained.temperature == metrics["temperature"]
    logits = trained.raw_logits(*data.packed().gather(rows))
    expected = measure(data.classes()[rows], logits / np.float32(trained.temperature))._asdict()
    assert metrics["test"] == pytest.approx(expected, abs=1e-5)


def test_some_unknown_labels_count_as_errors(corpus_csv, tmp_path):
    test = tmp_path / "test.csv"
    test.write_text("text,label\nthe cat,?\nrain and wind,weather\n")
    made, _ = preprocess(PreprocessConfig(source=str(corpus_csv), num_workers=1, test=test))
    metrics = read(train(small_config("mlp", made, tmp_path / "runs", epochs=20, lr=0.05)).metrics)
    assert metrics["test"]["accuracy"] == 0.5


def test_what_predicts_is_the_mean_of_the_weights(settings, model, without_companion):
    display = Kept()
    layout = train(settings(model, epochs=1), display=display)
    average, last = display.copy.average.module.state_dict(), display.copy.model.state_dict()
    best = torch.load(layout.best, weights_only=True)["model"]
    for name, weight in average.items():
        assert torch.equal(best[name], weight)
        assert np.array_equal(weights(layout)[name], weight.numpy())
        assert not torch.equal(last[name], weight)


# Without the test split


@pytest.mark.parametrize("refit", [False, True])
def test_a_run_that_is_not_tested_never_reads_the_test_split(refit, settings, data_dir, tmp_path):
    copied = shutil.copytree(data_dir, tmp_path / "copied")
    data = DataDirectory.open(copied)
    for name in data.documents.names.of(data.rows("test").tolist()):
        data.layout.tensor(name).unlink()
    given = {"data": copied, "store": "files", "num_workers": 0, "epochs": 2, "refit": refit}
    with pytest.raises(ArtefactError, match="test-"):
        train(settings(**given))
    untested = train(settings(**given, test=False))
    metrics, tested = read(untested.metrics), read(train(settings(epochs=2, refit=refit)).metrics)
    assert "test" not in metrics
    for each in (metrics, tested):  # figures of labels are on test, if there is one
        each.pop("test", None)
        del each["labels"]
    assert without_seconds(metrics) == without_seconds(tested)


def test_test_documents_need_no_known_label_if_they_are_not_used(corpus_csv, tmp_path):
    hidden = tmp_path / "hidden.csv"
    hidden.write_text("text,label\nthe cat,?\nrain and wind,?\n")
    made, _ = preprocess(PreprocessConfig(source=str(corpus_csv), num_workers=1, test=hidden))
    metrics = read(train(small_config("mlp", made, tmp_path / "runs", epochs=1, test=False)).metrics)
    assert "test" not in metrics


def test_an_untested_run_is_shown_predicts_and_resumes_without_a_test(settings, runner):
    display = Shown(stop_after_epoch=1)
    with pytest.raises(Stopped):
        train(settings(epochs=2, test=False), display=display)
    run = resume(display.run)
    assert "test" not in read(run.metrics)
    assert "test" not in loading.load(run.model).trained
    card = (run.model / "README.md").read_text(encoding="utf-8")
    assert "| validation | " in card
    assert "| test | " not in card
    for command in (["info", str(run.root)], ["predict", "--run", str(run.root), "rain"], ["verify", str(run.root)]):
        assert runner.invoke(main, command).exit_code == 0


def test_the_weights_do_not_depend_on_whether_they_are_tested(settings, model):
    assert same(train(settings(model, epochs=2)), train(settings(model, epochs=2, test=False)))
