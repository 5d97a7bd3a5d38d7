"""Runs with a sentence encoder."""

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from tests.conftest import small_config
from tests.encoders import tiny
from tests.training.helpers import Shown, Stopped, resume
from textclf import training
from textclf.artefacts import loading, runs
from textclf.config import PreprocessConfig
from textclf.dataset import vectors
from textclf.dataset.build import preprocess
from textclf.encoders import adding
from textclf.errors import UsageError
from textclf.evaluation.evaluate import evaluate
from textclf.experiments.verify import verify
from textclf.inference.classifier import load_model
from textclf.training import companion, encoding
from textclf.training.display import Display
from textclf.training.setup import set_up


class Notes(Display):
    """Keeps what the user is told."""

    def __init__(self):
        self.lines = []

    def note(self, line):
        self.lines.append(line)


@pytest.fixture(autouse=True)
def _no_pictures(settings):
    """TensorBoard gets none."""


@pytest.fixture
def small(tmp_path):
    return str(tiny.write(tmp_path / "published" / "small"))


@pytest.fixture
def data(corpus_csv):
    return preprocess(PreprocessConfig(source=str(corpus_csv), num_workers=1))[0]


@pytest.fixture
def several(several_jsonl):
    return preprocess(PreprocessConfig(source=str(several_jsonl), num_workers=1))[0]


def metrics_of(run):
    return json.loads(run.metrics.read_text())


@pytest.fixture
def pool():
    texts = ["snow and wind over the hills", "the goal decided the match", "snow with wind again"]
    Path("pool.txt").write_text("\n".join(texts * 2))
    return "pool.txt"


def train(data, model="mlp", **given):
    return training.train(small_config(model, data, Path("runs"), epochs=2, **given))


@pytest.mark.parametrize("model", ["mlp", pytest.param("lstm", marks=pytest.mark.slow)])
def test_a_run_says_what_it_has_learned_from_and_evaluates_alike(model, data, small):
    run = train(data, model, encoder=small)
    metrics = metrics_of(run)
    about = metrics["encoder"]
    assert (about["name"], about["is_bundled"], about["dimension"]) == ("small", True, tiny.HIDDEN)
    assert 0 < about["share"] < 1
    assert runs.read_json(run.config)["encoder"] == {"name": "small", "hash": about["hash"]}
    trained = loading.load(run.model)
    own = sum(array.size for array in trained.weights.values())
    assert metrics["parameters"] == own + trained.view.parameters
    found = evaluate(run.root, split="test").metrics
    assert found.accuracy == metrics["test"]["accuracy"]
    assert found.loss == pytest.approx(metrics["test"]["loss"], abs=1e-4)
    assert "encoder: `small" not in run.model.joinpath("README.md").read_text()
    assert "small (licence Apache-2.0" in " ".join(run.model.joinpath("README.md").read_text().split())


@pytest.mark.slow
def test_documents_may_have_several_labels(several, small):
    run = train(several, encoder=small, class_weights="balanced")
    assert loading.load(run.model).is_multi
    assert evaluate(run.root, split="test").metrics.micro_f1 == metrics_of(run)["test"]["micro_f1"]
    assert load_model(run.root).predict("rain and wind all day")[0].given is not None


@pytest.mark.slow
def test_it_repeats_and_verifies(data, small):
    run = train(data, encoder=small)
    assert verify(run).differences == []


def stopped(data, *, after_epoch, **given):
    """A run that was stopped after an epoch."""
    display = Shown(stop_after_epoch=after_epoch)
    with pytest.raises(Stopped):
        training.train(small_config("mlp", data, Path("runs"), epochs=2, **given), display=display)
    return display.run


@pytest.mark.slow
@pytest.mark.parametrize("option", ["encoder", "unlabelled"])
def test_a_resumed_run_ends_as_an_uninterrupted_one(option, data, small, pool):
    given = {option: small if option == "encoder" else pool}
    straight, run = train(data, **given), stopped(data, after_epoch=2, **given)
    resume(run)
    for path in (path for path in straight.model.rglob("*") if path.is_file()):
        assert (run.model / path.relative_to(straight.model)).read_bytes() == path.read_bytes()


def test_a_run_is_not_resumed_with_another_encoder(data, small):
    run = stopped(data, after_epoch=1, encoder=small)
    other = tiny.write(Path("other"), seed=1)
    (other / "model.safetensors").rename(Path(small) / "model.safetensors")
    with pytest.raises(UsageError, match=r"was trained with another encoder .*; add that one again, or train a new"):
        resume(run)


@pytest.mark.slow
def test_one_that_adds_nothing_is_left_out(data, small, monkeypatch):
    without = train(data)
    monkeypatch.setattr(companion, "fit_weights", lambda *_, **__: np.array([0.5, 0.5, 0.0]))
    run = train(data, encoder=small)
    assert "encoder" not in metrics_of(run)
    assert loading.load(run.model).view is None
    one, other = (loading.load(each.model).weights for each in (run, without))
    assert all(np.array_equal(one[name], other[name]) for name in one)


@pytest.mark.slow
def test_without_a_copy_the_model_names_its_encoder(data, small):
    adding.add(small, name="mine")
    run = train(data, encoder="mine", bundle=False)
    assert not (run.model / "encoder").exists()
    assert "must be added first" in run.model.joinpath("README.md").read_text()
    assert load_model(run.root).predict("rain and wind")[0].label


def test_an_encoder_that_is_not_there_is_said_before_anything_else(data):
    with pytest.raises(UsageError, match="no encoder nowhere; add one: textclf encoder add"):
        train(data, encoder="nowhere")
    assert not Path("runs").exists()


def test_the_limit_is_that_of_the_settings(data, small):
    with pytest.raises(UsageError, match="--encoder-limit"):
        train(data, encoder=small, encoder_limit=100)
    assert not Path("runs").exists()


def test_where_classes_have_few_documents_an_encoder_is_named(data, small, monkeypatch):
    setup, display = set_up(small_config("mlp", data, Path("runs"))), Notes()
    assert encoding.with_vectors(setup, display) is setup
    assert display.lines == []  # there is none
    adding.add(small, name="mine")
    encoding.with_vectors(setup, display)
    assert display.lines == ["half of the classes have at most 16 training documents: --encoder mine may help"]
    adding.add(small, name="a-minilm")  # another one, of which nothing was measured
    encoding.with_vectors(setup, display)
    assert "points" not in display.lines.pop()
    monkeypatch.setattr(encoding, "MEASURED", {"a-minilm": "; it gave 7 points"})
    encoding.with_vectors(setup, display)
    assert display.lines.pop().endswith("--encoder a-minilm may help; it gave 7 points")
    monkeypatch.setattr(encoding, "FEW", 10)
    encoding.with_vectors(setup, display)
    assert len(display.lines) == 1


def test_the_other_ranks_are_told_after_each_piece_that_the_first_is_still_reading(data, small, monkeypatch):
    monkeypatch.setattr(vectors, "PIECE_TOKENS", 100)
    monkeypatch.setattr(vectors, "FIRST_TOKENS", 100)
    setup, told = set_up(small_config("mlp", data, Path("runs"), encoder=small)), []
    assert encoding.with_vectors(replace(setup, ranks=SimpleNamespace(count=2, tell=told.append)), Display()).encoded
    assert len(told) > 2
    assert all(message == {"is_reading": True} for message in told)


@pytest.mark.parametrize("model", ["mlp", pytest.param("lstm", marks=pytest.mark.slow)])
def test_word_vectors_are_learned_from_unlabelled_texts(model, data, pool):
    run = train(data, model, unlabelled=pool)
    metrics = metrics_of(run)
    about = metrics["encoder"]
    assert (about["name"], about["kind"], about["source"]) == ("own-text", "words", pool)
    assert runs.read_json(run.config)["settings"]["unlabelled"] == [pool]
    Path(pool).unlink()
    assert load_model(run.root).predict("rain and snow")[0].label
    assert evaluate(run.root, split="test").metrics.accuracy == metrics["test"]["accuracy"]
    card = " ".join((run.model / "README.md").read_text().split())
    assert "learned from means of word vectors, which were learned from texts without labels" in card


@pytest.mark.slow
def test_unlabelled_texts_go_with_several_labels_and_repeat(several, pool):
    run = train(several, unlabelled=pool)
    assert loading.load(run.model).is_multi
    assert verify(run).differences == []


def test_a_run_is_not_resumed_with_other_unlabelled_texts(data, pool):
    run = stopped(data, after_epoch=1, unlabelled=pool)
    Path(pool).write_text("hail and hail\nhail and wind")
    with pytest.raises(UsageError, match=r"the texts of pool.txt have changed since .* began; put the first"):
        resume(run)


def test_unlabelled_texts_that_are_not_there_are_said_before_anything_else(data):
    with pytest.raises(UsageError, match=r"no such file: none.csv"):
        train(data, unlabelled="none.csv")
    assert not Path("runs").exists()
