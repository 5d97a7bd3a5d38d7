"""A model of a script without spaces, from the texts to its copies in few bytes."""

import csv
import random

import numpy as np
import pytest

from tests.conftest import small_config
from textclf import training
from textclf.artefacts import loading, model_folder
from textclf.artefacts.weight_files import PRECISIONS
from textclf.config import PreprocessConfig
from textclf.dataset.build import preprocess
from textclf.dataset.directory import DataDirectory
from textclf.evaluation.evaluate import evaluate
from textclf.evaluation.predictions import Tokens
from textclf.export.pruning import Pruning
from textclf.inference.classifier import Classifier
from textclf.inference.explain import explain, top_words
from textclf.text import unspaced

LETTERS = [chr(code) for code in range(0x0E01, 0x0E2E)]
RUNS = {"a": ["กขคง", "จฉชซ"], "b": ["ขกงค", "ฉจซช"]}  # the same letters, in another order


def texts(documents, seed=0):
    """Texts without a space, whose letters alone do not tell the label."""
    generator = random.Random(seed)
    for place in range(documents):
        label = "ab"[place % 2]
        yield "".join([*generator.choices(LETTERS, k=9), *RUNS[label], *generator.choices(LETTERS, k=9)]), label


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    with (folder / "texts.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("text", "label"), *texts(200)])
    data, *_ = preprocess(PreprocessConfig(source=str(folder / "texts.csv"), data_dir=folder / "data", num_workers=1))
    return training.train(small_config("mlp", data, folder / "runs", hidden_size=16, batch_size=16, epochs=4)).root


@pytest.fixture
def trained(run):
    return loading.load(run / "model")


QUERIES = [*(text for text, _ in texts(6, seed=1)), "", "กขคง", "จฉ abc ชซ", "?"]


def test_runs_tell_labels_that_single_letters_do_not(run, trained):
    assert len(trained.inputs.runs) > 100
    assert evaluate(run, split="test").metrics.accuracy > 0.9


def test_marks_are_no_words_of_a_label(trained):
    assert set(unspaced.MARKS) <= set(trained.tokenizer.words[: trained.inputs.words])
    found = top_words(trained, ["a", "b"], top_k=100)
    assert {word.word for words in found.values() for word in words} == set(LETTERS)


def test_the_contributions_of_the_letters_add_up(trained):
    found = explain(trained, QUERIES[0], "a")
    assert [QUERIES[0][token.start : token.end] for token in found.tokens] == list(QUERIES[0])
    total = sum(token.contribution for token in found.tokens) + found.rest  # the marks are part of the letters'
    assert total == pytest.approx(found.margin, abs=1e-5)
    told = np.array([token.contribution for token in found.tokens])
    assert abs(told[9:17]).sum() > abs(told[:9]).sum()  # the runs, not the random letters


@pytest.mark.parametrize("precision", PRECISIONS)
def test_a_model_has_its_runs_in_every_precision(precision, trained, tmp_path):
    model_folder.save(tmp_path / "small", trained, card="", precision=precision)
    again = loading.load(tmp_path / "small")
    np.testing.assert_array_equal(again.inputs.runs, trained.inputs.runs)
    answers, expected = (Classifier(each).predict(QUERIES[:6]) for each in (again, trained))
    assert [answer.label for answer in answers] == [answer.label for answer in expected]


def test_a_pruned_model_answers_alike_as_long_as_it_has_the_runs_that_matter(run, trained):
    data = DataDirectory.open(run.parent.parent / "data" / "texts")
    pruning = Pruning(trained, Tokens(data, trained.tokenizer).batches(data.rows("full")))
    same, small = pruning.keep(pruning.features), pruning.keep(len(trained.inputs.rarity) // 4)
    np.testing.assert_allclose(Classifier(same).logits(QUERIES), Classifier(trained).logits(QUERIES), atol=1e-5)
    assert 0 < len(small.inputs.runs) < len(trained.inputs.runs)
    answers, expected = (Classifier(each).predict(QUERIES[:6]) for each in (small, trained))
    assert [answer.label for answer in answers] == [answer.label for answer in expected]
