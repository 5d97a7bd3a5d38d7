"""Every mistake a user can make: one line on stderr that says what to do, and its exit code."""

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from textclf.cli import main
from textclf.dataset.manifest import FORMAT_VERSION


def fails(runner: CliRunner, arguments: list[str], code: int, *parts: str) -> None:
    """Assert that the command ends with this code and one line on stderr that has these parts."""
    done = runner.invoke(main, arguments)
    assert done.exit_code == code, done.output
    assert done.stdout == ""
    line = done.stderr.removesuffix("\n")
    assert line.startswith("textclf: ")
    assert "\n" not in line
    for part in parts:
        assert part in line


@pytest.fixture
def reviews() -> str:
    Path("reviews.csv").write_text("title,stars\ngood,5\nbad,1\nfine,5\npoor,1\n", encoding="utf-8")
    return "reviews.csv"


@pytest.fixture
def copied(data_dir: Path) -> Path:
    shutil.copytree(data_dir, "data/copied")
    return Path("data/copied")


def test_no_such_corpus_names_the_nearest(runner: CliRunner) -> None:
    fails(runner, ["preprocess", "bbc_new"], 2, "no corpus, file or folder named 'bbc_new'", "did you mean bbc_news?")


def test_no_such_file(runner: CliRunner) -> None:
    fails(runner, ["preprocess", "nothing.csv"], 2, "nothing.csv")


def test_no_such_column_names_those_present(runner: CliRunner, reviews: str) -> None:
    fails(runner, ["preprocess", reviews, "--text-column", "body"], 2, "body", "title", "stars")


def test_an_empty_file(runner: CliRunner) -> None:
    Path("empty.csv").touch()
    fails(runner, ["preprocess", "empty.csv"], 3, "empty.csv", "empty")


def test_one_class_only(runner: CliRunner) -> None:
    Path("one.csv").write_text("text,label\na,x\nb,x\n", encoding="utf-8")
    fails(runner, ["preprocess", "one.csv"], 3, "needs at least two classes, found one: 'x'")


def test_an_unsupported_file_is_not_opened(runner: CliRunner) -> None:
    Path("data.pkl").write_bytes(b"cos\nsystem\n(S'touch opened'\ntR.")
    fails(runner, ["preprocess", "data.pkl"], 2, "data.pkl", ".csv")
    assert not Path("opened").exists()


def test_other_settings_do_not_mix(runner: CliRunner, corpus_csv: Path) -> None:
    made = ["preprocess", str(corpus_csv), "--num-workers", "1"]
    assert runner.invoke(main, made).exit_code == 0
    again = runner.invoke(main, made)
    assert (again.exit_code, again.stdout) == (0, "data/tiny_corpus\n")
    fails(runner, [*made, "--max-vocab", "5"], 2, "--max-vocab was 100000 and is 5", "--overwrite", "--name")
    assert runner.invoke(main, [*made, "--max-vocab", "5", "--overwrite"]).exit_code == 0


def test_labels_that_training_lacks_warn_or_with_strict_fail(runner: CliRunner, corpus_csv: Path) -> None:
    Path("test.csv").write_text("text,label\nthe cat,animals\nice,space\nmars,space\n", encoding="utf-8")
    arguments = ["preprocess", str(corpus_csv), "--test", "test.csv", "--num-workers", "1"]
    fails(runner, [*arguments, "--strict"], 3, "'space' (2)")
    done = runner.invoke(main, arguments)
    assert done.exit_code == 0
    assert (
        "problem: no training document has these labels of test, so their documents count as errors: 'space' (2)"
        in " ".join(done.stderr.split())
    )
    trained = runner.invoke(main, ["train", "--epochs", "1", "--hidden-size", "8", "--device", "cpu"])
    metrics = json.loads((Path(trained.stdout.strip()) / "metrics.json").read_text())
    assert metrics["test"]["accuracy"] <= 1 / 3


def test_an_unfinished_data_directory(runner: CliRunner, copied: Path) -> None:
    (copied / "manifest.json").unlink()
    fails(runner, ["train", "--data", "copied"], 3, "data/copied is unfinished", "textclf preprocess")
    fails(runner, ["info", "data/copied"], 3, "data/copied is unfinished")


@pytest.mark.parametrize("version", [FORMAT_VERSION - 1, FORMAT_VERSION + 1])
def test_a_data_directory_of_an_older_or_a_newer_format(version: int, runner: CliRunner, copied: Path) -> None:
    manifest = json.loads((copied / "manifest.json").read_text())
    (copied / "manifest.json").write_text(json.dumps({**manifest, "format_version": version}))
    ways_out = ("upgrade textclf", "rebuild the directory: textclf preprocess SOURCE --overwrite")
    fails(runner, ["train", "--data", "copied"], 4, f"format {version}", *ways_out)


def test_a_damaged_tensor_is_named_when_it_is_read(runner: CliRunner, copied: Path) -> None:
    tensor = next(copied.glob("tensors/??/train-*.pt"))
    content = bytearray(tensor.read_bytes())
    content[448] ^= 1
    tensor.write_bytes(content)
    fails(runner, ["train", "--data", "copied", "--store", "files", "--device", "cpu"], 4, str(tensor))


def test_no_data_yet(runner: CliRunner) -> None:
    fails(runner, ["train"], 2, "no data under data", "textclf preprocess")


@pytest.mark.parametrize("command", ["train", "learning-curve"])
@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("nowhere", "no data directory data/nowhere;"),
        ("data/nowhere", "no data directory data/nowhere;"),
        ("./nowhere", "no data directory nowhere;"),
        ("elsewhere/nowhere/", "no data directory elsewhere/nowhere;"),
        ("/nowhere", "no data directory /nowhere;"),
    ],
)
def test_data_that_is_not_there_is_named_as_it_was_given(
    command: str, given: str, said: str, runner: CliRunner
) -> None:
    fails(runner, [command, "--data", given], 2, said, "textclf preprocess")


@pytest.mark.parametrize("command", [["predict", "hello"], ["evaluate"], ["info"]])
def test_no_run_yet(runner: CliRunner, command: list[str]) -> None:
    fails(runner, command, 2, "no finished run in runs", "textclf train")


def test_no_such_run(runner: CliRunner) -> None:
    fails(runner, ["predict", "--run", "runs/gone", "hello"], 2, "runs/gone")
    fails(runner, ["train", "--resume", "runs/gone"], 2, "runs/gone")
    fails(runner, ["info", "gone"], 2, "gone")


@pytest.mark.parametrize(
    "command", [["predict", "x", "--run"], ["evaluate", "--run"], ["train", "--resume"], ["compare", "."], ["verify"]]
)
def test_another_folder_is_no_run(runner: CliRunner, copied: Path, command: list[str]) -> None:
    fails(runner, [*command, str(copied)], 2, " is not a run; list the runs: textclf runs")


def test_an_unknown_tier_model_and_device(runner: CliRunner, data_dir: Path) -> None:
    fails(runner, ["train", "--tier", "huge"], 2, "'huge'", "tiny", "full")
    fails(runner, ["train", "--model", "svm"], 2, "'svm'", "mlp", "lstm")
    fails(runner, ["train", "--data", str(data_dir), "--device", "tpu9"], 2, "'tpu9'", "auto")
    assert not Path("runs").exists()


def test_a_setting_of_the_other_model(runner: CliRunner) -> None:
    fails(runner, ["train", "--max-length", "5"], 2, "--max-length is not a setting of the mlp")


def test_nothing_to_predict(runner: CliRunner) -> None:
    fails(runner, ["predict"], 2, "nothing to predict")


def test_stdin_that_is_not_utf8(runner: CliRunner, run_dir: Path) -> None:
    done = runner.invoke(main, ["predict", "--run", str(run_dir), "-"], input=b"fine\n\xa3 5\n")
    assert done.exit_code == 3
    assert "stdin:2: byte 0xa3 is not UTF-8" in done.stderr


def test_a_resumed_run_takes_no_settings(runner: CliRunner, run_dir: Path) -> None:
    fails(runner, ["train", "--resume", str(run_dir), "--lr", "1"], 2, "--lr")


def test_a_damaged_model(runner: CliRunner, run_dir: Path) -> None:
    shutil.copytree(run_dir, "runs/broken")
    Path("runs/broken/model/model.safetensors").write_bytes(b"not a model")
    fails(runner, ["predict", "--run", "runs/broken", "hello"], 4, "runs/broken/model", "damaged")


def test_an_unreachable_hub_names_a_corpus_that_needs_none(runner: CliRunner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    fails(runner, ["preprocess", "ag_news"], 3, "ag_news", "bbc_news needs no network")


def test_unknown_commands_and_options(runner: CliRunner) -> None:
    fails(runner, ["tran"], 2, "tran")
    fails(runner, ["train", "--epoch", "3"], 2, "--epoch", "--epochs")
    fails(runner, ["train", "--epochs", "0"], 2, "--epochs")
    fails(runner, ["train", "--label-smoothing", "1"], 2, "--label-smoothing")
    fails(runner, ["preprocess", "bbc_news", "--max-parts", "-1"], 2, "--max-parts")


@pytest.mark.parametrize(
    "arguments",
    [
        ("predict", "--run", "", "rain"),
        ("predict", "--run=", "rain"),
        ("predict", "--input", ""),
        ("train", "--data", ""),
        ("export", "--output", ""),
    ],
)
def test_an_option_that_is_empty_is_named(arguments: tuple[str, ...], runner: CliRunner) -> None:
    done = runner.invoke(main, arguments)
    assert (done.exit_code, done.stdout) == (2, "")
    option = next(word for word in arguments if word.startswith("--")).removesuffix("=")
    assert done.stderr.startswith(f"textclf: {option} is empty: is a variable of the shell not set?; see textclf ")


def test_an_empty_quote_and_words_after_two_dashes_are_no_empty_options(runner: CliRunner, run_dir: Path) -> None:
    Path("f.csv").write_text("text\nrain\n")
    options = ["predict", "--run", str(run_dir), "--input", "f.csv", "--quote", ""]
    assert runner.invoke(main, options).exit_code == 0
    assert runner.invoke(main, ["predict", "--run", str(run_dir), "--", "--run", ""]).exit_code == 0
