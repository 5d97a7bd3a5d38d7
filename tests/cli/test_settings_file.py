"""--config FILE: a TOML file with a table of options for each command."""

import json
import os
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tests.conftest import invoke
from textclf.cli import main


def run(content: str, *arguments: object) -> Result:
    Path("s.toml").write_text(content, encoding="utf-8")
    command, *rest = map(str, arguments)
    return CliRunner().invoke(main, [command, "--config", "s.toml", *rest])


def test_each_command_takes_its_own_table(run_dir: Path) -> None:
    content = f"""
        [predict]
        run = {json.dumps(str(run_dir))}
        format = "jsonl"
        top_k = 2
        [explain]
        run = {json.dumps(str(run_dir))}
        top-words = "food"
        format = "json"
        [learning_curve]
        seed = 1
    """
    answer = run(content, "predict", "bread and butter")
    assert answer.exit_code == 0, answer.output
    assert len(json.loads(answer.stdout)["top"]) == 2
    assert list(json.loads(run(content, "explain").stdout)) == ["food"]
    assert "\t" in run(content, "predict", "bread and butter", "--format", "text").stdout


def test_a_value_can_be_what_an_option_takes_and_repeats(corpus_csv: Path) -> None:
    content = (
        f'[preprocess]\nname = "x"\ntext-column = ["text"]\nlowercase = false\ntest = {json.dumps(str(corpus_csv))}\n'
    )
    done = run(content, "preprocess", corpus_csv, "--validation-size", "0.2")
    assert done.exit_code == 0, done.output
    manifest = json.loads(Path("data/x/manifest.json").read_text())
    assert manifest["splits"] == {"train": 48, "validation": 12, "test": 60}
    assert manifest["settings"]["lowercase"] is False


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("[train]\nepoch = 3", "s.toml: [train] has no option epoch; did you mean epochs?"),
        ("[train]\nno-refit = true", "s.toml: [train] has no option no-refit; did you mean refit?"),
        ("[train]\nresume = 'runs/r'", "s.toml: [train] has no option resume"),
        ("[trian]\nepochs = 3", "s.toml: there is no command for [trian]; did you mean [train]?"),
        ("epochs = 3", "s.toml: 'epochs' is in no table; put it below [train]"),
        ("[[train]]\nepochs = 3", "s.toml: 'train' is in no table"),
        ("[train]\nepochs = 0", "s.toml: [train] epochs: 0 is not a whole number at least 1"),
        ("[train]\nepochs = '3 or 4'", "s.toml: [train] epochs: '3 or 4' is not a whole number"),
        ("[train]\nepochs = [3]", "s.toml: [train] epochs: [3] is not a whole number"),
        ("[train]\nepochs = 1979-05-27", "s.toml: [train] epochs: datetime.date(1979, 5, 27) is not a whole number"),
        ("[train]\nrefit = 1", "s.toml: [train] refit: 1 is neither true nor false"),
        ("[train]\ndata = 5", "s.toml: [train] data: 5 is not a string"),
        ("[train]\nrun-dir = []", "s.toml: [train] run-dir: [] is not a string"),
        ("[train]\nmodel = 5", "s.toml: [train] model: 5 is not a string"),
        ("[train]\ntier = 'huge'", "s.toml: [train] tier: 'huge' is not one of"),
        ("[train]\nclass-weights = 'no.json'", "s.toml: [train] class-weights: --class-weights 'no.json': give none"),
        ("[train]\nmonitor = 'f1'", "s.toml: [train] monitor: 'f1' is not one of"),
        ("[train]\ncode = [1]", "s.toml: [train] code: 1 is not a string"),
        ("[train]\nepochs = = 3", "s.toml cannot be read as TOML"),
        ("[train]\nepochs = 1\nepochs = 2", "s.toml cannot be read as TOML"),
    ],
)
def test_what_is_wrong_is_named_with_its_file_and_key(content: str, expected: str) -> None:
    done = run(content, "train")
    assert (done.exit_code, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert done.stderr.startswith(f"textclf: {expected}")
    assert [path.name for path in Path().iterdir()] == ["s.toml"]


@pytest.mark.parametrize("value", ["5", "[1]", "true", "{}"])
def test_columns_are_names(value: str, corpus_csv: Path) -> None:
    done = run(f"[preprocess]\ncolumns = {value}", "preprocess", corpus_csv)
    assert done.exit_code == 2
    assert "s.toml: [preprocess] columns: " in done.stderr


def test_several_values_are_a_list_and_the_command_line_replaces_it(run_dir: Path) -> None:
    Path("a.csv").write_text("title,body\nrain,snow\n")
    Path("b.csv").write_text("title,body\nbread,butter\n")
    content = f"""
        [predict]
        run = {json.dumps(str(run_dir))}
        input = ["a.csv", "b.csv"]
        text-column = ["title", "body"]
    """
    both, one = run(content, "predict"), run(content, "predict", "--input", "b.csv")
    assert (both.exit_code, one.exit_code) == (0, 0), both.output + one.output
    assert len(both.stdout.splitlines()) == 2
    assert one.stdout == both.stdout.splitlines(keepends=True)[1]


def test_a_file_that_cannot_be_read_is_named() -> None:
    assert "s.toml" in CliRunner().invoke(main, ["corpora", "--config", "s.toml"]).stderr
    Path("s.toml").write_bytes(b"\xff")
    done = CliRunner().invoke(main, ["corpora", "--config", "s.toml"])
    assert (done.exit_code, done.stderr.count("\n")) == (2, 1)
    assert "s.toml cannot be read as TOML" in done.stderr


# textclf init


def test_init_writes_a_file_that_every_command_takes_as_it_is() -> None:
    assert invoke(CliRunner(), "init").stdout == "textclf.toml\n"
    content = Path("textclf.toml").read_text()
    assert content.endswith("\n")
    assert all(len(line) <= 80 for line in content.splitlines())
    for name in set(main.commands) - {"init", "completion"}:  # type: ignore[attr-defined]
        assert f"\n[{name}]\n" in content
        context = main.commands[name].make_context(  # type: ignore[attr-defined]
            name, ["--config", "textclf.toml"], parent=main.make_context("textclf", [name]), resilient_parsing=True
        )
        plain = main.commands[name].make_context(name, [], resilient_parsing=True)  # type: ignore[attr-defined]
        assert {**context.params} == {**plain.params}
    done = invoke(CliRunner(), "corpora", "--config", "textclf.toml", "--format", "json")
    assert done.stdout == invoke(CliRunner(), "corpora", "--format", "json").stdout


def test_init_names_every_option_once_with_its_help() -> None:
    from textclf.cli.settings_file import options_by_key

    invoke(CliRunner(), "init", "--output", "all.toml")
    tables = Path("all.toml").read_text().split("\n[")[1:]
    for table in tables:
        name, _, body = table.partition("]")
        options = options_by_key(main.commands[name])  # type: ignore[attr-defined]
        keys = [line.removeprefix("# ").partition(" =")[0] for line in body.splitlines() if " = " in line]
        assert {options[key].name for key in keys} == {option.name for option in options.values()}
        assert len(set(keys)) == len(keys)
        words = " ".join(body.replace("\n# ", " ").split())
        for option in options.values():
            assert (option.help or "").partition(" [default:")[0] in words


def test_init_replaces_a_file_only_if_asked() -> None:
    Path("textclf.toml").write_text("mine")
    refused = CliRunner().invoke(main, ["init"])
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert "textclf.toml is there: name another --output, or replace it with --overwrite" in refused.stderr
    assert Path("textclf.toml").read_text() == "mine"
    invoke(CliRunner(), "init", "--overwrite")
    assert "[train]" in Path("textclf.toml").read_text()


def test_init_writes_to_no_pipe_and_no_folder_that_is_not_there() -> None:
    os.mkfifo("pipe")
    assert "pipe is not a file" in CliRunner().invoke(main, ["init", "--output", "pipe", "--overwrite"]).stderr
    done = CliRunner().invoke(main, ["init", "--output", "no/such/folder.toml"])
    assert (done.exit_code, done.stderr.count("\n")) == (2, 1)
