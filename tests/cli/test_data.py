"""`textclf data`."""

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.conftest import invoke
from textclf.cli import main
from textclf.cli.data import KEYS


@pytest.fixture
def two(data_dir: Path) -> None:
    for name in ("reviews", "tickets"):
        shutil.copytree(data_dir, Path("data", name))
    Path("data/begun").mkdir()
    Path("data/begun/begun.json").touch()


@pytest.mark.usefixtures("two")
def test_data_directories_are_listed_with_their_sizes(runner: CliRunner) -> None:
    done = runner.invoke(main, ["data"], env={"COLUMNS": "200"})
    head, *rows = done.stdout.splitlines()
    assert head.split() == ["name", "documents", "labels", "size", "age", "state", "source"]
    cells = {row.removeprefix("*").split()[0]: row.split() for row in rows}
    assert set(cells) == {"reviews", "tickets", "begun"}
    assert "60" in cells["reviews"]
    assert cells["begun"][-1] == "unfinished"
    assert sum(row.startswith("* ") for row in rows) == 1


@pytest.mark.usefixtures("two")
@pytest.mark.parametrize("column", KEYS)
def test_they_are_sorted_by_any_column_and_fit_80_columns(column: str, runner: CliRunner) -> None:
    done = runner.invoke(main, ["data", "--sort", column], env={"COLUMNS": "80"})
    assert done.exit_code == 0
    assert max(map(len, done.stdout.splitlines())) <= 80
    first = done.stdout.splitlines()[1].split()[-6:]
    assert ("begun" in first) == (column in ("name", "age", "source"))


@pytest.mark.usefixtures("two")
def test_json_has_the_values_as_they_are(runner: CliRunner) -> None:
    found = {data["name"]: data for data in json.loads(invoke(runner, "data", "--format", "json").stdout)}
    assert found["reviews"]["documents"] == {"train": 48, "validation": 6, "test": 6}
    assert (found["reviews"]["labels"], found["begun"]["labels"]) == (3, None)
    assert [data["latest"] for data in found.values()].count(True) == 1


def test_without_data_the_list_is_empty_and_the_way_to_some_is_said(runner: CliRunner) -> None:
    done = invoke(runner, "data")
    assert (done.exit_code, done.stdout) == (0, "")
    assert done.stderr == "textclf: no data in data; make some: textclf preprocess\n"
    assert json.loads(invoke(runner, "data", "--format", "json").stdout) == []
    wrong = invoke(runner, "data", "--data-dir", "date")
    assert (wrong.exit_code, wrong.stderr) == (2, "textclf: no folder date; name the folder of your data: --data-dir\n")
