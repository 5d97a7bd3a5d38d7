import json
import os
from pathlib import Path

import pytest

from textclf.artefacts import runs
from textclf.artefacts.run_list import State, summaries
from textclf.artefacts.runs import RunLayout
from textclf.system import locks

FIGURES = {"accuracy": 0.75, "macro_f1": 0.5, "loss": 1.0}
METRICS = {"corpus": "news", "tier": "tiny", "model": "mlp", "seed": 3, "validation": FIGURES}
CONFIG = {"settings": {"tier": "tiny", "model": "mlp", "seed": 3}, "data": {"name": "news"}}


def make(name, *, config=CONFIG, metrics=None, folder="runs"):
    run = RunLayout(Path(folder, name))
    run.root.mkdir(parents=True)
    for path, values in ((run.config, config), (run.metrics, metrics)):
        if values is not None:
            path.write_text(values if isinstance(values, str) else json.dumps(values))
    return run


def listed(folder="runs"):
    return {run.path.name: run for run in summaries(Path(folder))}


def test_a_finished_run_has_the_figures_of_test_or_else_of_validation():
    make("a", metrics={**METRICS, "test": {**FIGURES, "accuracy": 1}})
    make("b", metrics=METRICS)
    found = listed()
    assert {run.state for run in found.values()} == {State.FINISHED}
    assert {(run.corpus, run.tier, run.model, run.seed) for run in found.values()} == {("news", "tiny", "mlp", 3)}
    assert [(found[name].split, found[name].accuracy) for name in "ab"] == [("test", 1), ("validation", 0.75)]


def test_a_run_without_figures_is_stopped_or_still_trained():
    make("stopped")
    make("early", config=None).last.parent.mkdir()
    run = make("busy")
    with locks.holding(run.root):
        found = listed()
    assert {name: each.state for name, each in found.items()} == {
        "stopped": State.STOPPED,
        "early": State.STOPPED,
        "busy": State.TRAINING,
    }
    assert (found["stopped"].corpus, found["early"].corpus, found["stopped"].accuracy) == ("news", "", None)


def test_a_copied_model_is_listed_by_what_it_says_of_its_training():
    make("production", config={"model": "mlp", "trained": {**METRICS, "model": None}})
    assert (listed()["production"].model, listed()["production"].accuracy) == ("mlp", 0.75)


@pytest.mark.parametrize(
    ("config", "metrics"),
    [
        ("{", None),
        ("7", None),
        ({}, None),
        ({**CONFIG, "settings": 7}, None),
        ({**CONFIG, "data": {"name": ["news"]}}, None),
        (CONFIG, ""),
        (CONFIG, "[]"),
        (CONFIG, {}),
        (CONFIG, {**METRICS, "test": {}}),
        (CONFIG, {**METRICS, "test": {**FIGURES, "accuracy": None}}),
        (CONFIG, {**METRICS, "test": {**FIGURES, "accuracy": "high"}}),
        (CONFIG, {**METRICS, "corpus": 7}),
    ],
)
def test_a_damaged_run_is_listed_and_hides_no_other(config, metrics):
    make("whole", metrics=METRICS)
    make("damaged", config=config, metrics=metrics)
    found = listed()
    assert {name: run.state for name, run in found.items()} == {"whole": "finished", "damaged": "unreadable"}
    assert "damaged" in found["damaged"].error


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may read everything")
def test_a_run_that_may_not_be_read_is_listed():
    run = make("private", metrics=METRICS)
    run.root.chmod(0)
    assert listed()["private"].state is State.UNREADABLE
    run.root.chmod(0o700)


def test_a_pipe_in_the_place_of_a_file_is_not_waited_for():
    run = make("piped")
    os.mkfifo(run.metrics)
    assert listed()["piped"].state is State.UNREADABLE


def test_other_folders_and_files_are_no_runs():
    make("run", metrics=METRICS)
    for name in ("notes", ".hidden"):
        Path("runs", name).mkdir()
    Path("runs/README.md").touch()
    assert list(listed()) == ["run"]
    assert not runs.is_run(Path("runs/notes"))
    assert listed("nowhere") == {}


def test_the_newest_comes_first_and_the_latest_is_marked():
    for year in (2025, 2027, 2026):
        make(f"news-tiny-mlp-{year}0101T000000Z", metrics=METRICS)
    runs.set_latest(RunLayout(Path("runs/news-tiny-mlp-20260101T000000Z")))
    found = list(summaries(Path("runs")))
    assert [run.path.name[14:18] for run in found] == ["2027", "2026", "2025"]
    assert [run.is_latest for run in found] == [False, True, False]
    Path("runs/latest").write_bytes(b"\xff/..")
    assert not any(run.is_latest for run in summaries(Path("runs")))


def test_the_size_is_that_of_all_files_but_links():
    run = make("run", metrics=METRICS)
    before = listed()["run"].size
    run.model.mkdir()
    (run.model / "weights").write_bytes(bytes(1000))
    (run.model / "loop").symlink_to(run.root)
    assert listed()["run"].size - before in range(1000, 1100)
