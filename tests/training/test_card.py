import json

import pytest

from textclf.training.card import model_card

SPLIT = {"documents": 1234, "accuracy": 0.98761, "macro_f1": 0.5, "loss": 0.1}
METRICS = {
    "corpus": "news",
    "tier": "mid",
    "model": "lstm",
    "seed": 7,
    "parameters": 1_234_567,
    "train": {"documents": 50_000, "accuracy": 1.0, "loss": 0.0},
    "validation": SPLIT,
    "test": SPLIT | {"documents": 99, "accuracy": 0.25},
    "epochs": 9,
    "best_epoch": 4,
    "refit": None,
}


def test_the_card_says_what_it_was_trained_on_and_how_well_it_does():
    card = model_card(METRICS, ["art", "sport"], "https://example.org/news")
    assert card.startswith("# news: text classifier (lstm)\n")
    assert "one of 2 labels: art, sport." in card
    assert "| validation | 1,234 | 0.9876 | 0.5000 | 0.1000 |\n" in card
    assert "| test | 99 | 0.2500 | 0.5000 | 0.1000 |\n" in card
    sentence = " ".join(card.split())
    assert "Trained on 50,000 documents (tier mid) of https://example.org/news, seed 7" in sentence
    assert "epoch 4 of 9; 1,234,567 parameters" in sentence
    assert "trained anew" not in sentence


def test_the_card_says_if_the_model_was_trained_on_the_validation_documents_too():
    card = model_card(METRICS | {"refit": {"documents": 61_234, "epochs": 4}}, ["art", "sport"], "x")
    sentence = " ".join(card.split())
    assert "trained anew for 4 epochs on train and validation, 61,234 documents" in sentence
    assert "the validation figures are those from before" in sentence


@pytest.mark.parametrize(
    ("count", "shown"), [(20, "label 18, label 19."), (21, "label 19 and 1 more."), (5000, "label 19 and 4980 more.")]
)
def test_many_labels_are_counted(count, shown):
    card = model_card(METRICS, [f"label {number}" for number in range(count)], "x")
    assert f"one of {count} labels: label 0, label 1," in card
    assert shown in card
    assert len(card) < 2000


def test_the_card_of_a_run_has_the_figures_of_its_metrics(run_dir):
    card = (run_dir / "model" / "README.md").read_text(encoding="utf-8")
    assert "animals, food, weather" in card
    assert "Trained on 48 documents" in card
    refitted = json.loads((run_dir / "metrics.json").read_text())["refit"]
    assert ("validation, 54 documents" in card) is (refitted is not None)
