"""`textclf train --encoder`, and every command that takes the run."""

import csv
import json
import shutil
from pathlib import Path

import pytest

from tests.conftest import TEXTS, invoke, one_line
from tests.encoders import tiny

TEXT = TEXTS["weather"][0]


@pytest.fixture
def seeing(corpus_csv, runner):
    """A run with an encoder, trained on the command line."""
    invoke(runner, "encoder", "add", tiny.write(Path("published") / "small"), "--name", "tiny")
    Path("published").rename("gone")
    invoke(runner, "preprocess", corpus_csv, "--name", "x", "--num-workers", 1)
    done = train(runner)
    assert done.exit_code == 0, done.stderr
    assert "encoder tiny: 60 documents, " in done.stderr
    return Path(done.stdout.strip())


def train(runner, *more):
    given = ["--tier", "full", "--hidden-size", 8, "--batch-size", 8, "--epochs", 2, "--device", "cpu"]
    return invoke(runner, "train", "--encoder", "tiny", *given, *more)


@pytest.mark.slow
def test_every_command_takes_the_run(seeing, runner, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    answer = invoke(runner, "predict", "--format", "jsonl", TEXT).stdout
    with Path("rows.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("text", "label"), *((TEXT, "weather") for _ in range(300))])
    done = invoke(runner, "predict", "--input", "rows.csv", "--num-workers", 2, "--format", "jsonl", "--output", "out")
    assert done.exit_code == 0, done.stderr
    label = json.loads(answer)["label"]
    assert [json.loads(line)["label"] for line in Path("out").read_text().splitlines()] == [label] * 300
    assert f"{TEXT.split()[0]} " in invoke(runner, "predict", "--explain", TEXT).stdout
    on_split = json.loads(invoke(runner, "evaluate", "--format", "json").stdout)
    assert on_split["metrics"]["accuracy"] == json.loads((seeing / "metrics.json").read_text())["test"]["accuracy"]
    assert invoke(runner, "evaluate", "--input", "rows.csv").exit_code == 0
    info = invoke(runner, "info", seeing).stdout
    assert "encoder" in info
    assert "tiny (licence Apache-2.0" in info
    assert "mlp + tiny" in invoke(runner, "runs").stdout
    assert json.loads(invoke(runner, "runs", "--format", "json").stdout)[0]["encoder"] == "tiny"
    assert invoke(runner, "check", seeing).exit_code == 0
    assert invoke(runner, "check", "data/x").exit_code == 0
    assert invoke(runner, "compare", seeing, seeing).exit_code == 0
    assert invoke(runner, "report", "--run", seeing, "--output", "report.html").exit_code == 0
    assert "tiny (licence Apache-2.0" in Path("report.html").read_text()


@pytest.mark.slow
def test_an_export_keeps_the_encoder_and_onnx_refuses(seeing, runner):
    done = invoke(runner, "export", "--output", "small", "--max-drop", 100)
    assert done.exit_code == 0, done.stderr
    assert {path.name for path in Path("small/model/encoder").iterdir()} >= {"encoder.json", "weights.safetensors"}
    shutil.copytree("small/model", "copied")
    assert invoke(runner, "predict", "--run", "copied", TEXT).exit_code == 0
    of_encoder = sum(path.stat().st_size for path in Path("small/model/encoder").iterdir())
    refused = invoke(runner, "export", "--output", "none", "--max-drop", 100, "--max-size", of_encoder)
    assert refused.exit_code == 1
    assert "fits into" in one_line(refused)
    refused = invoke(runner, "export", "--output", "none", "--format", "onnx")
    assert refused.exit_code == 2
    assert "does not go into onnx; use --format pyz or safetensors, or train without --encoder" in one_line(refused)


def test_mistakes_are_one_line(runner, corpus_csv):
    invoke(runner, "preprocess", corpus_csv, "--name", "x", "--num-workers", 1)
    done = train(runner)
    assert done.exit_code == 2
    assert one_line(done) == "textclf: no encoder tiny; add one: textclf encoder add minilm"
    invoke(runner, "encoder", "add", tiny.write(Path("published") / "small"), "--name", "tiny")
    done = train(runner, "--encoder-limit", 9)
    assert done.exit_code == 2
    assert "--encoder-limit" in one_line(done)
