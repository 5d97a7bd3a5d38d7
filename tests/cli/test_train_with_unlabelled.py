"""`textclf train --unlabelled`, and every command that takes the run."""

import json
from pathlib import Path

import pytest

from tests.conftest import TEXTS, invoke, one_line

TEXT = TEXTS["weather"][0]
QUICK = ("--tier", "full", "--hidden-size", 8, "--batch-size", 8, "--epochs", 2, "--device", "cpu")


@pytest.fixture
def pool(runner, corpus_csv):
    Path("pool.txt").write_text("snow and wind over the hills\nthe goal decided the match\nsnow with wind again\n")
    invoke(runner, "preprocess", corpus_csv, "--name", "x", "--num-workers", 1)
    return "pool.txt"


@pytest.mark.slow
def test_every_command_takes_the_run(pool, runner, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    done = invoke(runner, "train", "--unlabelled", pool, *QUICK)
    assert done.exit_code == 0, done.stderr
    assert "word vectors of " in done.stderr
    run = Path(done.stdout.strip())
    Path(pool).unlink()
    assert json.loads(invoke(runner, "predict", "--format", "jsonl", TEXT).stdout)["label"]
    assert f"{TEXT.split()[0]} " in invoke(runner, "predict", "--explain", TEXT).stdout
    on_split = json.loads(invoke(runner, "evaluate", "--format", "json").stdout)
    assert on_split["metrics"]["accuracy"] == json.loads((run / "metrics.json").read_text())["test"]["accuracy"]
    assert "own-text (licence that of the texts, from pool.txt, " in invoke(runner, "info", run).stdout
    assert "mlp + own-text" in invoke(runner, "runs").stdout
    assert invoke(runner, "check", run).exit_code == 0
    assert invoke(runner, "check", "data/x").exit_code == 0
    assert invoke(runner, "report", "--run", run, "--output", "report.html").exit_code == 0
    assert "Texts without labels" in Path("report.html").read_text()
    done = invoke(runner, "export", "--output", "small", "--max-drop", 100)
    assert done.exit_code == 0, done.stderr
    assert invoke(runner, "predict", "--run", "small", TEXT).exit_code == 0
    assert invoke(runner, "export", "--output", "one.pyz", "--format", "pyz", "--max-drop", 100).exit_code == 0
    assert invoke(runner, "predict", "--run", "one.pyz", TEXT).stdout == invoke(runner, "predict", TEXT).stdout
    refused = invoke(runner, "export", "--output", "none", "--format", "onnx")
    assert refused.exit_code == 2
    assert "does not go into onnx; use --format pyz or safetensors" in one_line(refused)


@pytest.mark.parametrize(
    ("given", "code", "message"),
    [
        (["--unlabelled", "none.csv"], 2, "no such file: none.csv"),
        (["--unlabelled", "empty.txt"], 3, "empty.txt has no text to learn from"),
        (["--unlabelled", "pool.csv", "--unlabelled-column", "body"], 2, "no column 'body'; pool.csv has the columns"),
        (["--unlabelled", "pool.csv"], 2, "which column is the text? add --unlabelled-column NAME"),
        (["--unlabelled", "broken.parquet"], 3, "broken.parquet"),
        (["--unlabelled", "-"], 2, "stdin cannot be read twice"),
        (["--unlabelled-column", "text"], 2, "add --unlabelled FILE"),
        (["--unlabelled", "pool.txt", "--encoder", "minilm"], 2, "leave out one of them"),
        (["--unlabelled", "pool.txt", "--no-bundle"], 2, "leave it out"),
    ],
)
def test_mistakes_are_one_line(given, code, message, pool, runner):
    Path("empty.txt").touch()
    Path("pool.csv").write_text("a,b\nsnow,wind\n")
    Path("broken.parquet").write_bytes(b"PAR1 and no more")
    done = invoke(runner, "train", *given, *QUICK)
    assert done.exit_code == code
    assert message in one_line(done)
    assert not Path("runs").exists()
