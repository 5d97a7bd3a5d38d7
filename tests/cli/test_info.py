"""`textclf info`."""

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.conftest import invoke, small_config
from textclf import training
from textclf.artefacts import runs
from textclf.cli import run_info


def shown(runner: CliRunner, path: object) -> str:
    done = invoke(runner, "info", path)
    assert (done.exit_code, done.stderr) == (0, "")
    return done.stdout


def test_a_run_is_a_table_of_its_figures(runner: CliRunner, run_dir: Path) -> None:
    text = shown(runner, run_dir)
    metrics = json.loads((run_dir / "metrics.json").read_text())
    lines = [" ".join(line.split()) for line in text.splitlines()]
    assert max(map(len, text.splitlines()[4:])) <= 80  # after the paths
    assert lines[0] == str(run_dir)
    assert "tier full, 48 documents of 3 classes" in lines
    assert f"model {metrics['model']}, {metrics['parameters']:,} parameters, seed 0" in lines
    epochs = f"epochs 2 of at most 2, the best was {metrics['best_epoch']}"
    more = ", then the linear classifier on train and validation" if metrics["refit"] else ""
    assert f"{epochs}{more} " in " ".join(lines)
    for split in ("validation", "test"):
        figures = metrics[split]
        values = (figures[name] for name in ("accuracy", "macro_f1", "weighted_f1", "loss"))
        assert f"{split} 6 {' '.join(f'{value:.4f}' for value in values)}" in lines
    rows = {row["label"]: row for row in metrics["labels"]}
    assert set(rows) == {"animals", "food", "weather"}
    for label, row in rows.items():
        assert f"{label} {row['f1']:.4f} {row['precision']:.4f} {row['recall']:.4f} {row['documents']}" in lines


def test_settings_that_differ_from_the_defaults_are_named(runner: CliRunner, data_dir: Path, tmp_path: Path) -> None:
    given = {"epochs": 1, "clip_norm": 2.5, "test": False, "dropout": 0.25, "seed": 7}
    run = training.train(small_config("lstm", data_dir, tmp_path / "runs", **given)).root
    text = " ".join(shown(runner, run).split())
    changed = text.split("differ from the defaults: ")[1].split(" given, or chosen")[0]
    assert changed.split(", ") == [
        "--epochs 1 (default 30)",
        "--clip-norm 2.5 (default 1)",
        "--test off (default on)",
        "--dropout 0.25 (default 0.5)",
        "--seed 7 (default 0)",
        "--device cpu (default auto)",
    ]
    assert "--batch-size 8" in text
    assert "labels, on validation:" in text


def test_of_many_labels_those_with_the_lowest_f1_are_shown() -> None:
    labels = [
        {"label": f"l{number}", "f1": number / 50, "precision": 0.5, "recall": 0.5, "documents": 1}
        for number in range(50)
    ]
    text = run_info._labels(labels[::-1], {"test": {}}, hint="")
    assert text.startswith("the 20 labels of 50 with the lowest F1, on test:")
    assert [line.split()[0] for line in text.splitlines()[3:]] == [f"l{number}" for number in range(20)]


def test_json_has_the_values_of_the_files(runner: CliRunner, run_dir: Path, data_dir: Path) -> None:
    of_run = json.loads(invoke(runner, "info", run_dir, "--format", "json").stdout)
    assert of_run.items() >= json.loads((run_dir / "metrics.json").read_text()).items()
    assert of_run["settings"] == json.loads((run_dir / "config.json").read_text())["settings"]
    assert of_run["bytes"] > 1000
    of_data = json.loads(invoke(runner, "info", data_dir, "--format", "json").stdout)
    assert of_data["labels"] == ["animals", "food", "weather"]
    assert of_data["report"]["splits"]["train"]["documents"] == 48
    assert len(of_data["fingerprint"]) == 16


@pytest.mark.parametrize("run_dir", ["mlp"], indirect=True)
def test_a_model_without_its_run_is_shown(runner: CliRunner, run_dir: Path) -> None:
    shutil.copytree(run_dir / "model", "production")
    text = shown(runner, "production")
    figures = json.loads((run_dir / "metrics.json").read_text())["test"]
    assert f"{figures['accuracy']:.4f}" in text
    assert "differ" not in text
    assert json.loads(invoke(runner, "info", "production", "--format", "json").stdout)["corpus"] == "tiny_corpus"


@pytest.mark.parametrize("run_dir", ["mlp"], indirect=True)
@pytest.mark.parametrize(
    "change", [{"corpus": None, "test": 7}, {"seconds": [7]}, {"labels": [{}]}, {"epochs": "many"}, {"refit": "yes"}]
)
def test_values_of_another_type_are_damage(change: dict[str, object], runner: CliRunner, run_dir: Path) -> None:
    shutil.copytree(run_dir, "copy")
    layout = runs.RunLayout(Path("copy"))
    layout.metrics.write_text(json.dumps({**json.loads(layout.metrics.read_text()), **change}))
    done = invoke(runner, "info", "copy")
    assert (done.exit_code, done.stdout, len(done.stderr.splitlines())) == (4, "", 1)
    assert done.stderr.startswith("textclf: copy is damaged")


def test_a_name_or_its_beginning_will_do(runner: CliRunner, data_dir: Path) -> None:
    shutil.copytree(data_dir, "data/reviews")
    assert shown(runner, "rev") == shown(runner, "data/reviews")
