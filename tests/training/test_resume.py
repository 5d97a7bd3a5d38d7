import json
from pathlib import Path

import pytest
import torch

from tests.training.helpers import (
    ONLY_IN_A_FINISHED_RUN,
    Shown,
    Stopped,
    files,
    history,
    read,
    resume,
    same,
    train,
    without_seconds,
)
from textclf.artefacts import runs
from textclf.errors import ArtefactError, UsageError
from textclf.training import checkpoint


def test_a_run_killed_while_sealing_is_sealed_on_resume(settings):
    layout = train(settings(epochs=1))
    sealed = layout.checksums.read_bytes()
    layout.checksums.rename(layout.root / ".checksums.json.1234.tmp")  # on the point of taking its place
    assert resume(layout) == layout
    assert layout.checksums.read_bytes() == sealed
    assert not list(layout.root.rglob(".*.tmp"))


def test_a_run_without_its_settings_is_not_resumed(tmp_path):
    layout = runs.create(tmp_path, corpus="news", tier="tiny", model="mlp")
    with pytest.raises(UsageError, match=r"it stopped before its settings were saved; train again: textclf train$"):
        resume(layout)


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
def test_a_resumed_run_ends_as_an_uninterrupted_one(stop, model, settings):
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


def test_a_run_stopped_before_its_first_checkpoint_starts_again(settings, model):
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


def test_a_run_can_be_stopped_and_resumed_repeatedly(settings, model):
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


@pytest.mark.slow
def test_a_run_with_workers_is_resumed_to_the_same_bits(settings):
    straight = train(settings(epochs=4))
    display = Shown(stop_after_epoch=2)
    with pytest.raises(Stopped):
        train(settings(epochs=4, num_workers=2), display=display)
    assert same(resume(display.run), straight)


def test_early_stopping_continues_after_a_resume(settings):
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
    "forget",
    [
        forget_the_optimizer,
        forget_the_average,
        pytest.param(forget_the_random_numbers, marks=pytest.mark.long),
        pytest.param(forget_the_seed, marks=pytest.mark.long),
    ],
)
def test_the_tests_notice_a_resume_that_loses_state(forget, settings, monkeypatch):
    straight = train(settings(epochs=3))
    display = Shown(stop_after_epoch=1)
    with pytest.raises(Stopped):
        train(settings(epochs=3), display=display)
    forget(display.run, monkeypatch)
    assert not same(resume(display.run), straight)


def test_resume_is_refused_when_the_data_was_rebuilt(own_data, settings):
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


@pytest.mark.parametrize("stop", [{"stop_in_epoch": 2, "after_steps": 3}, {"stop_after_epoch": 1}], ids=str)
def test_a_resumed_run_of_several_labels_ends_as_an_uninterrupted_one(stop, settings, several_data):
    given = {"data": several_data, "class_weights": "balanced", "monitor": "micro_f1"}
    straight = train(settings(epochs=3, **given))
    display = Shown(**stop)
    with pytest.raises(Stopped):
        train(settings(epochs=3, **given), display=display)
    resume(display.run)
    assert same(display.run, straight)
    assert list(map(without_seconds, history(display.run))) == list(map(without_seconds, history(straight)))
    for path in straight.model.iterdir():
        assert (display.run.model / path.name).read_bytes() == path.read_bytes()
