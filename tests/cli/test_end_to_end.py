"""The main job through the real command line: preprocess, train, predict, evaluate, info."""

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from tests.conftest import invoke
from textclf.cli import main

SMALL = ["--hidden-size", "16", "--device", "cpu"]


@pytest.mark.parametrize("model", ["mlp", "lstm"])
def test_from_a_file_to_a_label(model: str, corpus_csv: Path, runner: CliRunner, tmp_path: Path) -> None:
    made = runner.invoke(main, ["preprocess", str(corpus_csv), "--name", "small", "--num-workers", "1"])
    assert (made.exit_code, made.stdout) == (0, "data/small\n")
    assert "60 documents" not in made.stdout
    assert "train" in made.stderr

    data = tmp_path / "data" / "small"
    tensors = sorted(data.glob("tensors/??/*.pt"))
    others = {str(path.relative_to(data)) for path in data.rglob("*") if path.is_file()} - {
        str(t.relative_to(data)) for t in tensors
    }
    assert others == {
        "manifest.json",
        "documents/part-00000.parquet",
        "tokenizer.json",
        "report.json",
        "packed/part-00000.bin",
    }
    assert len(tensors) == 60
    for path in tensors:
        tensor = torch.load(path, weights_only=True)
        assert (tensor.ndim, tensor.dtype) == (1, torch.int32)

    trained = runner.invoke(
        main, ["train", "--model", model, "--tier", "full", "--epochs", "20", "--batch-size", "8", *SMALL]
    )
    assert trained.exit_code == 0, trained.output
    run = Path(trained.stdout.strip())
    assert re.fullmatch(rf"small-full-{model}-\d{{8}}T\d{{6}}Z", run.name)
    files = {str(path.relative_to(run)) for path in run.rglob("*") if path.is_file()}
    events = {name for name in files if name.startswith("events.out.tfevents.")}
    assert len(events) == 1
    best = json.loads((run / "metrics.json").read_text())["best_epoch"]
    assert files - events == {
        "projector_config.pbtxt",
        f"{best:05}/words/metadata.tsv",
        f"{best:05}/words/tensors.tsv",
        "config.json",
        "history.jsonl",
        "metrics.json",
        "checksums.json",
        "checkpoints/best.pt",
        "model/README.md",
        "model/config.json",
        "model/labels.json",
        "model/model.safetensors",
        "model/tokenizer.json",
    }
    assert (run.parent / "latest").read_text() == f"{run.name}\n"

    answered = runner.invoke(main, ["predict", "a storm with rain and hail", "bread and butter"])
    assert (answered.exit_code, answered.stdout) == (0, "weather\nfood\n")
    scored = runner.invoke(main, ["evaluate", "--format", "json"])
    figures = json.loads(scored.stdout)["metrics"]
    reported = json.loads((run / "metrics.json").read_text())["test"]
    assert figures["accuracy"] == reported["accuracy"] >= 0.8
    assert figures["loss"] == pytest.approx(reported["loss"], abs=1e-5)


def test_predict_formats(runner: CliRunner, run_dir: Path) -> None:
    texts = ["the cat", "rain"]

    def predict(*options: str) -> str:
        done = runner.invoke(main, ["predict", "--run", str(run_dir), *options, *texts])
        assert done.exit_code == 0, done.output
        return done.stdout

    labels = predict().splitlines()
    assert len(labels) == 2
    as_json = json.loads(predict("--format", "json", "--top-k", "3"))
    as_lines = [json.loads(line) for line in predict("--format", "jsonl", "--top-k", "3").splitlines()]
    assert as_json == as_lines
    assert [answer["label"] for answer in as_json] == labels
    for answer in as_json:
        assert answer["top"][0]["label"] == answer["label"]
        assert sum(score["probability"] for score in answer["top"]) == pytest.approx(1)
    rows = predict("--format", "csv", "--top-k", "2").splitlines()
    assert rows[0] == "label,probability,label_2,probability_2"
    assert [row.split(",")[0] for row in rows[1:]] == labels
    columns = predict("--top-k", "2").splitlines()[0].split("\t")
    assert len(columns) == 4
    assert columns[0] == labels[0]


def test_predict_reads_lines_of_stdin_and_of_a_file_in_order(runner: CliRunner, run_dir: Path, tmp_path: Path) -> None:
    lines = ["rain and wind", "the cat", "bread", "x" * 50_000]
    (tmp_path / "texts.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    each = [runner.invoke(main, ["predict", "--run", str(run_dir), line]).stdout for line in lines]
    piped = runner.invoke(main, ["predict", "--run", str(run_dir), "-"], input="\n".join(lines))
    from_file = runner.invoke(main, ["predict", "--run", str(run_dir), "--input", "texts.txt"])
    assert piped.stdout == from_file.stdout == "".join(each)


@pytest.mark.slow
@pytest.mark.parametrize("run_dir", ["mlp"], indirect=True)
def test_many_texts_are_answered_alike_by_one_process_and_by_several(run_dir: Path, tmp_path: Path) -> None:
    texts = ["rain and wind", "the cat", "bread with butter", "", "unheardof"]
    lines = "".join(f"{texts[number * number % 5]} number{number % 7}\n" for number in range(40_000))
    (tmp_path / "texts.txt").write_text(lines, encoding="utf-8")
    command = [sys.executable, "-m", "textclf", "predict", "--run", str(run_dir), "--top-k", "2"]
    alone, together, piped = (
        subprocess.run([*command, *more], input=given, capture_output=True, timeout=120, check=True)
        for more, given in (
            (["--input", "texts.txt", "--num-workers", "1"], b""),
            (["--input", "texts.txt", "--num-workers", "2"], b""),
            (["-", "--num-workers", "3"], lines.encode()),
        )
    )
    assert alone.stdout.count(b"\n") == 40_000
    assert alone.stdout == together.stdout == piped.stdout
    assert alone.stderr == together.stderr == piped.stderr == b""


def test_a_run_its_model_folder_and_latest_answer_alike(runner: CliRunner, run_dir: Path) -> None:
    answers = {
        runner.invoke(main, ["predict", "--run", str(path), "--format", "jsonl", "the dog"]).stdout
        for path in (run_dir, run_dir / "model", run_dir.parent / "latest")
    }
    assert len(answers) == 1
    assert json.loads(answers.pop())["probability"] > 0


def test_an_empty_text_gets_no_label(runner: CliRunner, run_dir: Path) -> None:
    done = runner.invoke(main, ["predict", "--run", str(run_dir), "  ", "rain"])
    assert (done.exit_code, *map(bool, done.stdout.split("\n"))) == (0, False, True, False)
    assert done.stderr == "textclf: 1 of 2 rows could not be read, the first: text 1: the text is empty\n"


def test_info_of_data_and_run(runner: CliRunner, data_dir: Path, run_dir: Path) -> None:
    of_data = runner.invoke(main, ["info", str(data_dir)])
    assert of_data.exit_code == 0
    for tier in ("tiny", "small", "mid", "full"):
        assert re.search(rf"^{tier} +48 ", of_data.stdout, re.MULTILINE)
    of_run = runner.invoke(main, ["info", str(run_dir), "--format", "json"])
    assert json.loads(of_run.stdout)["corpus"] == "tiny_corpus"
    assert runner.invoke(main, ["info", str(run_dir.parent / "latest")]).exit_code == 0


def test_evaluate_shows_a_line_for_each_class(runner: CliRunner, run_dir: Path) -> None:
    done = runner.invoke(main, ["evaluate", "--run", str(run_dir), "--split", "validation"])
    assert done.exit_code == 0
    assert "validation split of tiny_corpus: 6 documents" in done.stdout
    assert all(re.search(rf"^{label} ", done.stdout, re.MULTILINE) for label in ("animals", "food", "weather"))


def test_corpora_lists_the_catalogue(runner: CliRunner) -> None:
    done = runner.invoke(main, ["corpora"])
    assert done.exit_code == 0
    assert re.search(r"^bbc_news +2,225 +5 +BBC news articles", done.stdout, re.MULTILINE)
    assert re.search(r"^ag_news +127,600 +4 +news headlines", done.stdout, re.MULTILINE)
    assert re.search(r"^bbc_news\n +Python package .*: needs no network", done.stdout, re.MULTILINE)
    assert re.search(r"^ag_news\n +Hugging Face Hub, fancyzhx/ag_news; licence", done.stdout, re.MULTILINE)
    entries = json.loads(runner.invoke(main, ["corpora", "--format", "json"]).stdout)
    assert len(entries) >= 13
    assert all(entry["citation"] and entry["licence"] for entry in entries)


def test_options_take_either_dash(runner: CliRunner, corpus_csv: Path) -> None:
    done = runner.invoke(
        main, ["preprocess", str(corpus_csv), "--name", "x", "--num_workers", "1", "--test_size", "0.2"]
    )
    assert done.exit_code == 0, done.output
    assert json.loads(Path("data/x/manifest.json").read_text())["splits"]["test"] == 12


def test_a_flag_beats_the_config_file_and_the_file_beats_the_default(runner: CliRunner, data_dir: Path) -> None:
    Path("small.toml").write_text("[train]\nepochs = 3\nbatch-size = 8\nhidden_size = 8\n", encoding="utf-8")
    done = runner.invoke(
        main, ["train", "--config", "small.toml", "--epochs", "1", "--data", str(data_dir), "--device", "cpu"]
    )
    assert done.exit_code == 0, done.output
    settings = json.loads((Path(done.stdout.strip()) / "config.json").read_text())["settings"]
    assert (settings["epochs"], settings["batch_size"], settings["patience"]) == (1, 8, 2)


def test_training_says_what_it_reads_and_when_it_trains_once_more(runner: CliRunner, data_dir: Path) -> None:
    def train(*options: str) -> tuple[Path, str]:
        done = runner.invoke(
            main, ["train", "--data", str(data_dir), "--epochs", "1", "--tier", "full", *SMALL, *options]
        )
        assert done.exit_code == 0, done.output
        return Path(done.stdout.strip()), done.stderr

    refitted, shown = train("--refit")
    assert "refit on train and validation: 54 documents, 2 epochs\n" in shown
    assert json.loads((refitted / "metrics.json").read_text())["refit"] == {"documents": 54, "epochs": 2}
    plain, shown = train("--no-refit", "--label-smoothing", "0.25")
    assert "once more" not in shown
    settings = json.loads((plain / "config.json").read_text())["settings"]
    assert (settings["refit"], settings["label_smoothing"]) == (False, 0.25)
    lstm, shown = train("--model", "lstm", "--max-length", "6")
    kept = np.mean([len(ids) <= 6 for ids in _training_ids(data_dir)])
    assert f"reading the first 6 tokens, all of {kept:.0%} of the documents\n" in shown
    assert json.loads((lstm / "metrics.json").read_text())["refit"] is None


def _training_ids(data_dir: Path) -> list[torch.Tensor]:
    return [torch.load(path, weights_only=True) for path in data_dir.glob("tensors/??/train-*.pt")]


def test_parts_of_words_can_be_had_or_left_out(runner: CliRunner, corpus_csv: Path) -> None:
    known = {}
    for name, options in (("usual", []), ("few", ["--max-parts", "7"]), ("none", ["--max-parts", "0"])):
        done = runner.invoke(main, ["preprocess", str(corpus_csv), "--name", name, "--num-workers", "1", *options])
        assert done.exit_code == 0, done.output
        known[name] = json.loads(Path("data", name, "tokenizer.json").read_text())["parts"].split()
    assert len(known["usual"]) > 100
    assert known["few"] == known["usual"][:7]
    assert known["none"] == []


def test_columns_are_printed_kept_and_taken_again(corpus_csv: Path, runner: CliRunner) -> None:
    lines = corpus_csv.read_text().splitlines()[1:]
    Path("tickets.csv").write_text("text,words,team\n" + "".join(f"{n},{line}\n" for n, line in enumerate(lines)))
    asked = ["--text-column", "words", "--label-column", "team"]
    made = invoke(runner, "preprocess", "tickets.csv", *asked, "--num-workers", "1")
    line = "columns: text words; label team; delimiter ','; quote '\"'; encoding utf-8\n"
    assert line in made.stderr
    assert line in invoke(runner, "info", "data/tickets").stdout
    trained = invoke(runner, "train", "--tier", "full", "--epochs", "3", *SMALL)
    run = Path(trained.stdout.strip())
    assert json.loads(invoke(runner, "info", run, "--format", "json").stdout)["columns"]["text"] == ["words"]
    Path("new.csv").write_text("label,words,text\nx,the cat sat,7\n")
    Path("plain.txt").write_text("the cat sat\n")
    as_json = ["predict", "--format", "jsonl", "--input"]
    assert invoke(runner, *as_json, "new.csv").stdout == invoke(runner, *as_json, "plain.txt").stdout != ""
