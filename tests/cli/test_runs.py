"""`textclf runs`."""

import json
import os
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.artefacts.test_run_list import FIGURES, METRICS, make
from tests.conftest import invoke
from textclf.artefacts import runs
from textclf.cli import main
from textclf.cli.runs import KEYS

NAMES = [f"news-{tier}-mlp-20260101T00000{second}Z" for second, tier in enumerate(("full", "tiny", "mid"))]


@pytest.fixture
def three() -> None:
    for name, accuracy in zip(NAMES, (0.7, 0.9, 0.8), strict=True):
        tier = name.split("-")[1]
        make(name, metrics={**METRICS, "tier": tier, "test": {**FIGURES, "accuracy": accuracy}})
    runs.set_latest(runs.RunLayout(Path("runs", NAMES[0])))


def shown(runner: CliRunner, *options: str, columns: int = 80) -> list[str]:
    done = runner.invoke(main, ["runs", *options], env={"COLUMNS": str(columns)})
    assert (done.exit_code, done.stderr) == (0, "")
    return done.stdout.splitlines()


@pytest.mark.usefixtures("three")
def test_runs_are_listed_the_newest_first_and_latest_is_marked(runner: CliRunner) -> None:
    head, *rows = shown(runner, columns=200)
    columns = ["name", "corpus", "tier", "model", "accuracy", "macro-F1", "size", "age", "state"]
    assert head.split() == columns
    assert [row.removeprefix("*").split()[0] for row in rows] == NAMES[::-1]
    assert [row.startswith("* ") for row in rows] == [False, False, True]
    assert rows[0].split()[1:6] == ["news", "mid", "mlp", "0.8000", "0.5000"]
    assert {row.split()[-1] for row in rows} == {"finished"}


@pytest.mark.usefixtures("three")
@pytest.mark.parametrize(
    ("column", "order"),
    [("age", (2, 1, 0)), ("accuracy", (1, 2, 0)), ("tier", (1, 2, 0)), ("name", (0, 2, 1)), ("macro-f1", (2, 1, 0))],
)
def test_runs_are_sorted_by_a_column(column: str, order: tuple[int, ...], runner: CliRunner) -> None:
    rows = shown(runner, "--sort", column)[1:]
    assert [row.removeprefix("*").split()[0] for row in rows] == [NAMES[place] for place in order]


@pytest.mark.parametrize("column", KEYS)
def test_runs_in_any_state_can_be_sorted(column: str, runner: CliRunner) -> None:
    make("finished", metrics=METRICS)
    make("stopped")
    make("damaged", config="{")
    rows = shown(runner, "--sort", column)[1:]
    assert {row.split()[0] for row in rows} == {"finished", "stopped", "damaged"}
    if column in ("accuracy", "macro-f1"):
        assert rows[0].split()[:3] == ["finished", "news", "tiny"]
        assert "v 0.7500" in rows[0]


def test_a_run_of_a_few_documents_says_how_many_of_each_label(runner: CliRunner) -> None:
    make("few", metrics={**METRICS, "shots": 8})
    assert f"{METRICS['tier']}, 8 per label" in shown(runner, columns=200)[1]
    assert json.loads(invoke(runner, "runs", "--format", "json").stdout)[0]["shots"] == 8


@pytest.mark.parametrize("length", [3, 30, 45, 200])
@pytest.mark.parametrize("columns", [40, 80, 120])
def test_the_table_is_never_wider_than_the_terminal(length: int, columns: int, runner: CliRunner) -> None:
    make(length * "n", metrics=METRICS)
    make(min(length, 60) * "日", config="{")
    lines = shown(runner, columns=columns)
    assert max(map(len, lines)) <= columns
    assert "accuracy" in lines[0]
    assert lines[0].endswith("state")


@pytest.mark.usefixtures("three")
def test_json_has_the_values_as_they_are(runner: CliRunner) -> None:
    make("broken", config="{")
    os.utime("runs/broken/config.json", (5, 5))
    found = json.loads(invoke(runner, "runs", "--format", "json").stdout)
    assert [run["name"] for run in found] == [*NAMES[::-1], "broken"]
    assert found[2] == {
        "name": NAMES[0],
        "path": f"runs/{NAMES[0]}",
        "latest": True,
        "state": "finished",
        "corpus": "news",
        "tier": "full",
        "model": "mlp",
        "encoder": None,
        "shots": None,
        "seed": 3,
        "split": "test",
        "accuracy": 0.7,
        "macro_f1": 0.5,
        "bytes": found[2]["bytes"],
        "started": "2026-01-01T00:00:00+00:00",
        "error": None,
    }
    assert (found[3]["state"], found[3]["accuracy"], found[3]["corpus"]) == ("unreadable", None, None)
    assert "is damaged" in found[3]["error"]


def test_without_runs_the_list_is_empty_and_the_way_to_one_is_said(runner: CliRunner) -> None:
    done = invoke(runner, "runs")
    assert (done.exit_code, done.stdout) == (0, "")
    assert done.stderr == "textclf: no runs in runs; train one: textclf train\n"
    assert json.loads(invoke(runner, "runs", "--format", "json").stdout) == []
    wrong = invoke(runner, "runs", "--run-dir", "rums")
    assert (wrong.exit_code, wrong.stderr) == (2, "textclf: no folder rums; name the folder of your runs: --run-dir\n")


def test_a_list_in_another_folder(runner: CliRunner) -> None:
    make("mine", metrics=METRICS, folder="elsewhere")
    assert shown(runner, "--run-dir", "elsewhere")[1].startswith("  mine ")
