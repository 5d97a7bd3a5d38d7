"""The trials of a search: the defaults first, each by its number and those before it alone, whatever stops it."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from textclf.config import TuneConfig
from textclf.dataset.directory import DataDirectory
from textclf.errors import DivergedError
from textclf.evaluation import goal
from textclf.experiments import search as searching
from textclf.experiments import tune_folder
from textclf.experiments.search import best_of, finished, open_study, prepare, search_of, trials_of, try_all
from textclf.experiments.tune_folder import TuneFolder
from textclf.training import trial as training

SEED = 3


def through(items, _title, _total):
    return items


def begin(data_dir, **given):
    """A search of the small corpus, before its first trial."""
    config = TuneConfig(
        **{"data": str(data_dir), "tier": "full", "metric": "loss", "seed": SEED, "device": "cpu", **given}
    )
    data = DataDirectory.open(data_dir)
    return search_of(config, prepare(config, data), folder=tune_folder.create(config, data, hashes={}))


def do(search, progress=through):
    """All its trials, and the lines that were said."""
    lines = []
    study = open_study(search.place)
    try_all(search, study, progress, lines.append)
    return trials_of(search, study), lines


@pytest.fixture(scope="module")
def straight(data_dir, tmp_path_factory):
    """A search of five trials that nothing stopped."""
    search = begin(data_dir, trials=5, run_dir=tmp_path_factory.mktemp("straight"))
    return search, *do(search)


def without_seconds(trials):
    return [trial._replace(seconds=0.0) for trial in trials]


def test_the_defaults_are_first_and_the_best_is_never_worse(straight):
    search, trials, lines = straight
    assert [trial.number for trial in trials] == list(range(5))
    assert trials[0].settings == {}
    assert all(trial.settings for trial in trials[1:])
    assert best_of(search.goal, trials).figure <= trials[0].figure  # a loss
    assert all(trial.seconds > 0 and trial.epochs > 0 for trial in trials)
    assert lines[0].startswith(f"trial 0: loss {trials[0].figure:.4f}, ")
    assert lines[0].endswith("s: the defaults")
    assert len(lines) == 5


def test_the_logits_that_are_kept_have_the_figure(straight):
    search, trials, _ = straight
    for trial in trials:
        if trial.figure is not None:
            logits = tune_folder.read_logits(search.place, trial.number, shape=(len(search.labels), 3))
            assert -goal.value(search.figures(logits, trial.settings), len(logits)) == trial.figure


@pytest.mark.parametrize("share", [0.0, 0.31, 0.62, 0.83, 0.97])
def test_killed_at_any_moment_and_resumed_it_has_the_same_trials(straight, data_dir, share):
    """The journal is the first bytes of that of a search that nothing stopped, wherever they end."""
    search, trials, _ = straight
    copy = TuneFolder(Path("copy"))
    shutil.copytree(search.place.root, copy.root)
    content = copy.journal.read_bytes()
    copy.journal.write_bytes(content[: int(share * len(content))])
    resumed, _ = do(search._replace(folder=copy))
    assert without_seconds(resumed) == without_seconds(trials)


def test_a_trial_that_is_stopped_is_done_again(straight, data_dir):
    search = begin(data_dir, trials=3)

    class StopError(Exception):
        pass

    def stop(batches, title, _total):
        for batch in batches:
            if title == "trial 1":
                raise StopError
            yield batch

    with pytest.raises(StopError):
        do(search, stop)
    assert search.place.trial(1).exists()
    resumed, lines = do(search)
    assert without_seconds(resumed) == without_seconds(straight[1])[:3]
    assert len(lines) == 2


def test_the_time_ends_a_search_in_the_middle_of_a_trial(data_dir, monkeypatch):
    search = begin(data_dir, time=1000.0)
    now = [0.0]
    monkeypatch.setattr(searching, "perf_counter", lambda: now[0])

    def slow(batches, title, _total):
        for batch in batches:
            now[0] += 1500.0 / 40 if title == "trial 0" else 3000.0
            yield batch

    trials, _ = do(search, slow)
    assert [trial.number for trial in trials] == [0]  # which may take longer than all
    assert not search.place.trial(1).exists()


def test_a_trial_that_is_worse_than_the_median_is_ended_early(data_dir, monkeypatch):
    monkeypatch.setattr(searching, "UNPRUNED", 1)
    monkeypatch.setattr(searching, "FEWEST_EPOCHS", 1)
    search = begin(data_dir, trials=6)
    trials, lines = do(search)
    early = [trial for trial in trials if trial.figure is None]
    assert early
    assert 0 not in [trial.number for trial in early]
    assert f"trial {early[0].number}: ended after epoch {early[0].epochs}" in lines[early[0].number]
    assert not search.place.logits(early[0].number).exists()


def test_a_trial_that_diverges_counts_as_bad_but_the_defaults_may_not(data_dir, monkeypatch):
    search, run = begin(data_dir, trials=3), training.run

    def diverge(setup, **more):
        if setup.config.lr != search.setup.config.lr:
            raise DivergedError("the loss is not a number")
        return run(setup, **more)

    monkeypatch.setattr(training, "run", diverge)
    trials, _ = do(search)
    assert [trial.figure is None for trial in trials] == [False, True, True]
    monkeypatch.setattr(training, "run", lambda setup, **more: diverge(setup.changed(lr=1.0), **more))
    with pytest.raises(DivergedError):
        do(begin(data_dir, trials=3))


def test_folds_predict_each_document_of_train_and_validation_once(data_dir):
    search = begin(data_dir, trials=2, folds=3, metric="macro-f1")
    ordinary = search.setup.parts
    rows = np.concatenate([fold.parts["validation"].rows for fold in search.folds])
    assert sorted(rows) == sorted([*ordinary["train"].rows, *ordinary["validation"].rows])
    for fold in search.folds:
        assert not set(fold.parts["train"].rows) & set(fold.parts["validation"].rows)
        assert set(fold.parts) == {"train", "validation"}
    trials, _ = do(search)
    assert trials[0].figure == goal.value(
        search.figures(tune_folder.read_logits(search.place, 0, shape=(len(rows), 3)), {}), len(rows)
    )
    assert "class_weights" in trials[1].settings


def test_several_labels(several_data):
    trials, _ = do(begin(several_data, trials=2, metric="micro-f1"))
    assert trials[0].figure is not None
    assert 0 < trials[0].figure <= 1


def test_trials_of_a_killed_process_are_no_longer_running(straight):
    copy = TuneFolder(Path("copy"))
    shutil.copytree(straight[0].place.root, copy.root)
    study = open_study(copy)
    study.ask()
    assert len(open_study(copy).trials) == 6
    assert [each.state.name for each in open_study(copy).trials][-1] == "FAIL"
    assert len(finished(open_study(copy))) == 5


def test_tensorboard_shows_each_trial(straight):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    search, trials, _ = straight
    shown = EventAccumulator(str(search.place.trial(0)))
    shown.Reload()
    best = shown.Scalars("Loss/best")[-1]
    assert best.value == pytest.approx(trials[0].figure, rel=1e-5)
    assert shown.SummaryMetadata("_hparams_/session_start_info").plugin_data.plugin_name == "hparams"
