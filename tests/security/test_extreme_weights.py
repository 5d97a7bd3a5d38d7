"""Weights that somebody has made extreme, with checksums that are right: refused, or answered with probabilities."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from tests.conftest import invoke
from textclf.artefacts import model_folder
from textclf.artefacts.loading import LARGEST_WEIGHT
from textclf.inference.classifier import load_model
from textclf.system import checksums, files, tensor_files

TEXTS = ["rain", "", "no such words here", "bread and rain " * 500, "?!"]


@pytest.fixture
def model(run_dir, tmp_path):
    """A model whose files are changed."""
    return model_folder.Layout(Path(shutil.copytree(run_dir / "model", tmp_path / "model")))


def change(model, edit):
    """Change every weight of a model, and make its checksums right."""
    arrays = {name: array.copy() for name, array in tensor_files.read(model.weights)[0].items()}
    for name, array in arrays.items():
        if not name.startswith("inputs."):
            edit(array)
    model.weights.write_bytes(tensor_files.serialise(arrays))
    vouch(model)


def vouch(model):
    config = json.loads(model.config.read_bytes())
    for path in (model.weights, model.labels, model.tokenizer):
        config["crc32"][path.name] = checksums.crc32(path)
    config["crc32"][model_folder.CONFIG] = model_folder.own_checksum(config)
    model.config.write_bytes(files.to_json(config))


@pytest.mark.parametrize("value", [3e38, -3e38, 1e10, np.nan, np.inf])
@pytest.mark.parametrize("which", ["all", "one"])
def test_a_weight_that_is_too_large_is_refused(value, which, model):
    change(model, lambda array: array.fill(value) if which == "all" else array.flat.__setitem__(-1, value))
    for command in (["predict", "rain"], ["explain"], ["predict", "--explain", "rain"]):
        result = invoke(CliRunner(), *command, "--run", model.root)
        assert (result.exit_code, result.stderr.count("\n"), result.stdout) == (4, 1, "")
        assert "is not a number of at most 1e+09" in result.stderr


@pytest.mark.parametrize("sign", ["plus", "minus", "both", "random"])
def test_weights_just_below_that_give_probabilities(sign, model):
    draw = np.random.default_rng(0)
    signs = {"plus": lambda _: 1, "minus": lambda _: -1, "both": lambda size: np.resize([1, -1], size)}
    signs["random"] = lambda size: draw.choice([-1, 1], size)

    def fill(array):
        array[...] = (LARGEST_WEIGHT * np.ones(array.size) * signs[sign](array.size)).reshape(array.shape)

    change(model, fill)
    for prediction in load_model(model.root).predict(TEXTS, top_k=3):
        probabilities = [score.probability for score in prediction.top]
        assert all(0 <= probability <= 1 for probability in probabilities)
        assert sum(probabilities) == pytest.approx(1)
    for arguments in (["--format", "json", *TEXTS[2:]], ["--explain", "--format", "json", *TEXTS[2:]]):
        result = invoke(CliRunner(), "predict", "--run", model.root, *arguments)
        assert result.exit_code == 0, result.output
        json.loads(result.stdout, parse_constant=pytest.fail)


@pytest.mark.parametrize("computed", [np.nan, np.inf, -np.inf])
def test_a_model_that_computes_no_number_gives_probabilities(computed, classifier, monkeypatch):
    """As a network of the user may."""
    runtime = classifier.trained.kind.runtime()

    def extreme(*given):
        logits = runtime.logits(*given)
        logits[:, 0] = computed
        return logits

    monkeypatch.setattr(classifier.trained.kind, "runtime", lambda: runtime._replace(logits=extreme))
    for prediction in classifier.predict(TEXTS, top_k=3):
        assert sum(score.probability for score in prediction.top) == pytest.approx(1)


HALF = "\\ud800"


@pytest.mark.parametrize("place", ["labels", "tokenizer", "config"])
def test_half_a_surrogate_pair_is_refused(place, model):
    if place == "labels":
        labels = json.loads(model.labels.read_bytes())
        model.labels.write_bytes(json.dumps(labels).replace(labels[0], HALF).encode())
    elif place == "tokenizer":
        words = json.loads(model.tokenizer.read_bytes())
        model.tokenizer.write_bytes(json.dumps(words).replace("rain", HALF).encode())
    else:
        config = json.loads(model.config.read_bytes())
        config["trained"]["corpus"] = "\ud800"
        config["crc32"][model_folder.CONFIG] = model_folder.own_checksum(config)
        model.config.write_text(json.dumps(config))
    if place != "config":
        vouch(model)
    for command in (["predict", "rain", "--run"], ["check"], ["explain", "--run"]):
        result = invoke(CliRunner(), *command, model.root)
        assert (result.exit_code, result.stderr.count("\n")) == (4, 1), result.output


def test_a_card_that_is_not_utf_8_is_shown_as_far_as_it_is(model):
    model.card.write_bytes(b"good \xed\xa0\x80 and bad")
    assert model_folder.read_card(model.root).startswith("good ")
