"""The card on the page says what is known, and nothing that a model file makes up breaks it."""

from dataclasses import replace

import pytest

from textclf.artefacts.artefact import Abstention
from textclf.inference.classifier import Classifier, load_model
from textclf.serve.model_card import LONGEST, precisions, sections


@pytest.fixture
def classifier(mlp_run) -> Classifier:
    return load_model(mlp_run)


def section(classifier, title):
    return next((each for each in sections(classifier) if each["title"] == title), None)


def changed(classifier, **values):
    return Classifier(replace(classifier.trained, **values))


def test_the_figures_are_those_of_the_model(classifier):
    head, validation, test = section(classifier, "Quality")["table"]
    figures = classifier.trained.trained["test"]
    assert head == ["split", "documents", "accuracy", "macro-F1", "loss"]
    assert validation[0] == "validation"
    assert test == [
        "test",
        f"{figures['documents']}",
        *(f"{figures[name]:.4f}" for name in ("accuracy", "macro_f1", "loss")),
    ]


def test_the_data_and_their_limits_are_said(classifier):
    card = classifier.trained.trained["card"]
    assert f"Trained on {card['documents']} documents (tier full)" in section(classifier, "Data")["texts"][0]
    assert any(
        "Expect more errors on labels with fewer than 50" in text for text in section(classifier, "Limits")["texts"]
    )
    assert any(text.startswith("Trained with textclf") for text in section(classifier, "Technical")["texts"])


def test_each_precision_has_what_it_costs(classifier):
    learned = Abstention({"0.95": 0.75, "0.9": 0.5}, 0.7, coverage={"0.9": 0.875, "0.95": 0.5}, precision={"0.9": 0.96})
    strict = changed(classifier, abstention=learned)
    assert precisions(strict) == [
        {"target": 0.9, "threshold": 0.5, "coverage": 0.875, "precision": 0.96},
        {"target": 0.95, "threshold": 0.75, "coverage": 0.5, "precision": None},
    ]
    found = section(strict, "When it gives no label")
    assert found["table"][1:] == [["0.9", "0.5000", "87.5 %", "96.0 %"], ["0.95", "0.7500", "50.0 %", ""]]
    assert "more than 70% of its words" in found["texts"][0]


def test_a_model_of_an_older_version_has_a_shorter_card(classifier):
    old = changed(classifier, trained={"corpus": "news", "tier": "mid"}, abstention=Abstention(unlike=1))
    assert [each["title"] for each in sections(old)] == ["Task", "Data", "Limits", "Technical"]
    assert section(old, "Data")["texts"] == ["Trained on the corpus news (tier mid)."]


@pytest.mark.parametrize("value", [None, 7, "x" * 5_000, [], [1, "x"], {}, {"documents": "many"}, float("nan"), True])
def test_values_of_another_type_are_left_out(value, classifier):
    names = ("test", "validation", "card", "refit", "exported", "corpus", "tier", "seed")
    card = dict.fromkeys(classifier.trained.trained["card"], value)
    for hostile in (dict.fromkeys(names, value), {"card": card, "test": {"accuracy": value, "macro_f1": 1, "loss": 1}}):
        for each in sections(changed(classifier, trained=hostile)):
            assert all(isinstance(text, str) and len(text) < 6 * LONGEST for text in each["texts"])
            assert all(isinstance(cell, str) for row in each["table"] for cell in row)
