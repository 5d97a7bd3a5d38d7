"""What explanations promise: every token, in its place; contributions that add up; words that matter when they go."""

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import TEXTS
from tests.encoders import tiny
from textclf.cli import main
from textclf.encoders import Encoder
from textclf.errors import UsageError
from textclf.inference.classifier import Classifier, load_model
from textclf.inference.explain import MOST_EXPLAINED, MOST_LEFT_OUT, explain, top_words

LABELS = ["animals", "food", "weather"]
ODD = [
    "",
    "   ",
    "qqq",
    "catty the buttered",
    "Rain, RAIN and the\u0301 cat",
    "\u6771\u4eac rain \U0001f600",
    "the " * 600,
]


def margin(classifier, text, label):
    """The label's calibrated logit less the mean of the others, from the forward pass that predicts."""
    logits = dict(zip(classifier.labels, classifier.logits([text])[0].astype(float).tolist(), strict=True))
    own = logits.pop(label)
    return own - sum(logits.values()) / len(logits)


def removed(text, tokens):
    for start, end, _ in sorted(tokens, reverse=True):
        text = text[:start] + text[end:]
    return text


ALL_TEXTS = [text for texts in TEXTS.values() for text in texts]


@pytest.mark.parametrize("text", [*ALL_TEXTS, *ODD])
def test_contributions_and_the_rest_add_up_to_the_logit_difference(text, classifier):
    for label in LABELS:
        found = explain(classifier.trained, text, label)
        total = math.fsum(token.contribution for token in found.tokens) + found.rest
        assert found.margin == pytest.approx(margin(classifier, text, label), abs=1e-4)
        assert total == pytest.approx(found.margin, abs=1e-4)


@pytest.mark.parametrize("run_dir", ["mlp"], indirect=True)
def test_the_rest_of_the_mlp_is_its_bias_whatever_the_text(classifier):
    rests = [explain(classifier.trained, text, "food").rest for text in [*ALL_TEXTS, *ODD]]
    assert rests == pytest.approx([margin(classifier, "", "food")] * len(rests), abs=1e-6)


@pytest.mark.parametrize("run_dir", ["lstm"], indirect=True)
def test_a_token_of_the_lstm_gets_what_the_margin_loses_without_it(classifier):
    text = "the dog likes butter"
    found = explain(classifier.trained, text, "food")
    for token in found.tokens:
        assert token.contribution == pytest.approx(
            found.margin - margin(classifier, removed(text, [token]), "food"), abs=1e-5
        )


def test_without_its_three_strongest_words_a_label_is_less_probable(classifier):
    classifier = Classifier(replace(classifier.trained, temperature=5.0))  # no probability rounds to one
    lowered = 0
    for text in ALL_TEXTS:
        (before,) = classifier.predict(text)
        tokens = explain(classifier.trained, text, before.label).tokens
        strongest = sorted(tokens, key=lambda token: -token.contribution)[:3]
        (after,) = classifier.predict(removed(text, strongest), top_k=3)
        lowered += dict(after.top)[before.label] < before.probability
    assert lowered / len(ALL_TEXTS) > 0.9


def test_every_token_of_the_text_is_there_in_its_place(classifier):
    text = "  A dog, catty\n barks qqq!"
    found = explain(classifier.trained, text, "animals")
    assert [text[token.start : token.end] for token in found.tokens] == ["A", "dog", ",", "catty", "barks", "qqq", "!"]
    assert explain(classifier.trained, "", "animals").tokens == ()


@pytest.mark.parametrize("run_dir", ["mlp"], indirect=True)
def test_the_parts_of_an_unknown_word_are_its_contribution(classifier):
    catty, qqq = explain(classifier.trained, "catty qqq", "animals").tokens
    assert abs(catty.contribution) > 1e-4
    assert qqq.contribution == 0


@pytest.mark.parametrize("run_dir", ["mlp"], indirect=True)
def test_a_word_that_stands_there_twice_shares_evenly(classifier):
    tokens = explain(classifier.trained, "rain qqq rain", "weather").tokens
    assert tokens[0].contribution == pytest.approx(tokens[2].contribution)
    assert tokens[0].contribution > 0


@pytest.mark.parametrize("run_dir", ["mlp"], indirect=True)
def test_occurrences_are_the_features_and_counts_of_the_bag(classifier):
    bag, tokenizer = classifier.trained.inputs, classifier.trained.tokenizer
    for text in [*ALL_TEXTS, *ODD]:
        ids = tokenizer.encode(text)
        counted = bag.count(ids, np.array([len(ids)]))
        found = bag.occurrences(ids)
        totals = np.bincount(found.features, found.shares, minlength=len(bag.rarity))
        expected = np.bincount(counted.features, counted.counts, minlength=len(bag.rarity))
        is_worth = bag.rarity > 0  # <pad> is in every bag and in no text
        np.testing.assert_allclose(totals[is_worth], expected[is_worth])
        assert expected[is_worth].any() or text.strip() in {"", "qqq"}


def test_top_words_are_those_that_alone_are_most_probable(classifier):
    words = top_words(classifier.trained, ["weather"], top_k=1000)["weather"]
    assert [word.probability for word in words] == sorted((word.probability for word in words), reverse=True)
    for word in (words[0], words[-1]):
        scores = dict(classifier.predict(word.word, top_k=3)[0].top)
        assert word.probability == pytest.approx(scores["weather"], abs=1e-5)
    assert "rain" in [word.word for word in words[: len(words) // 2]]


@pytest.mark.parametrize("top_k", [1, 5, 1000])
def test_top_words_of_many_labels_are_those_of_each_and_each_word_is_classified_once(top_k, classifier):
    each = {label: top_words(classifier.trained, [label], top_k=top_k)[label] for label in LABELS}
    assert top_words(classifier.trained, LABELS, top_k=top_k) == each
    counted = Counted(classifier.trained)
    found = top_words(counted, LABELS, top_k=top_k, many_words=7)
    assert {label: [word.word for word in words] for label, words in found.items()} == {
        label: [word.word for word in words] for label, words in each.items()
    }
    assert counted.words == classifier.trained.inputs.words - 2


class Counted:
    """A model that counts the texts that it classifies."""

    def __init__(self, trained):
        self.trained, self.words = trained, 0

    def __getattr__(self, name):
        return getattr(self.trained, name)

    def own_logits(self, tokens, lengths):
        self.words += len(lengths)
        return self.trained.own_logits(tokens, lengths)


def test_no_such_label_is_the_user_s_mistake(classifier):
    for call in (
        lambda: explain(classifier.trained, "rain", "sport"),
        lambda: top_words(classifier.trained, [""], top_k=1),
    ):
        with pytest.raises(UsageError, match=r"no label .*; it has animals, food, weather"):
            call()


def test_a_model_that_knows_no_word_explains_texts_and_lists_none(wordless_run, runner):
    done = runner.invoke(main, ["explain", "--run", str(wordless_run)])
    assert (done.exit_code, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert "the model knows no whole word" in done.stderr
    explained = runner.invoke(main, ["predict", "--run", str(wordless_run), "--explain", "kqkq1zz2", "?"])
    assert (explained.exit_code, explained.stdout.count("kqkq1zz2")) == (0, 1)


def test_predict_explains_in_json(run_dir, runner):
    text = "The DOG barks \u2028 <b>"
    arguments = ["predict", "--run", str(run_dir), "--explain", "--top-k", "2", "--format"]
    one = runner.invoke(main, [*arguments, "jsonl", text])
    record = json.loads(one.stdout)
    assert one.stdout.count("\n") == 1
    assert [token["text"] for token in record["tokens"]] == ["The", "DOG", "barks", "<", "b", ">"]
    assert sum(token["contribution"] for token in record["tokens"]) + record["rest"] == pytest.approx(record["margin"])
    assert len(record["top"]) == 2
    assert json.loads(runner.invoke(main, [*arguments, "json", text]).stdout) == [record]


def test_explain_lists_top_words(run_dir, runner):
    arguments = ["explain", "--run", str(run_dir), "--top-k", "3"]
    done = runner.invoke(main, [*arguments, "--top-words", "food", "--format", "json"])
    assert {label: len(words) for label, words in json.loads(done.stdout).items()} == {"food": 3}
    lines = runner.invoke(main, arguments).stdout.splitlines()
    assert [line for line in lines if line and not line.startswith(" ")] == LABELS
    assert len(lines) == 3 * 4 + 2


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["explain", "--top-words", "sport"], "the model has no label 'sport'"),
        (["predict", "--explain", "--format", "csv", "rain"], "use --format jsonl"),
    ],
)
def test_mistakes_are_one_line(arguments, part, run_dir, runner):
    done = runner.invoke(main, [arguments[0], "--run", str(run_dir), *arguments[1:]])
    assert (done.exit_code, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert part in done.stderr


def test_a_text_that_is_too_long_to_explain_is_named_in_one_line(run_dir, runner):
    Path("long.txt").write_text("the cat " * (MOST_EXPLAINED // 8) + "sat")
    result = runner.invoke(main, ["predict", "--run", str(run_dir), "--explain", "--input", "long.txt"])
    assert (result.exit_code, result.stdout) == (2, "")
    line = (
        "a text of 1,000,003 characters is too long to explain, the most is 1,000,000; shorten it, or predict without"
    )
    assert line in result.stderr.splitlines()[-1]
    assert runner.invoke(main, ["predict", "--run", str(run_dir), "--input", "long.txt"]).exit_code == 0


# Several labels


@pytest.fixture
def several(several_run):
    return Classifier(replace(load_model(several_run).trained, temperature=5.0))  # no probability rounds to one


def logit(classifier, text, label):
    """From the probability that predicting gives."""
    (found,) = classifier.predict(text, top_k=3)
    p = dict(found.top)[label]
    return math.log(p) - math.log1p(-p)


@pytest.mark.parametrize("text", ODD)
def test_contributions_to_one_label_of_several_add_up_to_its_logit(text, several):
    for label in LABELS:
        found = explain(several.trained, text, label)
        total = math.fsum(token.contribution for token in found.tokens) + found.rest
        assert found.margin == pytest.approx(several.logits([text])[0][LABELS.index(label)], abs=1e-4)
        assert found.margin == pytest.approx(logit(several, text, label), abs=1e-4)
        assert total == pytest.approx(found.margin, abs=1e-4)


@pytest.mark.parametrize("text", ALL_TEXTS[:3])
def test_what_class_weights_added_is_in_no_explanation(text, several):
    weighted = Classifier(replace(several.trained, shift=(0.7, -1.0, 0.0), temperature=1.5))
    for label in LABELS:
        found = explain(weighted.trained, text, label)
        total = math.fsum(token.contribution for token in found.tokens) + found.rest
        assert found.margin == pytest.approx(weighted.logits([text])[0][LABELS.index(label)], abs=1e-4)
        assert total == pytest.approx(found.margin, abs=1e-4)


def test_top_words_of_one_label_of_several_are_those_that_alone_are_most_probable(several):
    words = top_words(several.trained, ["weather"], top_k=5)["weather"]
    for word in words:
        scores = dict(several.predict(word.word, top_k=3)[0].top)
        assert word.probability == pytest.approx(scores["weather"], abs=1e-5)


# With a sentence encoder


@pytest.fixture
def seeing(classifier, tmp_path):
    """The model with a classifier of an encoder's vectors beside it."""
    view = tiny.view(tiny.write(tmp_path / "small"), classes=len(classifier.labels), share=0.5)
    return Classifier(replace(classifier.trained, view=view))


@pytest.mark.parametrize("text", [*ALL_TEXTS[:2], *ODD])
def test_with_an_encoder_contributions_still_add_up_to_the_logit_difference(text, seeing):
    found = explain(seeing.trained, text, "food")
    total = math.fsum(token.contribution for token in found.tokens) + found.rest
    assert found.margin == pytest.approx(margin(seeing, text, "food"), abs=1e-4)
    assert total == pytest.approx(found.margin, abs=1e-4)


def test_a_token_gets_what_the_encoder_s_margin_loses_without_it(seeing):
    text = "the cat sat on the mat"
    found = explain(seeing.trained, text, "food")
    of_model = replace(seeing.trained, view=None)
    own = explain(of_model, text, "food")
    against = np.array([-0.5, 1, -0.5])
    view = seeing.trained.view
    with_it, without = view.logits(view.read([text, "the  sat on the mat"])) @ against
    scale = 0.5 / seeing.trained.temperature
    expected = 0.5 * own.tokens[1].contribution + scale * (with_it - without)
    assert found.tokens[1].contribution == pytest.approx(expected, abs=1e-4)


def test_a_long_text_is_read_only_so_many_times(seeing, monkeypatch):
    read = []
    encode = Encoder.encode
    monkeypatch.setattr(Encoder, "encode", lambda self, texts: (read.extend(texts), encode(self, texts))[1])
    found = explain(seeing.trained, "the cat sat on " * 100, "food")
    assert len(read) == 1 + MOST_LEFT_OUT
    assert len(found.tokens) == 400


def test_top_words_leave_the_encoder_out(seeing, classifier):
    assert top_words(seeing.trained, ["food"], top_k=5) == top_words(classifier.trained, ["food"], top_k=5)
