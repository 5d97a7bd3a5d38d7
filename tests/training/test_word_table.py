"""Runs whose embeddings begin with word vectors."""

import json
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import small_config
from tests.training.helpers import Shown, Stopped, resume
from tests.training.helpers import train as train_with_checkpoints
from textclf import training
from textclf.artefacts import loading, runs
from textclf.config import PreprocessConfig
from textclf.dataset.build import preprocess
from textclf.errors import DataError, UsageError
from textclf.experiments.verify import verify
from textclf.inference.classifier import load_model
from textclf.models.model import EMBEDDING
from textclf.training import word_table
from textclf.training.display import Display
from textclf.training.setup import read_tokenizer, set_up

OWN, DIMENSION = 8, 5


@pytest.fixture(autouse=True)
def _no_pictures(settings):
    """TensorBoard gets none."""


@pytest.fixture
def data(data_dir):
    return data_dir


@pytest.fixture
def vectors(data):
    """Of every other word of the data."""
    words = read_tokenizer(set_up(small_config("lstm", data, Path("runs"))).data).words[2:]
    numbers = np.random.default_rng(0).normal(size=(len(words), DIMENSION)).round(3)
    lines = [f"{word} {' '.join(map(str, row))}\n" for word, row in zip(words[::2], numbers.tolist(), strict=False)]
    Path("v.txt").write_text("".join(lines))
    return "v.txt"


def config_of(data, vectors, model="lstm", **given):
    return small_config(model, data, Path("runs"), epochs=2, vectors=vectors, embedding_size=OWN, **given)


def train(data, vectors, model="lstm", **given):
    return training.train(config_of(data, vectors, model, **given))


def metrics_of(run):
    return json.loads(run.metrics.read_text())


@pytest.mark.parametrize("model", ["lstm", pytest.param("cnn", marks=pytest.mark.slow)])
def test_a_run_says_what_it_began_with_and_needs_no_file_to_predict(model, data, vectors):
    run = train(data, vectors, model)
    Path(vectors).unlink()
    about = metrics_of(run)["vectors"]
    assert (about["name"], about["licence"], about["dimension"], about["kind"]) == ("v.txt", "unknown", 5, "text")
    assert about["found"]["vocabulary"] == pytest.approx(0.5, abs=0.02)
    assert 0.5 < about["found"]["tokens"] <= 1  # frequent words come first
    assert runs.read_json(run.config)["vectors"] == about
    assert "v.txt (licence unknown, from" in " ".join(run.model.joinpath("README.md").read_text().split())
    assert loading.load(run.model).weights[EMBEDDING].shape[1] == OWN + DIMENSION
    assert load_model(run.root).predict("rain and wind")[0].label


def test_frozen_vectors_stay_and_the_rest_learns(data, vectors):
    config = config_of(data, vectors, freeze_vectors=True)
    columns = word_table.with_words(set_up(config), Display()).words.columns
    table = loading.load(training.train(config).model).weights[EMBEDDING]
    np.testing.assert_array_equal(table[:, OWN:], columns)
    free = loading.load(train(data, vectors).model).weights[EMBEDDING]
    assert not np.array_equal(free[:, OWN:], columns)
    assert not np.array_equal(free[:, :OWN], table[:, :OWN])


@pytest.mark.slow
def test_it_repeats_and_verifies(data, vectors):
    assert verify(train(data, vectors)).differences == []


def stopped(config, *, with_checkpoint):
    display = Shown(stop_after_epoch=1)
    with pytest.raises(Stopped):
        (train_with_checkpoints if with_checkpoint else training.train)(config, display=display)
    assert display.run.last.exists() == with_checkpoint
    return display.run


@pytest.mark.parametrize("freeze", [True, pytest.param(False, marks=pytest.mark.slow)])
def test_a_resumed_run_needs_no_vectors_and_ends_as_an_uninterrupted_one(data, vectors, freeze):
    straight = train(data, vectors, freeze_vectors=freeze)
    run = stopped(config_of(data, vectors, freeze_vectors=freeze), with_checkpoint=True)
    Path(vectors).unlink()
    resume(run)
    for path in (path for path in straight.model.rglob("*") if path.is_file()):
        assert (run.model / path.relative_to(straight.model)).read_bytes() == path.read_bytes()


def test_without_a_checkpoint_it_needs_the_same_vectors(data, vectors):
    run = stopped(config_of(data, vectors), with_checkpoint=False)
    content = Path(vectors).read_text()
    Path(vectors).write_text(content.replace(" 0.", " 1."))
    with pytest.raises(UsageError, match=r"v\.txt has other vectors than when the run started; put the first ones"):
        resume(run)
    Path(vectors).unlink()
    with pytest.raises(UsageError, match=r"no vectors v\.txt: there is no such file"):
        resume(run)
    Path(vectors).write_text(content)
    assert metrics_of(resume(run))["vectors"]["name"] == "v.txt"


def test_documents_may_have_several_labels(several_jsonl, vectors):
    several = preprocess(PreprocessConfig(source=str(several_jsonl), num_workers=1))[0]
    assert loading.load(train(several, vectors).model).is_multi


def test_what_cannot_be_used_is_said_before_a_run_is_made(data, vectors):
    Path("damaged.txt").write_text("rain 1 2\nwind 1\n")
    Path("foreign.txt").write_text("zzzz 1 2\n")
    for given, error, why in [
        ("nowhere.txt", UsageError, r"no vectors nowhere\.txt: there is no such file"),
        ("damaged.txt", DataError, r"cannot read vectors from damaged\.txt: line 2 has 1 number"),
        ("foreign.txt", DataError, r"foreign\.txt has 1 word, and none of the \d+ words of the data"),
    ]:
        with pytest.raises(error, match=why):
            train(data, given)
    with pytest.raises(UsageError, match="the lstm and the cnn, not the mlp: leave it out"):
        training.train(small_config("mlp", data, Path("runs"), vectors=vectors))
    assert not Path("runs").exists()
