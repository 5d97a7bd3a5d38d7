"""All commands: their list, and how much they say on stderr."""

import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.conftest import invoke
from textclf.cli import GROUPS, NAMES, main, terminal

HAS_EACH = ["--config", "-q", "--quiet", "-v", "--verbose", "--debug"]


def test_without_a_command_the_help_is_shown(runner: CliRunner) -> None:
    shown = runner.invoke(main, [])
    assert (shown.exit_code, shown.stderr) == (0, "")
    assert shown.stdout == runner.invoke(main, ["--help"]).stdout == runner.invoke(main, ["--quiet"]).stdout


def test_the_help_lists_each_command_once_in_the_order_of_the_work(runner: CliRunner) -> None:
    shown = runner.invoke(main, ["--help"]).stdout
    lists = shown.split("\nData:\n")[1]
    assert re.findall(r"^(\w+):$", f"Data:\n{lists}", re.MULTILINE) == list(GROUPS)
    assert re.findall(r"^  ([\w-]+) ", lists, re.MULTILINE) == list(NAMES)
    assert set(NAMES) == {path.stem.replace("_", "-") for path in files_of_commands()}


def files_of_commands() -> list[Path]:
    folder = Path(terminal.__file__).parent
    return [path for path in folder.glob("*.py") if "@commands.command(" in path.read_text()]


def test_the_help_fits_80_columns_without_a_sentence_cut_short(runner: CliRunner) -> None:
    shown = runner.invoke(main, [], terminal_width=80).stdout
    assert max(map(len, shown.splitlines())) <= 80
    assert "..." not in shown.split("\nData:\n")[1]


@pytest.mark.parametrize("name", NAMES)
def test_every_command_has_the_options_of_all(name: str, runner: CliRunner) -> None:
    shown = runner.invoke(main, [name, "--help"]).stdout
    assert all(option in shown for option in HAS_EACH)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("first", [True, False])
def test_debug_shows_the_traceback_of_an_error_of_any_command(first: bool, name: str, runner: CliRunner) -> None:
    command = [name, "--no-such-option"]
    plain = runner.invoke(main, command)
    shown = runner.invoke(main, ["--debug", *command] if first else [*command, "--debug"])
    assert plain.exit_code == shown.exit_code == 2
    assert shown.stderr.startswith("Traceback (most recent call last):")
    assert shown.stderr.endswith(plain.stderr)
    assert len(plain.stderr.splitlines()) == 1


def test_debug_shows_where_an_error_of_ours_was_raised(runner: CliRunner) -> None:
    shown = runner.invoke(main, ["evaluate", "--run", "nowhere", "--debug"])
    assert shown.exit_code == 2
    assert "in resolve" in shown.stderr
    assert "Traceback" not in runner.invoke(main, ["evaluate", "--run", "nowhere", "-v"]).stderr


def test_a_text_that_is_called_debug_shows_no_traceback(runner: CliRunner) -> None:
    shown = runner.invoke(main, ["predict", "--run", "nowhere", "--", "--debug"])
    assert len(shown.stderr.splitlines()) == 1


@pytest.mark.parametrize("run_dir", ["mlp"], indirect=True)
def test_quiet_leaves_results_and_errors_alone(runner: CliRunner, run_dir: Path) -> None:
    command = ["predict", "--run", str(run_dir), "  ", "rain"]
    usual, quiet, first = (invoke(runner, *words) for words in (command, [*command, "--quiet"], ["-q", *command]))
    assert usual.stderr.startswith("textclf: ")
    assert usual.stdout == quiet.stdout == first.stdout
    assert quiet.stderr == first.stderr == ""
    assert runner.invoke(main, ["predict", "-q", "--run", "nowhere", "x"]).stderr.startswith("textclf: no run")


QUIET = {
    "preprocess": ["{corpus}", "--num-workers", "1"],
    "check": ["{data}"],
    "suspects": ["{data}", "--folds", "2", "--device", "cpu"],
    "select": ["--run", "{run}", "--input", "{corpus}", "--n", "3"],
    "data": ["--data-dir", "{data}/.."],
    "corpora": [],
    "train": ["--data", "{data}", "--epochs", "1", "--hidden-size", "8", "--device", "cpu"],
    "tune": ["--data", "{data}", "--trials", "1", "--device", "cpu"],
    "evaluate": ["--run", "{run}"],
    "learning-curve": ["--data", "{data}", "--device", "cpu", "--output", "curve.svg"],
    "predict": ["--run", "{run}", "", "rain"],
    "export": ["--run", "{run}", "--output", "out", "--max-drop", "100"],
    "explain": ["--run", "{run}", "--top-k", "1"],
    "compare": ["{run}", "{run}"],
    "report": ["--run", "{run}", "--output", "report.html"],
    "runs": ["--run-dir", "{run}/.."],
    "info": ["{run}"],
    "verify": ["{run}"],
    "encoder": ["list", "--format", "json"],
    "vectors": ["list", "--format", "json"],
    "init": [],
    "completion": ["bash"],
}
"""Arguments with which each command works; serve does until it is stopped."""


def test_every_command_is_tried_quietly() -> None:
    assert {*QUIET, "serve"} == set(NAMES)


@pytest.mark.parametrize("run_dir", ["mlp"], indirect=True)
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.long] if name == "learning-curve" else []) for name in QUIET]
)
def test_a_command_that_works_says_nothing_but_its_result_if_quiet(
    name: str, runner: CliRunner, run_dir: Path, data_dir: Path, corpus_csv: Path
) -> None:
    given = {"run": run_dir, "data": data_dir, "corpus": corpus_csv}
    done = invoke(runner, name, "--quiet", *(word.format(**given) for word in QUIET[name]))
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout


@pytest.mark.parametrize("run_dir", ["mlp"], indirect=True)
def test_verbose_says_the_settings_and_the_time(runner: CliRunner, run_dir: Path) -> None:
    shown = invoke(runner, "predict", "--run", run_dir, "--top-k", "2", "rain", "--verbose").stderr
    assert "  --top-k 2 (given)\n" in shown
    assert "  --format text (default)\n" in shown
    assert re.search(r"^textclf: predict took \d+\.\d\d s$", shown, re.MULTILINE)


@pytest.mark.parametrize("run_dir", ["mlp"], indirect=True)
def test_verbose_says_what_is_read_and_how(runner: CliRunner, run_dir: Path, data_dir: Path) -> None:
    Path("rows.csv").write_text("n;text\n1;rain\n2;bread\n")
    Path("lines.txt").write_text("rain\n")
    read = invoke(runner, "predict", "-v", "--run", run_dir, "--input", "rows.csv", "--input", "lines.txt").stderr
    assert f"textclf: reading the model {run_dir}/model\n" in read
    assert "textclf: reading rows.csv as csv; columns: text text; delimiter ';'" in read
    assert "textclf: reading lines.txt as lines; no columns\n" in read
    assert f"textclf: reading the run {run_dir}\n" in invoke(runner, "evaluate", "-v", "--run", run_dir).stderr
    trained = ["train", "-v", "--data", str(data_dir), "--epochs", "1", "--hidden-size", "8", "--device", "cpu"]
    shown = " ".join(invoke(runner, *trained).stderr.split())
    assert f"data {data_dir}, fingerprint " in shown
    assert "settings: --tier mid, --shots none, --model mlp," in shown
    assert "--patience 2," in shown


def test_the_last_of_quiet_and_verbose_decides(runner: CliRunner) -> None:
    assert invoke(runner, "-v", "corpora", "-q").stderr == ""
    assert "took" in invoke(runner, "-q", "corpora", "-v").stderr
    assert invoke(runner, "corpora").stderr == ""


def test_an_unknown_command_or_option_names_the_nearest(runner: CliRunner) -> None:
    assert "Did you mean 'train'?" in runner.invoke(main, ["tran"]).stderr
    assert "'--tier'" in runner.invoke(main, ["train", "--tire"]).stderr


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (["train", "--text-column", "x"], "'--text-column' of textclf train: it is one of textclf preprocess"),
        (["preprocess", "--tier", "full"], "'--tier' of textclf preprocess: it is one of textclf train"),
        (["preprocess", "--no-refit"], "'--no-refit' of textclf preprocess: it is one of textclf train"),
        (["--tier", "full", "train"], "'--tier' before a command: it is one of textclf train"),
    ],
)
def test_an_option_of_another_command_says_whose_it_is(command: list[str], message: str, runner: CliRunner) -> None:
    done = runner.invoke(main, command)
    assert (done.exit_code, done.stderr) == (2, f"textclf: No such option {message}\n")


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (["help"], "No such command 'help'; see textclf --help"),
        (["--xyz"], "No such option '--xyz'; see textclf --help"),
        (["compare", "a"], "Missing argument 'RUN_B'; see textclf compare --help"),
        (["info", "a", "b"], "Got unexpected extra argument (b); see textclf info --help"),
        (["train", "--epochs", "0"], "Invalid value for '--epochs': '0' is not a whole number at least 1 and at most "),
    ],
)
def test_a_mistake_without_a_near_name_says_where_the_help_is(
    command: list[str], message: str, runner: CliRunner
) -> None:
    done = runner.invoke(main, command)
    assert done.exit_code == 2
    assert done.stderr.startswith(f"textclf: {message}")
    assert done.stderr.count("see textclf") == message.count("see textclf")
