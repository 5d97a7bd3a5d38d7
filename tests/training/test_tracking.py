import json
import re
from html import unescape
from math import inf
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import small_config
from tests.training.helpers import Stopped, history, read_events
from textclf import load_model, training
from textclf.artefacts import loading, runs
from textclf.dataset.directory import DataDirectory
from textclf.evaluation.confusions import confusions
from textclf.evaluation.predictions import predict
from textclf.training import checkpoint
from textclf.training.display import Display
from textclf.training.loop import Epoch
from textclf.training.meters import Score
from textclf.training.tracking import Tracker

CURVES = {
    "Loss/train": lambda epoch: epoch["train"]["loss"],
    "Loss/validation": lambda epoch: epoch["validation"]["loss"],
    "Accuracy/train": lambda epoch: epoch["train"]["accuracy"],
    "Accuracy/validation": lambda epoch: epoch["validation"]["accuracy"],
    "Macro-F1/train": lambda epoch: epoch["train"]["macro_f1"],
    "Macro-F1/validation": lambda epoch: epoch["validation"]["macro_f1"],
    "Training/learning_rate": lambda epoch: epoch["learning_rate"],
    "Training/gradient_norm": lambda epoch: epoch["gradient_norm"],
    "Training/documents_per_second": lambda epoch: epoch["train"]["documents"] / epoch["seconds"],
    **{
        f"Seconds/{stage}": lambda epoch, stage=stage: epoch["profile"][stage]
        for stage in ("load", "collate", "transfer", "forward", "backward", "step", "other")
    },
}


def made_earlier(folder):
    """Date the event files back: they are read in the order of the times in their names, which are whole seconds."""
    for path in folder.glob("events.out.tfevents.*"):
        time = path.name.split(".")[3]
        path.rename(folder / path.name.replace(time, str(int(time) - 100), 1))


def text(events, tag):
    (event,) = events.Tensors(tag)
    return event.tensor_proto.string_val[0].decode()


def steps(events, tag="Loss/train"):
    return [point.step for point in events.Scalars(tag)]


def refitted(layout):
    refit = json.loads(layout.metrics.read_text())["refit"]
    return refit if refit and refit["epochs"] else None  # of the network


def test_the_run_has_one_event_file(run_dir):
    assert [path.parent for path in run_dir.rglob("events.out.*")] == [run_dir]


def test_scalars_are_those_of_the_lecture_and_of_training(events, finished):
    best = {"Loss/best", "Accuracy/best", "Macro-F1/best"}
    refit = {"Loss/refit", "Accuracy/refit", "Macro-F1/refit"} if refitted(finished) else set()
    test = {"Loss/test", "Accuracy/test", "Macro-F1/test"}
    assert set(events.Tags()["scalars"]) == {*CURVES, *test, *refit, *best}


def test_several_labels_have_a_curve_of_micro_f1(several_run):
    events, layout = read_events(several_run), runs.RunLayout(several_run)
    scalars = set(events.Tags()["scalars"])
    assert {"Micro-F1/train", "Micro-F1/validation", "Micro-F1/test", "Micro-F1/best"} <= scalars
    values = [point.value for point in events.Scalars("Micro-F1/validation")]
    assert values == pytest.approx([epoch["validation"]["micro_f1"] for epoch in history(layout)])


def test_every_epoch_of_the_refit_is_a_point(events, finished):
    if refit := refitted(finished):
        searched = len(history(finished))  # after those, so that a new start overwrites what a stopped refit showed
        expected = list(range(searched + 1, searched + refit["epochs"] + 1))
        assert steps(events, "Loss/refit") == steps(events, "Accuracy/refit") == expected
        assert all(point.value > 0 for point in events.Scalars("Loss/refit"))
    else:
        assert "Loss/refit" not in events.Tags()["scalars"]


@pytest.mark.parametrize("tag", CURVES)
def test_every_epoch_is_a_point_with_the_figure_of_the_history(tag, events, finished):
    lines = history(finished)
    assert steps(events, tag) == [epoch["number"] for epoch in lines] == [1, 2]
    values = [point.value for point in events.Scalars(tag)]
    assert values == pytest.approx([CURVES[tag](epoch) for epoch in lines])


def test_the_test_score_is_shown_at_the_epoch_of_its_weights(events, finished):
    metrics = json.loads(finished.metrics.read_text())
    for tag, name in (("Loss/test", "loss"), ("Accuracy/test", "accuracy"), ("Macro-F1/test", "macro_f1")):
        (point,) = events.Scalars(tag)
        assert point.step == metrics["best_epoch"]
        assert point.value == pytest.approx(metrics["test"][name])


def test_texts_show_the_layers_and_the_settings(events, finished):
    layers = text(events, "Model/text_summary")
    assert re.search(r"^ +output(s\.0)? +Linear ", layers, re.MULTILINE)
    trained = loading.load(finished.model).weights
    assert f"{sum(array.size for name, array in trained.items() if not name.startswith('linear.')):,}" in layers
    shown = "".join(line.removeprefix("    ") for line in text(events, "Settings/text_summary").splitlines())
    assert json.loads(shown) == json.loads(finished.config.read_text())["settings"]


def cells(events, name):
    """The rows of a table, without its head."""
    lines = text(events, f"Test/{name}/text_summary").splitlines()[2:]
    return [[cell.strip() for cell in line.strip("| ").split(" | ")] for line in lines]


def test_tables_show_the_confusions_and_the_reliability_of_the_report(events, run_dir):
    found = predict(run_dir, split="test")
    pairs = [(pair.label, pair.answer, str(pair.documents)) for pair in confusions(found.outcome, most=20)]
    assert [tuple(map(unescape, row[:3])) for row in cells(events, "confusion")] == pairs
    probability, right = found.outcome.confident()
    assert sum(int(row[1]) for row in cells(events, "reliability")) == len(right)
    for span, count, mean, share in cells(events, "reliability"):
        low, high = map(float, span.split(" to "))
        among = (probability > low) & (probability <= high)
        assert int(count) == among.sum() > 0
        assert mean == f"{probability[among].mean():.1%}"
        assert share == f"{right[among].mean():.1%}"


def test_words_have_the_class_that_they_speak_for_and_their_count(run_dir, data_dir):
    (path,) = run_dir.glob("*/*/metadata.tsv")
    head, *lines = [line.split("\t") for line in path.read_text(encoding="utf-8").splitlines()]
    assert head == ["word", "class", "count"]
    data = DataDirectory.open(data_dir)
    config = json.loads((run_dir / "config.json").read_text())["settings"]
    words = loading.load(run_dir / "model").tokenizer.words
    tokens = np.concatenate([data.tokens(row) for row in data.rows(config["tier"]).tolist()])
    assert {word: int(count) for word, _, count in lines} == {
        word: (tokens == words.index(word)).sum() for word, *_ in lines
    }
    said = load_model(run_dir).predict([word for word, *_ in lines])
    assert [answer for _, answer, _ in lines] == [one.label for one in said]


def an_epoch(number, *, is_best=True):
    score = Score(1 / number, 0.5, 10)
    return Epoch(
        number,
        score,
        score,
        is_best=is_best,
        learning_rate=0.1,
        gradient_norm=1.0,
        seconds=0.5,
        profile={"load": 0.1, "step": 0.4},
    )


def test_each_epoch_is_visible_as_soon_as_it_ends(tmp_path):
    with Tracker(tmp_path) as tracker:
        for number in (1, 2):
            tracker.epoch(an_epoch(number))
            assert steps(read_events(tmp_path)) == list(range(1, number + 1))


def test_a_refit_has_curves_of_its_own(tmp_path):
    with Tracker(tmp_path) as tracker:
        tracker.epoch(an_epoch(1))
        for number in (1, 2):
            tracker.refit(Score(0.5 / number, 0.25 * number, 12), number)
    events = read_events(tmp_path)
    assert steps(events, "Loss/refit") == [1, 2]
    assert [point.value for point in events.Scalars("Loss/refit")] == [0.5, 0.25]
    assert [point.value for point in events.Scalars("Accuracy/refit")] == [0.25, 0.5]
    assert steps(events) == [1]


def test_the_test_score_is_shown_at_the_best_epoch_and_not_the_last(tmp_path):
    scores = {"accuracy": 0.5, "macro_f1": 0.25, "loss": 0.75}
    with Tracker(tmp_path) as tracker:
        tracker.finish({"validation": scores, "test": scores, "best_epoch": 3, "epochs": 8})
    events = read_events(tmp_path)
    assert {step for tag in events.Tags()["scalars"] for step in steps(events, tag)} == {3}
    assert [point.value for point in events.Scalars("Loss/test")] == [0.75]


def test_the_figures_of_the_best_epoch_stay_until_there_is_a_better_one(tmp_path):
    with Tracker(tmp_path) as tracker:
        for number, is_best in ((1, True), (2, False), (3, True), (4, False)):
            tracker.epoch(an_epoch(number, is_best=is_best))
    assert [point.value for point in read_events(tmp_path).Scalars("Loss/best")] == pytest.approx([1, 1, 1 / 3, 1 / 3])


def test_a_resumed_run_knows_the_figures_of_its_best_epoch(tmp_path):
    with Tracker(tmp_path, first_epoch=2, best=Score(0.25, 0.5, 10)._asdict()) as tracker:
        tracker.epoch(an_epoch(2, is_best=False))
    assert [point.value for point in read_events(tmp_path).Scalars("Loss/best")] == [0.25]


@pytest.mark.parametrize("kept", [1, 2])
def test_a_resumed_run_replaces_the_points_after_its_checkpoint(kept, tmp_path):
    with Tracker(tmp_path) as tracker:
        for number in (1, 2, 3):
            tracker.epoch(an_epoch(number))
    made_earlier(tmp_path)
    with Tracker(tmp_path, first_epoch=kept + 1) as tracker:
        for number in range(kept + 1, 5):
            tracker.epoch(an_epoch(number))
    assert steps(read_events(tmp_path)) == [1, 2, 3, 4]


@pytest.mark.parametrize("lost", [1, 2])
def test_an_epoch_whose_checkpoint_was_lost_is_shown_once(lost, data_dir, tmp_path, monkeypatch):
    save, saved = checkpoint.save_last, []

    def save_until_the_power_goes(*state, **more):
        if len(saved) == lost - 1:
            raise Stopped
        saved.append(save(*state, **more))

    monkeypatch.setattr(
        checkpoint.Checkpointer, "watch", lambda _checkpointer, batches, _meter: batches
    )  # after epochs alone
    monkeypatch.setattr(checkpoint, "save_last", save_until_the_power_goes)
    with pytest.raises(Stopped):
        training.train(small_config("mlp", data_dir, tmp_path, epochs=3), pace=checkpoint.Pace(0.0, inf))
    monkeypatch.setattr(checkpoint, "save_last", save)
    (path,) = tmp_path.glob("tiny_corpus-*")
    made_earlier(path)
    resumed = training.resume(runs.RunLayout(path))
    events = read_events(path)
    assert steps(events) == steps(events, "Loss/validation") == [1, 2, 3]
    assert [epoch["number"] for epoch in history(resumed)] == [1, 2, 3]


def test_the_file_is_closed_when_training_fails(data_dir, tmp_path):
    class Fails(Display):
        def epoch(self, epoch):
            raise Stopped

    with pytest.raises(Stopped):
        training.train(small_config("mlp", data_dir, tmp_path), display=Fails())
    (path,) = Path(tmp_path).glob("tiny_corpus-*")
    assert steps(read_events(path)) == [1]
