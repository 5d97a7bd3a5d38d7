import shutil
import sys

import pytest
import torch

import textclf
from tests.training.helpers import (
    ONLY_IN_A_FINISHED_RUN,
    Shown,
    Stopped,
    files,
    history,
    read,
    same,
    train,
    without_seconds,
)
from textclf.config import TrainConfig
from textclf.dataset.directory import DataDirectory
from textclf.errors import ArtefactError, UsageError
from textclf.training import run


def test_a_finished_run_has_exactly_these_files(finished):
    others = {"config.json", "history.jsonl", "checkpoints/best.pt", "events"}
    words = f"{read(finished.metrics)['best_epoch']:05}/words"
    projector = {"projector_config.pbtxt", f"{words}/metadata.tsv", f"{words}/tensors.tsv"}
    assert files(finished.root) == ONLY_IN_A_FINISHED_RUN | others | projector
    assert {path.name for path in finished.root.parent.iterdir()} == {finished.root.name, "latest"}


def test_history_has_a_line_per_epoch(finished, data_dir):
    epochs = history(finished)
    assert [epoch["number"] for epoch in epochs] == [1, 2]
    for epoch in epochs:
        assert epoch["train"]["documents"] == 48
        assert epoch["validation"]["documents"] == 6
        assert epoch["seconds"] > 0
        assert epoch["gradient_norm"] > 0
        assert epoch["learning_rate"] == read(finished.config)["settings"]["lr"]


def test_config_is_enough_to_train_the_same_model_again(finished, data_dir):
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


@pytest.mark.slow
def test_a_damaged_file_is_named_in_one_line_even_from_a_worker(data_dir, tmp_path, settings):
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


def test_training_memory_is_freed_before_finish(settings, model, monkeypatch):
    display = Shown()

    def look(setup, _run, _trained, **_):
        learner = display.learner
        assert all(weights.is_meta for weights in learner.model.parameters())
        assert len(learner.optimizer.state) + len(learner.optimizer.parameters) == 0
        assert setup.cache is None or not setup.cache.has(setup.parts["train"].rows)
        raise Stopped

    monkeypatch.setattr(run, "finish", look)
    with pytest.raises(Stopped):
        train(settings(model, epochs=1), display=display)
