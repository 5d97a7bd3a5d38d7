"""What a model makes of documents: answers, how sure it is, mistakes."""

from dataclasses import replace

import numpy as np
import pytest

from textclf.artefacts import loading
from textclf.dataset.label_sets import MULTI, LabelSets
from textclf.evaluation.outcome import Outcome
from textclf.evaluation.predictions import predict
from textclf.evaluation.scoring import SeveralLabels
from textclf.inference.classifier import Classifier

SETS = LabelSets([(), ("animals",), ("animals", "food"), ("food", "new")], MULTI)
RAW = np.array([[-3, -2, -1], [2, -2, -2], [3, -1, 1], [-1, -1, 4]], dtype=np.float32)


@pytest.fixture
def several(several_run):
    """Of four documents, one of each set, by a model whose logits these are and that gives what is likely."""
    trained = replace(loading.load(several_run / "model"), temperature=1.0, thresholds=(0.5, 0.5, 0.5))
    assert trained.labels == ["animals", "food", "weather"]
    return Outcome(trained, SeveralLabels.of(SETS, trained.labels), np.arange(4), RAW)


@pytest.mark.parametrize("several_run", ["mlp"], indirect=True)
def test_answers_are_all_labels_above_their_thresholds(several):
    assert [several.answer(place) for place in range(4)] == ["", "animals", "animals, weather", "weather"]
    assert several.truth.shape == (4, 4)
    assert several.is_right().tolist() == [True, True, False, False]
    assert several.measure().accuracy == 0.5


def logistic(value):
    return 1 / (1 + np.exp(-value))


@pytest.mark.parametrize("several_run", ["mlp"], indirect=True)
def test_an_answer_is_as_sure_as_its_least_sure_label(several):
    expected = [1 - logistic(-1), logistic(2), logistic(1), logistic(4)]
    assert [several.sureness(place) for place in range(4)] == pytest.approx(expected)
    own = [0, logistic(2), (logistic(3) + logistic(-1)) / 2, logistic(-1)]
    assert several.own_probability() == pytest.approx(own)


@pytest.mark.parametrize("several_run", ["mlp"], indirect=True)
def test_mistakes_are_labels_given_wrongly_or_missed_the_surest_first(several):
    assert several.mistakes(10) == [3, 2]  # weather for food, then weather, and food missed
    assert several.mistakes(1) == [3]
    assert several.mistakes(0) == []


def test_answers_are_those_of_the_classifier(several_run, run_dir):
    for run in (several_run, run_dir):
        found = predict(run, split="train")
        texts = [found.text(place) for place in range(len(found.rows))]
        said = Classifier(found.trained).predict(texts)
        outcome = found.outcome
        for place, prediction in enumerate(said):
            assert sorted(prediction.labels) == sorted(filter(None, outcome.answer(place).split(", ")))
        assert outcome.measure() == outcome.scoring.measure(found.labels, found.raw, outcome.how)


@pytest.mark.parametrize("run_dir", ["mlp"], indirect=True)
def test_one_label_has_one_answer(run_dir):
    outcome = predict(run_dir, split="train").outcome
    assert (outcome.given.sum(axis=1) == 1).all()
    assert [outcome.sureness(place) for place in range(48)] == pytest.approx(outcome.probabilities.max(axis=1))
    own = outcome.probabilities[np.arange(48), outcome.labels]
    assert outcome.own_probability() == pytest.approx(own)
    assert sorted(outcome.mistakes(100)) == np.flatnonzero(~outcome.is_right()).tolist()
