import json
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import time
from copy import deepcopy
from functools import partial
from math import inf
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

import textclf
from tests.conftest import small_config
from textclf.artefacts import artefact, runs
from textclf.config import REFIT_EPOCHS, PreprocessConfig, TrainConfig
from textclf.dataset.build import preprocess
from textclf.dataset.directory import DataDirectory
from textclf.errors import ArtefactError, DataError, DivergedError, InterruptedRunError, TerminatedRunError, UsageError
from textclf.evaluation import plots
from textclf.evaluation.calibration import HIGHEST, LOWEST, fit_temperature
from textclf.evaluation.metrics import measure
from textclf.models import summary
from textclf.models.bag_mlp import network
from textclf.training import checkpoint, run
from textclf.training.loop import StepOptions
from textclf.training.objective import Softmax
from textclf.training.run import Display
from textclf.training.session import assemble

ONLY_IN_A_FINISHED_RUN = {
    "checksums.json",
    "metrics.json",
    "model/README.md",
    "model/config.json",
    "model/labels.json",
    "model/model.safetensors",
    "model/tokenizer.json",
}


@pytest.fixture(params=["mlp", "lstm"])
def model(request):
    return request.param


@pytest.fixture
def settings(data_dir, tmp_path, monkeypatch):
    """Makes the settings of a small run, which saves after every step and draws no pictures for TensorBoard.

    With all of its head start, the mlp would know this corpus before the first epoch.
    """
    monkeypatch.setattr(network, "HEAD_START", 0.25)
    for name in ("confusion", "reliability"):
        monkeypatch.setattr(plots, name, lambda *_, **__: None)
    monkeypatch.setattr(plots, "pixels", lambda _: np.zeros((1, 1, 3), dtype=np.uint8))

    def make(model="mlp", data=data_dir, *, refit=False, **given):
        return small_config(model, data, tmp_path / "runs", refit=refit, **given)

    return make


train, resume = (partial(function, pace=checkpoint.Pace(0.0, inf)) for function in (run.train, run.resume))
HEAD_START = network.HEAD_START


@pytest.fixture
def as_in_another_process(settings, monkeypatch):
    """What `settings` changed here is not changed there."""
    monkeypatch.setattr(network, "HEAD_START", HEAD_START)


@pytest.fixture
def finished(run_dir):
    return runs.RunLayout(run_dir)


def weights(layout):
    return load_file(layout.model / "model.safetensors")


def same(one, other):
    """Whether two runs ended with the same bits."""
    ours, theirs = weights(one), weights(other)
    return ours.keys() == theirs.keys() and all(np.array_equal(ours[name], theirs[name]) for name in ours)


def read(path):
    return json.loads(path.read_text(encoding="utf-8"))


def without_seconds(value):
    """The record without what a clock measured."""
    if not isinstance(value, dict):
        return value
    return {name: without_seconds(inner) for name, inner in value.items() if name not in {"seconds", "profile"}}


def history(layout):
    return [json.loads(line) for line in layout.history.read_text(encoding="utf-8").splitlines()]


def files(folder):
    names = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    return {"events" if name.startswith("events.out.tfevents.") else name for name in names}


def only_run(folder):
    """The one run in a folder of runs."""
    (root,) = (path for path in folder.iterdir() if path.is_dir())
    return runs.RunLayout(root)


def test_a_finished_run_has_exactly_these_files(finished):
    others = {"config.json", "history.jsonl", "checkpoints/best.pt", "events"}
    words = f"{read(finished.metrics)['best_epoch']:05}/words"
    projector = {"projector_config.pbtxt", f"{words}/metadata.tsv", f"{words}/tensors.tsv"}
    assert files(finished.root) == ONLY_IN_A_FINISHED_RUN | others | projector
    assert {path.name for path in finished.root.parent.iterdir()} == {finished.root.name, "latest"}


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
    settings = TrainConfig.from_json(read(finished.config)["settings"])
    session = assemble(settings, DataDirectory.open(data_dir))
    best = session.learner.average.module
    checkpoint.load_best(finished.best, best)
    logits, labels = (
        part.numpy()
        for part in run.loop.predict(
            best, session.batches["validation"], options=StepOptions(session.device, Softmax())
        )
    )
    assert metrics["temperature"] == pytest.approx(fit_temperature(labels, logits), rel=1e-4)
    expected = measure(labels, logits / np.float32(metrics["temperature"]))._asdict()
    assert metrics["validation"] == pytest.approx(expected, abs=1e-6)


def test_the_test_figures_are_those_of_the_artefact_and_its_temperature(finished, data_dir):
    trained, data = artefact.load(finished.model), DataDirectory.open(data_dir)
    metrics, rows = read(finished.metrics), data.rows("test")
    assert trained.temperature == metrics["temperature"]
    logits = trained.raw_logits(*data.packed().gather(rows))
    expected = measure(data.classes()[rows], logits / np.float32(trained.temperature))._asdict()
    assert metrics["test"] == pytest.approx(expected, abs=1e-5)


def test_history_has_a_line_an_epoch(finished, data_dir):
    epochs = history(finished)
    assert [epoch["number"] for epoch in epochs] == [1, 2]
    for epoch in epochs:
        assert epoch["train"]["documents"] == 48
        assert epoch["validation"]["documents"] == 6
        assert epoch["seconds"] > 0
        assert epoch["gradient_norm"] > 0
        assert epoch["learning_rate"] == read(finished.config)["settings"]["lr"]


def test_config_says_how_to_train_the_same_again(finished, data_dir):
    config = read(finished.config)
    assert set(config) == {"settings", "data", "versions", "machine"}
    assert config["machine"]["threads"] == torch.get_num_threads()
    manifest = DataDirectory.open(data_dir).manifest
    data = {"path": str(data_dir), "name": manifest.name, "fingerprint": manifest.fingerprint}
    assert config["data"] == data | {"described": manifest.described()}
    assert config["data"]["described"] == config["data"]["described"] | {"train documents": 48, "classes": 3}
    assert config["versions"]["torch"] == torch.__version__
    assert config["versions"]["textclf"] == textclf.__version__
    assert config["versions"]["python"].startswith(f"{sys.version_info.major}.{sys.version_info.minor}.")
    again = train(TrainConfig.from_json(config["settings"] | {"run_dir": "again"}))
    assert same(again, finished)


def test_the_name_of_a_run_says_what_it_is_and_latest_names_the_newest(settings, model):
    first, second = (train(settings(model, epochs=1)) for _ in range(2))
    assert first.root != second.root
    assert first.root.name.startswith(f"tiny_corpus-full-{model}-2")
    assert (second.root.parent / "latest").read_text() == f"{second.root.name}\n"


class Shown(Display):
    """Writes down what a run shows, and raises where it is told to."""

    def __init__(self, *, stop_after_epoch=None, stop_in_epoch=None, stop_in_refit=None, after_steps=0):
        self.stop_after_epoch, self.stop_in_epoch, self.after_steps = stop_after_epoch, stop_in_epoch, after_steps
        self.stop_in_refit = stop_in_refit
        self.epochs = []
        self.steps = 0
        self.refit = None
        self.ended = None

    def begin(self, run, session, summary, *, first_epoch):
        self.run, self.session, self.summary, self.first_epoch = run, session, summary, first_epoch
        self.files = files(run.root)
        self.record = read(run.config)

    def watch(self, batches, meter):
        for step, batch in enumerate(batches):
            stop = self.stop_in_refit if self.refit else self.stop_in_epoch
            epoch = self.session.batches["refit" if self.refit else "train"].batch_sampler.epoch
            if epoch == stop and step == self.after_steps:
                raise Stopped
            self.steps += 1
            yield batch

    def epoch(self, epoch):
        self.epochs.append(epoch)
        if epoch.number == self.stop_after_epoch:
            raise Stopped

    def begin_refit(self, *, documents, epochs):
        self.refit = {"documents": documents, "epochs": epochs}

    def end(self, metrics):
        self.ended = metrics


class Stopped(Exception):  # noqa: N818
    """Training was stopped by a test."""


def test_a_display_is_shown_everything(settings, model):
    display = Shown()
    layout = train(settings(model, epochs=2), display=display)
    assert display.run == layout
    assert display.first_epoch == 1
    assert display.summary == summary(display.session.learner.model)
    assert display.steps == 2 * 6
    assert [epoch.number for epoch in display.epochs] == [1, 2]
    assert display.refit is None
    assert display.ended == read(layout.metrics)


def test_config_is_written_before_the_first_step(settings, model):
    display = Shown(stop_in_epoch=1)
    with pytest.raises(Stopped):
        train(settings(model), display=display)
    assert display.files == {"config.json", "history.jsonl"}
    assert display.record["settings"]["model"] == model
    assert not (display.run.root.parent / "latest").exists()


def test_a_mistake_leaves_no_run_behind(settings, tmp_path):
    for given in ({"device": "abacus"}, {"data": "nothing"}):
        with pytest.raises(UsageError):
            train(settings(**given))
    assert not (tmp_path / "runs").exists()


def test_training_learns(settings, model):
    metrics = read(train(settings(model, epochs=15, lr=0.02)).metrics)
    assert metrics["test"]["accuracy"] >= 0.8
    assert metrics["validation"]["loss"] < 0.7  # guessing gives log 3


# Same bits


def test_the_seed_decides_every_bit(settings, model):
    torch.manual_seed(1)
    one = train(settings(model, seed=5, epochs=3))
    torch.manual_seed(2)
    again = train(settings(model, seed=5, epochs=3))
    other = train(settings(model, seed=6, epochs=3))
    assert same(one, again)
    assert without_seconds(read(one.metrics)) == without_seconds(read(again.metrics))
    assert not same(one, other)
    assert read(other.metrics)["seed"] == 6


@pytest.mark.slow
@pytest.mark.parametrize(
    "given",
    [
        {"num_workers": 2},
        pytest.param({"store": "files", "num_workers": 0}, marks=pytest.mark.long),
        {"store": "files", "num_workers": 2},
    ],
)
def test_neither_store_nor_workers_change_a_bit(given, settings, model):
    assert same(train(settings(model, epochs=3, **given)), train(settings(model, epochs=3)))


def test_early_stopping_keeps_the_best_epoch(settings):
    given = {"epochs": 30, "patience": 2, "lr": 0.3, "dropout": 0.0}
    stopped = train(settings(**given))
    metrics, epochs = read(stopped.metrics), history(stopped)
    best = max(epoch["number"] for epoch in epochs if epoch["is_best"])
    assert (metrics["best_epoch"], metrics["epochs"]) == (best, best + 2)
    assert len(epochs) == best + 2 < 30
    assert metrics["train"] == epochs[best - 1]["train"] != epochs[-1]["train"]
    until_best = train(settings(**given | {"epochs": best}))
    assert same(stopped, until_best)


def test_the_settings_reach_the_loop(settings, monkeypatch):
    told = {}

    def fit(learner, batches, **given):
        told.update(given)
        raise Stopped

    monkeypatch.setattr(run.loop, "fit", fit)
    with pytest.raises(Stopped):
        train(settings(seed=5, clip_norm=0.25, label_smoothing=0.2, epochs=7, patience=3, precision="bfloat16"))
    options = told["options"]
    assert (options.seed, options.clip_norm, options.objective.label_smoothing, options.autocast) == (
        5,
        0.25,
        0.2,
        torch.bfloat16,
    )
    assert (told["epochs"], told["stopping"].patience) == (range(1, 8), 3)


class Kept(Shown):
    """Keeps the learner as it was after the last epoch of the search."""

    def epoch(self, epoch):
        super().epoch(epoch)
        self.learner = deepcopy(self.session.learner)


def test_what_predicts_is_the_mean_of_the_weights(settings, model):
    display = Kept()
    layout = train(settings(model, epochs=1), display=display)
    average, last = display.learner.average.module.state_dict(), display.learner.model.state_dict()
    best = torch.load(layout.best, weights_only=True)["model"]
    for name, weight in average.items():
        assert torch.equal(best[name], weight)
        assert np.array_equal(weights(layout)[name], weight.numpy())
        assert not torch.equal(last[name], weight)


# Once more, on train and validation


def test_what_training_needed_is_let_go_before_the_end_loads_its_libraries(settings, model, monkeypatch):
    display, sizes = Shown(), []

    def look():
        learner = display.session.learner
        sizes.append(sum(not weights.is_meta for weights in learner.model.parameters()))
        sizes.append(len(learner.optimizer.state) + len(learner.optimizer.parameters))

    monkeypatch.setattr(run, "fit_temperature", lambda *given: (look(), fit_temperature(*given))[1])
    train(settings(model, epochs=1), display=display)
    assert sizes == [0, 0]


def test_a_refit_goes_on_with_train_and_validation(settings, model):
    given = {"epochs": 30, "lr": 0.3, "patience": 2, "dropout": 0.0}
    display, plain = Shown(), Kept()
    layout = train(settings(model, refit=True, **given), display=display)
    metrics = read(layout.metrics)
    assert metrics["refit"] == display.refit == {"documents": 54, "epochs": REFIT_EPOCHS}
    assert display.steps == metrics["epochs"] * 6 + REFIT_EPOCHS * 7
    train(settings(model, refit=False, **given), display=plain)
    options = StepOptions(plain.session.device, Softmax(plain.session.config.label_smoothing), seed=0, clip_norm=1.0)
    learner, epochs = plain.learner, range(metrics["epochs"] + 1, metrics["epochs"] + 1 + REFIT_EPOCHS)
    scores = list(run.loop.refit(learner, display.session.batches["refit"], epochs=epochs, options=options))
    assert {score.documents for score in scores} == {54}
    for name, weight in learner.average.module.state_dict().items():
        assert np.array_equal(weights(layout)[name], weight.numpy())


def test_a_refit_changes_nothing_that_was_measured_on_validation(settings, model):
    plain, refitted = (train(settings(model, epochs=3, refit=refit)) for refit in (False, True))
    one, other = read(plain.metrics), read(refitted.metrics)
    for name in ("train", "validation", "temperature", "epochs", "best_epoch", "parameters"):
        assert one[name] == other[name]
    assert one["refit"] is None
    assert list(map(without_seconds, history(plain))) == list(map(without_seconds, history(refitted)))
    assert not same(plain, refitted)
    best = torch.load(refitted.best, weights_only=True)["model"]
    assert all(np.array_equal(weights(plain)[name], weight.numpy()) for name, weight in best.items())


def test_a_refit_leaves_out_documents_whose_label_no_training_document_has(corpus_csv, tmp_path):
    validation = tmp_path / "validation.csv"
    validation.write_text("text,label\nthe cat,?\nrain and wind,weather\n")
    made, _ = preprocess(PreprocessConfig(source=str(corpus_csv), num_workers=1, validation=validation))
    trained = DataDirectory.open(made).manifest.splits["train"]
    metrics = read(train(small_config("mlp", made, tmp_path / "runs", epochs=1, refit=True)).metrics)
    assert metrics["refit"] == {"documents": trained + 1, "epochs": 2}
    assert metrics["validation"]["documents"] == 2


def test_a_refit_that_diverges_says_how_to_do_without(settings):
    class Poisons(Shown):
        def begin_refit(self, *, documents, epochs):
            with torch.no_grad():
                list(self.session.learner.model.parameters())[-1].fill_(float("nan"))

    with pytest.raises(DivergedError, match=r"not a number in epoch 2, step 1, on .*, or --no-refit$"):
        train(settings(refit=True, epochs=1), display=Poisons())
    assert not files(only_run(settings().run_dir).root) & ONLY_IN_A_FINISHED_RUN


@pytest.mark.parametrize(
    "stop",
    [
        pytest.param({"stop_in_refit": 4}, marks=pytest.mark.long),
        {"stop_in_refit": 5, "after_steps": 3},
        {"stop_after_epoch": 2},
    ],
    ids=str,
)
def test_a_run_that_was_stopped_in_the_refit_begins_the_refit_again_and_ends_the_same(stop, model, settings):
    given = {"epochs": 3, "refit": True, "lr": 0.02}
    straight = train(settings(model, **given))
    assert read(straight.metrics)["refit"]["epochs"] > 1
    display = Shown(**stop)
    with pytest.raises(Stopped):
        train(settings(model, **given), display=display)
    stopped = display.run
    assert not files(stopped.root) & ONLY_IN_A_FINISHED_RUN
    torch.manual_seed(77)
    again = Shown()
    resume(stopped, display=again)
    assert again.refit == read(straight.metrics)["refit"]
    assert len(again.epochs) == 3 - len(display.epochs)
    for path in straight.model.iterdir():
        assert (stopped.model / path.name).read_bytes() == path.read_bytes()
    assert without_seconds(read(stopped.metrics)) == without_seconds(read(straight.metrics))
    assert list(map(without_seconds, history(stopped))) == list(map(without_seconds, history(straight)))


def test_a_signal_in_the_refit_stops_it_and_says_how_to_go_on(settings):
    class Signalled(Shown):
        def watch(self, batches, meter):
            for batch in super().watch(batches, meter):
                if self.refit:
                    signal.raise_signal(signal.SIGINT)
                yield batch

    display = Signalled()
    with pytest.raises(InterruptedRunError) as caught:
        train(settings(refit=True, epochs=2), display=display)
    assert str(caught.value) == f"stopped; go on: textclf train --resume {display.run.root}"
    assert same(resume(display.run), train(settings(refit=True, epochs=2)))


# Resume


def test_a_run_that_was_killed_in_its_last_moment_is_sealed_as_if_it_had_not_been(settings):
    layout = train(settings(epochs=1))
    sealed = layout.checksums.read_bytes()
    layout.checksums.rename(layout.root / ".checksums.json.1234.tmp")  # on the point of taking its place
    assert resume(layout) == layout
    assert layout.checksums.read_bytes() == sealed
    assert not list(layout.root.rglob(".*.tmp"))


@pytest.mark.parametrize(
    "stop",
    [
        pytest.param({"stop_in_epoch": 1}, marks=pytest.mark.long),
        {"stop_in_epoch": 1, "after_steps": 4},
        pytest.param({"stop_after_epoch": 1}, marks=pytest.mark.long),
        {"stop_in_epoch": 3, "after_steps": 5},
        {"stop_after_epoch": 4},  # the last
    ],
    ids=str,
)
def test_a_resumed_run_ends_as_if_it_had_never_been_stopped(stop, model, settings):
    straight = train(settings(model, epochs=4))
    display = Shown(**stop)
    with pytest.raises(Stopped):
        train(settings(model, epochs=4), display=display)
    stopped = display.run
    assert not files(stopped.root) & ONLY_IN_A_FINISHED_RUN
    torch.manual_seed(77)  # another process starts with other random numbers
    assert resume(stopped) == stopped
    assert same(stopped, straight)
    assert list(map(without_seconds, history(stopped))) == list(map(without_seconds, history(straight)))
    assert without_seconds(read(stopped.metrics)) == without_seconds(read(straight.metrics))
    for path in straight.model.iterdir():
        assert (stopped.model / path.name).read_bytes() == path.read_bytes()
    assert (stopped.root.parent / "latest").read_text() == f"{stopped.root.name}\n"


def test_a_run_that_was_stopped_before_its_first_checkpoint_begins_again(settings, model):
    pace = checkpoint.Pace(seconds=1000.0)
    straight = train(settings(model, epochs=4), pace=pace)
    first, second = Shown(stop_in_epoch=3), Shown()
    with pytest.raises(Stopped):
        train(settings(model, epochs=4), display=first, pace=pace)
    assert (first.run.last.exists(), first.run.best.exists()) == (False, True)
    resume(first.run, display=second)
    assert second.first_epoch == 1
    assert same(first.run, straight)
    assert list(map(without_seconds, history(first.run))) == list(map(without_seconds, history(straight)))


def test_a_run_can_be_stopped_and_resumed_again_and_again(settings, model):
    straight = train(settings(model, epochs=4))
    first = Shown(stop_after_epoch=1)
    with pytest.raises(Stopped):
        train(settings(model, epochs=4), display=first)
    second = Shown(stop_in_epoch=3, after_steps=2)
    with pytest.raises(Stopped):
        resume(first.run, display=second)
    assert second.first_epoch == 2
    third = Shown()
    resume(first.run, display=third)
    assert third.first_epoch == 3
    assert [epoch.number for epoch in third.epochs] == [3, 4]
    assert same(first.run, straight)


@pytest.mark.parametrize(
    ("number", "error"), [(signal.SIGINT, InterruptedRunError), (signal.SIGTERM, TerminatedRunError)]
)
def test_a_signal_stops_before_the_next_step_and_says_how_to_go_on(number, error, settings):
    class Signalled(Shown):
        def watch(self, batches, meter):
            for batch in super().watch(batches, meter):
                if self.steps == 9:  # the third step of the second epoch
                    signal.raise_signal(number)
                yield batch

    straight = train(settings(epochs=3))
    handlers = {sent: signal.getsignal(sent) for sent in (signal.SIGINT, signal.SIGTERM)}
    display = Signalled()
    with pytest.raises(error) as caught:
        train(settings(epochs=3), display=display)
    assert str(caught.value) == f"stopped; go on: textclf train --resume {display.run.root}"
    assert {sent: signal.getsignal(sent) for sent in handlers} == handlers
    assert display.steps == 9
    assert [epoch["number"] for epoch in history(display.run)] == [1]
    assert same(resume(display.run), straight)


@pytest.mark.slow
def test_a_run_with_workers_is_resumed_to_the_same_bits(settings):
    straight = train(settings(epochs=4))
    display = Shown(stop_after_epoch=2)
    with pytest.raises(Stopped):
        train(settings(epochs=4, num_workers=2), display=display)
    assert same(resume(display.run), straight)


def test_early_stopping_counts_on_after_a_resume(settings):
    given = {"epochs": 30, "patience": 2, "lr": 0.3, "dropout": 0.0}
    straight = train(settings(**given))
    for last in (read(straight.metrics)["best_epoch"] + 1, read(straight.metrics)["epochs"]):
        display = Shown(stop_after_epoch=last)
        with pytest.raises(Stopped):
            train(settings(**given), display=display)
        resume(display.run)
        assert without_seconds(read(display.run.metrics)) == without_seconds(read(straight.metrics))
        assert same(display.run, straight)


def test_resuming_a_finished_run_changes_nothing(settings, model):
    layout = train(settings(model, epochs=2))
    before = {path.name: path.read_bytes() for path in layout.model.iterdir()} | {
        "history": layout.history.read_bytes()
    }
    display = Shown()
    resume(layout, display=display)
    assert display.steps == 0
    after = {path.name: path.read_bytes() for path in layout.model.iterdir()} | {"history": layout.history.read_bytes()}
    assert after == before


def test_the_seconds_before_the_stop_count(settings):
    display = Shown(stop_after_epoch=2)
    with pytest.raises(Stopped):
        train(settings(epochs=3), display=display)
    last = torch.load(display.run.last, weights_only=True)
    torch.save(last | {"seconds": 1000.0}, display.run.last)
    seconds = read(resume(display.run).metrics)["seconds"]
    assert 1000 < seconds["train"] < seconds["total"] < 1100


def forget_the_optimizer(layout, monkeypatch):
    last = torch.load(layout.last, weights_only=True)
    state = [{name: torch.zeros_like(value) for name, value in own.items()} for own in last["optimizer"]["state"]]
    torch.save(last | {"optimizer": last["optimizer"] | {"state": state}}, layout.last)


def forget_the_average(layout, monkeypatch):
    last = torch.load(layout.last, weights_only=True)
    torch.save(last | {"average": last["average"] | {"n_averaged": torch.tensor(0)}}, layout.last)


def forget_the_random_numbers(layout, monkeypatch):
    monkeypatch.setattr(torch, "manual_seed", lambda seed: None)


def forget_the_seed(layout, monkeypatch):
    record, last = read(layout.config), torch.load(layout.last, weights_only=True)
    layout.config.write_text(json.dumps(record | {"settings": record["settings"] | {"seed": 1}}))
    torch.save(last | {"settings": last["settings"] | {"seed": 1}}, layout.last)


@pytest.mark.parametrize(
    "forget", [forget_the_optimizer, forget_the_average, forget_the_random_numbers, forget_the_seed]
)
def test_a_resume_that_forgets_something_would_be_found(forget, settings, monkeypatch):
    straight = train(settings(epochs=3))
    display = Shown(stop_after_epoch=1)
    with pytest.raises(Stopped):
        train(settings(epochs=3), display=display)
    forget(display.run, monkeypatch)
    assert not same(resume(display.run), straight)


@pytest.fixture
def own_data(corpus_csv):
    """Makes a data directory that the test may change."""

    def make(**given):
        config = PreprocessConfig(source=str(corpus_csv), num_workers=1, overwrite=True, **given)
        return preprocess(config)[0]

    return make


def test_resume_is_refused_when_the_data_was_made_anew(own_data, settings):
    display = Shown(stop_after_epoch=1)
    with pytest.raises(Stopped):
        train(settings(data=own_data()), display=display)
    own_data(seed=1)
    before = files(display.run.root)
    with pytest.raises(UsageError) as caught:
        resume(display.run)
    assert "tiny_corpus has been rebuilt since this run was trained (seed was 0 and is 1)" in str(caught.value)
    assert str(caught.value).endswith("train a new model: textclf train")
    assert files(display.run.root) == before
    own_data()  # the same documents again are the same data
    resume(display.run)


def test_resume_finds_the_data_from_another_folder(own_data, settings, tmp_path, monkeypatch):
    own_data()
    display = Shown(stop_after_epoch=1)
    with pytest.raises(Stopped):
        train(settings(data="tiny_corpus"), display=display)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert resume(display.run).metrics.exists()


def test_resume_from_inside_the_run_makes_it_the_latest(settings, monkeypatch):
    display = Shown(stop_after_epoch=1)
    with pytest.raises(Stopped):
        train(settings(epochs=2), display=display)
    monkeypatch.chdir(display.run.root)
    resume(runs.resolve(Path()))
    assert (display.run.root.parent / "latest").read_text() == f"{display.run.root.name}\n"
    assert not (display.run.root / "latest").exists()


def test_there_is_nothing_to_resume_in_an_empty_folder(tmp_path):
    with pytest.raises(UsageError, match=r"has no config\.json"):
        resume(runs.RunLayout(tmp_path))


@pytest.mark.parametrize(
    "damage",
    [
        lambda record: {},
        lambda record: {name: value for name, value in record.items() if name != "data"},
        lambda record: record | {"data": {"path": record["data"]["path"]}},
        lambda record: record | {"settings": {}},
        lambda record: record | {"settings": record["settings"] | {"temperature": 0.5}},  # of a newer textclf
        lambda record: record | {"settings": None},
    ],
    ids=["empty", "no data", "no fingerprint", "no settings", "an unknown setting", "null"],
)
def test_resume_of_a_damaged_config_names_the_file(damage, settings):
    layout = train(settings(epochs=1))
    layout.config.write_text(json.dumps(damage(read(layout.config))))
    with pytest.raises(ArtefactError) as caught:
        resume(layout)
    assert str(layout.config) in str(caught.value)


# Divergence


def test_a_run_that_diverges_at_once_has_no_best(settings):
    with pytest.raises(DivergedError) as caught:
        train(settings(lr=1e30))
    assert caught.value.exit_code == 6
    layout = only_run(settings().run_dir)
    assert files(layout.root) == {"config.json", "history.jsonl", "events", "checkpoints/last.pt"}
    assert finite(layout.last)  # from before the first step
    assert history(layout) == []
    assert not (layout.root.parent / "latest").exists()


def finite(path):
    state = torch.load(path, weights_only=True)
    return all(weight.isfinite().all() for part in ("model", "average") for weight in state.get(part, {}).values())


@pytest.mark.parametrize("poison", [float("nan"), float("inf")])
def test_a_run_that_diverges_later_keeps_the_weights_from_before(poison, settings, model):
    class Poisons(Shown):
        def epoch(self, epoch):
            super().epoch(epoch)
            with torch.no_grad():
                list(self.session.learner.model.parameters())[-1][0] = poison  # the bias of an output layer

    display = Poisons()
    with pytest.raises(DivergedError, match="not a number in epoch 2, step 1, on train-"):
        train(settings(model, epochs=4), display=display)
    assert finite(display.run.best)
    assert finite(display.run.last)
    assert [epoch["number"] for epoch in history(display.run)] == [1]
    assert same(resume(display.run), train(settings(model, epochs=4)))  # without the poison


@pytest.mark.parametrize("split", ["validation", "test"])
def test_a_split_without_any_known_label_is_bad_data_and_no_divergence(split, corpus_csv, tmp_path):
    """Such as the test sets of competitions, whose labels are hidden: nothing can be measured on them."""
    hidden = tmp_path / "hidden.csv"
    hidden.write_text("text,label\nthe cat,?\nrain and wind,?\n")

    def preprocess_and_train():
        made, _ = preprocess(PreprocessConfig(source=str(corpus_csv), num_workers=1, **{split: hidden}))
        train(small_config("mlp", made, tmp_path / "runs", epochs=1))

    with pytest.raises(DataError, match=split):
        preprocess_and_train()


def test_some_unknown_labels_count_as_errors(corpus_csv, tmp_path):
    test = tmp_path / "test.csv"
    test.write_text("text,label\nthe cat,?\nrain and wind,weather\n")
    made, _ = preprocess(PreprocessConfig(source=str(corpus_csv), num_workers=1, test=test))
    metrics = read(train(small_config("mlp", made, tmp_path / "runs", epochs=20, lr=0.05)).metrics)
    assert metrics["test"]["accuracy"] == 0.5


@pytest.mark.slow
def test_a_damaged_file_is_named_in_one_line_from_a_worker_too(data_dir, tmp_path, settings):
    copied = shutil.copytree(data_dir, tmp_path / "copied")
    tensor = next(copied.glob("tensors/??/train-*.pt"))
    tensor.write_bytes(tensor.read_bytes()[:-100])
    messages = []
    for workers in (0, 2):
        with pytest.raises(ArtefactError) as caught:
            train(settings("lstm", data=copied, store="files", num_workers=workers))
        messages.append(str(caught.value))
    assert tensor.name in messages[0]
    assert messages[1] == messages[0]


# Signals


@pytest.fixture
def start(data_dir, tmp_path):
    """Starts `textclf train` for ever, and returns it once its first epoch is over."""
    started = []

    def begin(*options):
        sizes = ["--hidden-size=8", "--batch-size=8", "--tier=full", "--device=cpu", "--no-refit"]
        for_ever = ["--epochs=1000000", "--patience=1000000", f"--run-dir={tmp_path / 'runs'}"]
        process = subprocess.Popen(
            [sys.executable, "-m", "textclf", "train", f"--data={data_dir}", *for_ever, *sizes, *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,  # a process group of its own, as a terminal gives it
        )
        started.append(process)
        shown = []
        for line in process.stderr:
            if line.startswith("epoch"):
                return process
            shown.append(line)
        raise AssertionError(f"it ended with {process.wait()}: {''.join(shown)}")

    yield begin
    for process in started:
        if group_is_alive(process):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def group_is_alive(process):
    try:
        os.killpg(process.pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "send", "workers", "code"),
    [
        pytest.param(signal.SIGINT, os.kill, 0, 130, marks=pytest.mark.long),
        (signal.SIGTERM, os.kill, 2, 143),
        (signal.SIGINT, os.killpg, 2, 130),  # as Ctrl-C does: to the workers as well
        # as a container or a job scheduler does
        pytest.param(signal.SIGTERM, os.killpg, 2, 143, marks=pytest.mark.long),
    ],
    ids=["Ctrl-C", "SIGTERM to the parent", "Ctrl-C to all", "SIGTERM to all"],
)
@pytest.mark.usefixtures("as_in_another_process")
def test_a_signal_ends_with_its_exit_code_and_the_command_that_goes_on(number, send, workers, code, start, settings):
    process = start(f"--num-workers={workers}")
    send(process.pid, number)
    stdout, stderr = process.communicate(timeout=60)
    stopped = only_run(settings().run_dir)
    assert (process.returncode, stdout) == (code, "")
    *epochs, last = stderr.splitlines()
    assert last == f"textclf: stopped; go on: textclf train --resume {stopped.root}"
    assert all(line.startswith("epoch") for line in epochs)
    deadline = time.monotonic() + 6
    while group_is_alive(process) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not group_is_alive(process)  # no worker is left

    finish = len(history(stopped)) + 1
    record = read(stopped.config)
    stopped.config.write_text(json.dumps(record | {"settings": record["settings"] | {"epochs": finish}}))
    resumed = resume(stopped)
    straight = train(settings(epochs=finish, patience=1_000_000))
    assert same(resumed, straight)


@pytest.mark.slow
@pytest.mark.parametrize("last", [1, 2, None])
def test_a_run_leaves_no_worker_behind(last, settings):
    """Not even one that fails: workers left to the garbage collector may freeze the program for ten seconds."""
    before = set(multiprocessing.active_children())
    display = Shown(stop_after_epoch=last)
    try:
        train(settings(num_workers=2, epochs=3), display=display)
    except Stopped:
        assert not set(multiprocessing.active_children()) - before
    assert len(display.epochs) == (last or 3)
    assert not set(multiprocessing.active_children()) - before


FAILS_WITH_WORKERS = """
from textclf.config import TrainConfig
from textclf.training import run

class Fails(run.Display):
    def epoch(self, epoch):
        raise RuntimeError("as a bug would")

if __name__ == "__main__":
    run.train(TrainConfig.create(tier="full", num_workers=2, device="cpu", data={data!r}), display=Fails())
"""


@pytest.mark.slow
def test_a_run_that_fails_with_workers_ends(data_dir):
    """At its end Python sends SIGTERM to the workers that are left, and then waits for them, however long it takes."""
    code = FAILS_WITH_WORKERS.format(data=str(data_dir))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 1
    assert done.stderr.endswith("RuntimeError: as a bug would\n")


# GPU


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_on_a_gpu_training_runs_in_bfloat16_and_the_model_predicts_on_any_machine(
    settings, model, data_dir, monkeypatch
):
    types = set()
    logits = StepOptions.logits

    def noting(options, network, batch):
        types.add((options.autocast, batch.labels.device.type))
        return logits(options, network, batch)

    with monkeypatch.context() as patched:
        patched.setattr(StepOptions, "logits", noting)
        layout = train(settings(model, device="cuda", epochs=15, lr=0.02))
    assert types == {(torch.bfloat16, "cuda"), (None, "cuda")}  # training, and the figures of the finished model
    metrics = read(layout.metrics)
    assert metrics["device"].startswith("cuda")
    assert metrics["test"]["accuracy"] >= 0.8

    session = assemble(settings(model, device="cuda"), DataDirectory.open(data_dir))
    checkpoint.load_best(layout.best, session.learner.model)
    on_gpu, _ = run.loop.predict(
        session.learner.model, session.batches["test"], options=StepOptions(session.device, Softmax())
    )
    trained = artefact.load(layout.model)
    rows = session.data.rows("test")[session.batches["test"].batch_sampler.order]
    in_numpy = trained.raw_logits(*session.data.packed().gather(rows))
    np.testing.assert_allclose(in_numpy, on_gpu.numpy(), rtol=0, atol=1e-2)  # cuDNN rounds to TF32
    assert (in_numpy.argmax(axis=1) == on_gpu.numpy().argmax(axis=1)).all()


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_run_resumes_on_a_gpu(settings, model):
    display = Shown(stop_after_epoch=1)
    with pytest.raises(Stopped):
        train(settings(model, device="cuda", epochs=3), display=display)
    resume(display.run)
    assert [epoch["number"] for epoch in history(display.run)] == [1, 2, 3]
