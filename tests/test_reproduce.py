"""scripts/results.py: what scripts/reproduce trains, and how its rows are ordered."""

import pytest
import results

from textclf.encoders import find
from textclf.sources import SourceOptions, load

ROW = "| {} | {} | 90.00 | | 1 | |"


def test_by_default_each_model_is_trained_as_it_is():
    assert list(results.variants(["mlp", "lstm"], None, None)) == [
        ("textclf `mlp`", ["--model", "mlp"]),
        ("textclf `lstm`", ["--model", "lstm"]),
    ]


def test_an_encoder_goes_with_each_model_and_vectors_with_those_that_have_words():
    names = [name for name, _ in results.variants(["mlp", "cnn"], "minilm", "glove")]
    assert names == [
        "textclf `mlp`",
        "textclf `mlp` `--encoder minilm`",
        "textclf `cnn`",
        "textclf `cnn` `--vectors glove`",
        "textclf `cnn` `--encoder minilm`",
    ]


def test_what_is_not_installed_is_left_out_with_a_line(capsys):
    assert results.is_there(find, None) is None
    assert results.is_there(find, "minilm") is None
    assert capsys.readouterr().err.startswith("left out: no encoder minilm; add one: textclf encoder add")
    assert results.is_there(str, "glove") == "glove"


def test_a_model_stands_before_its_variants_and_peers_come_after():
    names = ["textclf `mlp`", "textclf `mlp` `--encoder minilm`", "textclf `cnn`", results.SVM, results.TUNED_SVM]
    shown = [ROW.format("bbc_news", name) for name in names]
    assert results.merge(shown[::-1], [shown[1]]) == shown


@pytest.mark.slow
@pytest.mark.parametrize("peer", [results.peer_of_words, results.few_labels.tuned_svm])
def test_a_peer_is_measured_on_the_splits_of_preprocess(peer, monkeypatch, corpus_csv):
    monkeypatch.setattr(results, "load", lambda *_, **__: load(str(corpus_csv), options=SourceOptions()))
    accuracy, seconds = results.measure(peer, "tiny")
    assert accuracy > 0.5
    assert seconds > 0
