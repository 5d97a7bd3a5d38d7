"""Labels, texts, ids and paths with characters that act on a terminal, through every command."""

import csv
import io
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.conftest import TEXTS, invoke, small_config

ACTS = {
    *map(chr, range(0x20)),
    *map(chr, range(0x7F, 0xA0)),
    *"\u061c\u200e\u200f\u2028\u2029\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069",
} - {"\n", "\t"}
"""Characters that move the cursor, change colours or titles, ring, or reorder a line."""

ODD = "\x1b[31m\x1b]0;owned\x07\x9b2J\u202ebackwards\u2066"
LABELS = {"animals": f"animals{ODD}", "food": "food\nweather  1  1  1\r", "weather": "=1+1|`<b>\u200f\u2028"}


def rows() -> list[dict[str, str]]:
    return [
        {"text": f"{text} {ODD} number{copy}", "label": LABELS[label], "id": f"{ODD}{label}{number}-{copy}"}
        for copy in range(5)
        for label, texts in TEXTS.items()
        for number, text in enumerate(texts)
    ]


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with hostile.jsonl, data/hostile and runs/, made once."""
    from textclf import training
    from textclf.config import PreprocessConfig
    from textclf.dataset.build import preprocess

    folder = tmp_path_factory.mktemp("hostile") / f"folder{ODD}".replace("/", "")
    folder.mkdir()
    repeated = [rows()[0] | {"id": "again", "label": LABELS["food"]}]  # a text with two labels
    source = folder / f"corpus{ODD}.jsonl"
    source.write_text("\n".join(map(json.dumps, rows() + repeated)))
    config = PreprocessConfig(source=str(source), name="hostile", id_column="id", data_dir=folder / "data")
    data, _ = preprocess(config)
    for seed in (0, 1):
        run = training.train(small_config("mlp", data, folder / "runs", epochs=1, seed=seed)).root
        shutil.move(run, folder / "runs" / f"{ODD}{seed}")
    return folder


def check_shown(*streams: str) -> None:
    for stream in streams:
        assert set(stream) & ACTS == set(), stream
        assert "\nweather  1  1  1" not in stream  # a row of a table that a label made up


COMMANDS = {
    "info of data": ["info", "{data}"],
    "info of a run": ["info", "{run}"],
    "info of data as json": ["info", "{data}", "--format", "json"],
    "info of a run as json": ["info", "{run}", "--format", "json"],
    "runs": ["runs", "--run-dir", "{runs}"],
    "data": ["data", "--data-dir", "{data}/.."],
    "check data": ["check", "{data}"],
    "check a run": ["check", "{run}"],
    "check a model": ["check", "{run}/model"],
    "evaluate": ["evaluate", "--run", "{run}"],
    "evaluate as json": ["evaluate", "--run", "{run}", "--format", "json"],
    "predict": ["predict", "--run", "{run}", "the cat", "bread"],
    "predict several labels": ["predict", "--run", "{run}", "--top-k", "3", "the cat"],
    "predict as json": ["predict", "--run", "{run}", "--top-k", "3", "--format", "json", "the cat"],
    "predict as jsonl": ["predict", "--run", "{run}", "--top-k", "3", "--format", "jsonl", "the cat"],
    "predict as fasttext": ["predict", "--run", "{run}", "--top-k", "3", "--format", "fasttext", "the cat"],
    "predict for a spreadsheet": ["predict", "--run", "{run}", "--top-k", "3", "--format", "spreadsheet", "the cat"],
    "predict and explain": ["predict", "--run", "{run}", "--explain", "--top-k", "3", "the \x1b[31m\u202ecat"],
    "explain in json": ["predict", "--run", "{run}", "--explain", "--format", "jsonl", "the \x9b\u202ecat"],
    "explain": ["explain", "--run", "{run}"],
    "explain as json": ["explain", "--run", "{run}", "--format", "json"],
    "compare": ["compare", "{run}", "{other}"],
    "report": ["report", "--run", "{run}", "--output", "report\u202e.html"],
    "export": ["export", "--run", "{run}", "--output", "export\x1b[2J", "--max-drop", "100"],
    "verify": ["verify", "{run}"],
    "preprocess again": ["preprocess", "{source}", "--name", "other", "--id-column", "id"],
    "train": ["train", "--data", "{data}", "--epochs", "1", "--hidden-size", "8", "--run-dir", "runs\x1b[2J"],
}

REFUSED = {
    "no such run": ["predict", "--run", f"no{ODD}", "x"],
    "no such data": ["train", "--data", f"no{ODD}"],
    "no such path": ["check", f"no{ODD}"],
    "a beginning of two names": ["info", "{runs}/" + ODD[:1]],
    "no such source": ["preprocess", f"no{ODD}.csv"],
    "no such command": [f"no{ODD}"],
    "no such option": ["train", f"--no{ODD}"],
    "no such tier": ["train", "--tier", ODD],
    "no such label": ["explain", "--run", "{run}", "--top-words", ODD],
    "no such column": ["preprocess", "{source}", "--text-column", ODD],
    "columns that are odd": ["preprocess", "columns.csv", "--text-column", "x"],
    "an id twice": ["preprocess", "ids.jsonl", "--id-column", "id"],
    "one class": ["preprocess", "one\u202e.csv"],
    "a broken row": ["preprocess", "broken\x1b[2J.jsonl"],
    "an input that cannot be read": ["predict", "--run", "{run}", "--input", f"no{ODD}"],
    "a row that cannot be read": ["predict", "--run", "{run}", "--strict", "--input", "broken\x1b[2J.jsonl"],
    "no such size": ["export", "--run", "{run}", "--output", "x", "--max-size", ODD],
    "a setting that does not exist": ["train", "--config", "settings.toml"],
    "strict": ["check", "--strict", "{data}"],
}


def strings(value: object) -> Iterator[str]:
    """All strings in a value of JSON, those of keys included."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from strings([*value, *value.values()])
    elif isinstance(value, list):
        for each in value:
            yield from strings(each)


def filled(arguments: list[str], folder: Path) -> list[str]:
    given = {
        "data": folder / "data" / "hostile",
        "runs": folder / "runs",
        "run": folder / "runs" / f"{ODD}0",
        "other": folder / "runs" / f"{ODD}1",
        "source": folder / f"corpus{ODD}.jsonl",
    }
    return [argument.format(**given) if "{" in argument else argument for argument in arguments]


@pytest.mark.parametrize("name", COMMANDS)
def test_no_command_prints_what_acts_on_a_terminal(name: str, hostile: Path, runner: CliRunner) -> None:
    done = invoke(runner, *filled(COMMANDS[name], hostile))
    check_shown(done.stdout, done.stderr)
    assert done.exit_code == 0, done.stderr
    if "json" in name:
        shown = done.stdout if "jsonl" not in COMMANDS[name] else f"[{','.join(done.stdout.splitlines())}]"
        assert set(strings(json.loads(shown))) & set(LABELS.values())


@pytest.mark.parametrize("name", REFUSED)
def test_no_error_prints_what_acts_on_a_terminal(name: str, hostile: Path, runner: CliRunner) -> None:
    Path("columns.csv").write_text("\x1b[2J,\u202e\na,b\n")
    Path("ids.jsonl").write_text("\n".join(json.dumps({"text": "a", "label": "b", "id": ODD}) for _ in range(2)))
    Path("one\u202e.csv").write_text(f"text,label\nrain,{ODD}\nsnow,{ODD}\n")
    Path("broken\x1b[2J.jsonl").write_text('{"text": "\\u001b\n')
    Path("settings.toml").write_text('[train]\n"\\u001b[2J" = 1\n')
    done = invoke(runner, *filled(REFUSED[name], hostile))
    check_shown(done.stderr)
    assert done.exit_code > 0
    assert len(done.stderr.splitlines()) == 1


def test_labels_are_unchanged_in_csv_and_parquet(hostile: Path, runner: CliRunner) -> None:
    arguments = ["predict", "--run", "{run}", "--input", "{source}", "--id-column", "id"]
    done = invoke(runner, *filled([*arguments, "--format", "csv"], hostile))
    found = list(csv.DictReader(io.StringIO(done.stdout, newline="")))
    assert {row["label"] for row in found} <= set(LABELS.values())
    assert [row["id"] for row in found][:60] == [row["id"] for row in rows()]


def test_csv_is_escaped_where_it_goes_to_a_terminal(hostile: Path, runner: CliRunner) -> None:
    """As `ls` does with file names: a terminal is shown what a pipe is given."""
    from textclf.inference import outputs
    from textclf.inference.classifier import Prediction, Score
    from textclf.sources import Row

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    top = tuple(Score(label, 0.5) for label in LABELS.values())
    answer = outputs.Answer(
        Row("", ODD), Prediction(*top[0], top, unknown=0, truncated=False, unlike=False), rejected=False
    )
    out = Terminal(newline="")
    outputs.write_csv([[answer]], out, outputs.Fields(3, probabilities=True, id="id", rejected=False, details=True))
    check_shown(out.getvalue())


def test_the_files_of_a_run_hold_nothing_that_acts(hostile: Path, runner: CliRunner) -> None:
    run = hostile / "runs" / f"{ODD}0"
    invoke(runner, "report", "--run", run, "--output", "report.html")
    for path in (run / "model" / "README.md", Path("report.html")):
        check_shown(path.read_text(encoding="utf-8"))


def test_tags_and_texts_of_tensorboard_hold_nothing_that_acts(hostile: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(hostile / "runs" / f"{ODD}0"))
    events.Reload()
    tags = [tag for kind in ("scalars", "tensors", "images") for tag in events.Tags()[kind]]
    check_shown(*tags)
    for name in ("confusion", "mistakes"):
        (text,) = events.Tensors(f"Test/{name}/text_summary")
        check_shown(text.tensor_proto.string_val[0].decode())
