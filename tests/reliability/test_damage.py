"""A bit that flips on the disk, anywhere in a data directory or a model: it is reported, and nobody learns from it."""

import os
import random
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.conftest import small_config
from textclf import training
from textclf.artefacts import runs
from textclf.cli import main
from textclf.errors import ArtefactError
from textclf.inference.classifier import load_model
from textclf.training import run

TIMES = pytest.mark.parametrize("times", [15, pytest.param(500, marks=[pytest.mark.slow, pytest.mark.long])])
TEXTS = ["the cat sat on the mat", "bread, butter and rain", "", "unheardof", "catty", "wind " * 50]


class Untracked:
    """Stands for TensorBoard, which takes most of the time of so short a run and none of its weights."""

    def __init__(self, *_args, **_settings):
        pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def __getattr__(self, _name):
        return lambda *_args, **_settings: None


@pytest.fixture
def train(tmp_path, monkeypatch):
    """Trains on a data directory; gives the weights."""
    monkeypatch.setattr(run, "Tracker", Untracked)
    monkeypatch.setattr(os, "fsync", lambda _file: None)  # half of the time

    def trained(model, data, **settings):
        done = training.train(small_config(model, data, tmp_path / "runs", epochs=1, refit=False, **settings))
        weights = (done.model / "model.safetensors").read_bytes()
        shutil.rmtree(done.root)
        return weights

    return trained


def flips(root, times, *, seed):
    """So many bits of the files below a folder, one after the other flipped; every second in a file drawn first."""
    rng = random.Random(seed)
    files = sorted(path for path in root.rglob("*") if path.is_file())
    contents = {path: path.read_bytes() for path in files}
    sizes = [len(content) for content in contents.values()]
    for number in range(times):
        path = rng.choices(files, sizes)[0] if number % 2 else rng.choice([p for p in files if p.suffix != ".pt"])
        content = bytearray(contents[path])
        content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
        path.write_bytes(content)
        yield number, path
        for file, before in contents.items():
            if file in (path, *root.glob("packed/*")):
                file.write_bytes(before)


def is_reported(root, path):
    result = CliRunner().invoke(main, ["check", str(root)])
    return result.exit_code == 4 and str(path) in result.output and result.stderr.count("\n") == 1


@TIMES
@pytest.mark.slow
def test_no_flipped_bit_of_data_goes_unreported_or_into_the_weights(times, data_dir, tmp_path, train):
    data = Path(shutil.copytree(data_dir, tmp_path / "data"))
    expected = {store: train("mlp", data, store=store) for store in ("packed", "files")}
    assert expected["packed"] == expected["files"]
    reported, outcomes = 0, {"refused": 0, "the same weights": 0}
    for number, path in flips(data, times, seed=times):
        reported += is_reported(data, path)
        store = "packed" if number % 4 < 2 else "files"
        try:
            assert train("mlp", data, store=store) == expected[store], path
            outcomes["the same weights"] += 1
        except ArtefactError:
            outcomes["refused"] += 1
    print(f"{reported} of {times} reported; trained: {outcomes}")
    assert reported == times
    assert min(outcomes.values()) > 0


@TIMES
def test_no_flipped_bit_of_a_model_goes_unreported_or_into_an_answer(times, run_dir, tmp_path):
    model = Path(shutil.copytree(runs.RunLayout(run_dir).model, tmp_path / "model"))
    expected = load_model(model).predict(TEXTS)
    reported, outcomes = 0, {"refused": 0, "the same answers": 0}
    for _, path in flips(model, times, seed=times):
        reported += is_reported(model, path)
        try:
            assert load_model(model).predict(TEXTS) == expected, path
            outcomes["the same answers"] += 1
        except ArtefactError:
            outcomes["refused"] += 1
    print(f"{reported} of {times} reported; predicted: {outcomes}")
    assert reported == times
    assert outcomes["refused"] > 0


@TIMES
def test_no_flipped_bit_of_a_finished_run_goes_unreported(times, run_dir, tmp_path):
    run = Path(shutil.copytree(run_dir, tmp_path / run_dir.name))
    reported = sum(is_reported(run, path) for _, path in flips(run, times, seed=times))
    print(f"{reported} of {times} reported")
    assert reported == times
