import json
import re

import markdown
import pytest
from scipy.stats import binomtest

from textclf.artefacts.card import facts, model_card, wilson
from textclf.dataset.manifest import Manifest
from textclf.sources.catalogue import CATALOGUE

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
REFIT = {"documents": 9, "epochs": 2}
COUNTS = {"art": 4_321, "sport": 49}


def card_of(metrics=METRICS, counts=COUNTS, *, source="https://example.org/news", **given):
    data = Manifest("news", source, "1", {"source": source}, list(counts), {}, [], {}, 0, {}, [])
    return model_card(metrics, counts, data, size=12_345_678, versions={"textclf": "1.2.3", "numpy": "2.4"}, **given)


def test_the_card_says_what_it_was_trained_on_and_how_well_it_does():
    card = card_of()
    assert card.startswith("# `news`: text classifier (`lstm`)\n")
    assert "one of 2 labels: `art`, `sport`." in card
    assert "| validation | 1,234 | 0.9876 | 0.9798 to 0.9924 | 0.5000 | 0.1000 |\n" in card
    assert "| test | 99 | 0.2500 | 0.1751 to 0.3435 | 0.5000 | 0.1000 |\n" in card
    sentence = " ".join(card.split())
    assert "Trained on 50,000 documents (tier mid) of `https://example.org/news`, seed 7" in sentence
    assert "epoch 4 of 9 had the lowest validation loss" in sentence
    assert "1,234,567 parameters; about 12.3 MB" in sentence
    assert "Trained with textclf 1.2.3, numpy 2.4." in sentence
    assert "more epochs" not in sentence


def test_the_card_says_if_the_model_was_trained_on_the_validation_documents_too():
    card = card_of(METRICS | {"refit": {"documents": 61_234, "epochs": 4}})
    sentence = " ".join(card.split())
    assert "Then came 4 more epochs on train and validation, 61,234 documents" in sentence
    assert "Each validation document was predicted before the model had learned from it" in sentence
    assert "calibrated on the validation documents" in " ".join(card_of().split())


@pytest.mark.parametrize(
    ("count", "shown"),
    [(20, "`label 18`, `label 19`."), (21, "`label 19` and 1 more."), (5000, "`label 19` and 4,980 more.")],
)
def test_many_labels_are_counted(count, shown):
    card = card_of(counts={f"label {number}": 50 + number for number in range(count)})
    assert f"one of {count:,} labels: `label 0`, `label 1`," in card
    assert shown in card
    assert len(card) < 2500


def test_the_card_of_a_run_has_the_figures_of_its_metrics(run_dir):
    card = (run_dir / "model" / "README.md").read_text(encoding="utf-8")
    assert "`animals`, `food`, `weather`" in card
    assert "Trained on 48 documents" in card
    refitted = json.loads((run_dir / "metrics.json").read_text())["refit"]
    assert ("validation, 54 documents" in card) is (refitted is not None)


def test_the_card_says_which_labels_have_few_documents():
    sentence = " ".join(card_of().split())
    assert "`art` has most training documents (4,321), `sport` fewest (49)." in sentence
    assert "more errors on labels with fewer than 50 training documents: `sport`." in sentence
    assert "more errors" not in card_of(counts={"art": 50, "sport": 51})


def test_the_facts_of_the_card_are_kept_in_the_model(run_dir):
    config = json.loads((run_dir / "model" / "config.json").read_text(encoding="utf-8"))
    found = config["trained"]["card"]
    assert (found["documents"], found["most"][1] >= found["fewest"][1]) == (48, True)
    assert set(found["versions"]) == {"textclf", "python", "torch", "numpy"}
    data = Manifest("news", "bbc_news", "1", {"source": "bbc_news"}, list(COUNTS), {}, [], {}, 0, {}, [])
    known = facts(METRICS | {"warnings": ["it is no better"]}, COUNTS, data, versions={"numpy": "2.4"})
    assert known["licence"] == CATALOGUE["bbc_news"].licence
    assert (known["most"], known["fewest"]) == (["art", 4_321], ["sport", 49])
    assert known["rare"] == {"below": 50, "labels": ["sport"], "count": 1}
    assert (known["warnings"], known["versions"]) == (["it is no better"], {"numpy": "2.4"})


@pytest.mark.parametrize(
    "hostile",
    [
        "\n\n# heading",
        "](https://evil.example)[x](https://evil.example)",
        "![](https://evil.example/x.png)",
        "<script>alert(1)</script>",
        "``` <b>",
        "\x1b[31m\u202e|",
        "- a\n- b",
    ],
)
def test_nothing_in_the_card_is_live(hostile):
    network = {"file": f"{hostile}.py", "class": hostile, "sha256": "0" * 64}
    card = card_of(METRICS | {"corpus": hostile, "network": network}, {hostile: 7, "art": 80}, source=hostile)
    plain = card_of(METRICS | {"network": network | {"file": "m.py", "class": "M"}}, {"x": 7, "art": 80})
    pages = [markdown.markdown(text, extensions=["tables", "fenced_code"]) for text in (card, plain)]
    tags = [re.findall(r"<(/?\w+)", page) for page in pages]
    assert tags[0] == tags[1]
    assert not set(card) & {"\x1b", "\u202e"}
    assert card.count("\n") == plain.count("\n")


def test_the_card_has_licence_and_citation_of_a_corpus_of_the_catalogue():
    entry = CATALOGUE["bbc_news"]
    for source in ("bbc_news", ["bbc_news"]):  # a name, or as preprocess records it
        assert f"Licence: {entry.licence}. Cite: {entry.citation}" in card_of(source=source)
    assert "is not known here" in " ".join(card_of(source=["bbc_news", "x.csv"]).split())
    assert "The licence of the data, which decides whether the model may be distributed, is not" in card_of()


@pytest.mark.parametrize(("accuracy", "documents"), [(0.0, 10), (1.0, 10), (0.86, 7528), (0.5, 1), (2 / 3, 3)])
def test_the_interval_is_that_of_scipy(accuracy, documents):
    theirs = binomtest(round(accuracy * documents), documents).proportion_ci(method="wilson")
    assert wilson(round(accuracy * documents) / documents, documents) == pytest.approx(
        (theirs.low, theirs.high), abs=1e-6
    )


def test_the_card_of_an_export_says_what_was_lost_and_how_to_use_it():
    figures = {"precision": "float32", "features": 9_000, "size": 5_000_000, "accuracy": 0.9, "micro_f1": 0.9}
    score = {"accuracy": 0.8876, "micro_f1": 0.8876}
    smaller = figures | {"precision": "int4", "features": 1_234, "size": 99_999, **score}
    exported = {"before": figures, "after": smaller, "split": "test", "agreement": 0.98765, "form": "onnx"}
    card = card_of(exported=exported)
    sentence = " ".join(card.split())
    assert "int4 weights, 1,234 of 9,000 features, about 100 of 5,000 kB" in sentence
    assert "On test, its accuracy is 0.8876, that of the original model 0.9000" in sentence
    assert "98.77% of the documents the same answer. The figures above are those of the smaller model" in sentence
    assert "onnxruntime.InferenceSession" in card
    assert "textclf predict" not in card
    assert "textclf predict" in card_of(exported=exported | {"form": "safetensors"})
    assert "The test figures above are" in card_of(
        METRICS | {"refit": {"documents": 9, "epochs": 2}}, exported=exported
    )
