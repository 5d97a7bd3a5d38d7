"""Answers with explanations as they are written: in a pipe, in colour, as JSON."""

import json

import pytest

from textclf.cli import main
from textclf.inference import explained
from textclf.inference.classifier import Classifier, load_model
from textclf.inference.explain import Explanation, Token, explain
from textclf.inference.explained import coloured

LABELS = ["animals", "food", "weather"]


def test_predict_explains_without_colour_in_a_pipe(run_dir, runner):
    done = runner.invoke(main, ["predict", "--run", str(run_dir), "--explain", "the dog barks"])
    answer, words = done.stdout.splitlines()
    assert answer.split("\t")[0] in LABELS
    assert "barks " in words
    assert "\x1b" not in done.output


def test_a_text_in_colour_cannot_steer_the_terminal():
    text = "good\x1b[2J bad\nso so"
    tokens = (Token(0, 4, 2.0), Token(8, 12, -1.0), Token(13, 16, 0.1))
    assert coloured(text, Explanation("x", 1.0, 0.0, tokens)) == (
        "\x1b[42;30;1mgood\x1b[0m\\x1b[2J\x1b[41;37m bad\x1b[0m so so"
    )
    assert coloured("", Explanation("x", 0.0, 0.0, ())) == ""


@pytest.mark.parametrize("run_dir", ["mlp"], indirect=True)
@pytest.mark.parametrize("layout", ["json", "jsonl"])
def test_json_has_the_answer_and_each_token_with_its_text(layout, classifier, capsys):
    texts = ["the cat sat", "", "rain\x1b[2J \ud800"]
    explained.write(classifier, iter(texts), top_k=2, layout=layout)
    written = capsys.readouterr().out
    assert "\x1b" not in written
    records = json.loads(written) if layout == "json" else [json.loads(line) for line in written.splitlines()]
    for text, record in zip(texts, records, strict=True):
        (prediction,) = classifier.predict(text, top_k=2)
        found = explain(classifier.trained, text, prediction.label)
        assert (record["label"], record["margin"], record["rest"]) == (prediction.label, found.margin, found.rest)
        assert [token["text"] for token in record["tokens"]] == [text[t.start : t.end] for t in found.tokens]


@pytest.mark.parametrize("several_run", ["mlp"], indirect=True)
def test_each_given_label_is_explained_and_the_best_where_none_is_given(several_run, capsys):
    classifier = load_model(several_run)
    texts = ["rain and wind", ""]
    for threshold, given in ((0.0, 3), (1.0, 0)):
        trained = classifier.trained.with_threshold(threshold)
        explained.write(Classifier(trained), iter(texts), top_k=1, layout="jsonl")
        records = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        for text, record in zip(texts, records, strict=True):
            assert len(record["labels"]) == len(record["probabilities"]) == given
            labels = record["labels"] or [record["top"][0]["label"]]
            assert [each["label"] for each in record["explanations"]] == labels
            for each in record["explanations"]:
                assert each["margin"] == explain(trained, text, each["label"]).margin
        explained.write(Classifier(trained), iter(texts), top_k=1, layout="text")
        lines = capsys.readouterr().out.splitlines()
        assert len(lines) == 2 * 2 * max(given, 1)
        assert [line.endswith("(not given)") for line in lines[::2]] == [given == 0] * (len(lines) // 2)
