import shutil
import subprocess
import sys
from dataclasses import replace
from itertools import islice, repeat

import numpy as np
import pytest

from textclf.artefacts import artefact, runs
from textclf.artefacts.artefact import Abstention
from textclf.errors import UsageError
from textclf.inference.classifier import BATCH, Classifier, Prediction, load_model
from textclf.models.arithmetic import softmax

LABELS = ["animals", "food", "weather"]


def test_a_list_is_answered_in_its_order(classifier):
    texts = [f"the cat number{i} and {'rain ' * (i % 7)}" for i in range(2 * BATCH + 5)]
    texts[3] = texts[BATCH + 1] = ""
    together = classifier.predict(texts)
    each = [prediction for text in texts for prediction in classifier.predict([text])]
    assert [prediction.label for prediction in together] == [prediction.label for prediction in each]
    assert [prediction.probability for prediction in together] == pytest.approx(
        [prediction.probability for prediction in each], abs=1e-6
    )
    assert len({round(prediction.probability, 6) for prediction in each}) > 5  # the texts do differ


def test_one_text_is_a_list_of_one(classifier):
    assert classifier.predict("rain and wind") == classifier.predict(["rain and wind"])
    assert len(classifier.predict("rain and wind")) == 1


@pytest.mark.parametrize("texts", [[], (), iter(())])
def test_no_texts_have_no_answers(texts, classifier):
    assert classifier.predict(texts) == []


@pytest.mark.parametrize("kind", [tuple, iter, lambda texts: (text for text in texts), np.array])
def test_texts_may_come_in_any_iterable(kind, classifier):
    texts = ["the cat", "bread", "rain"]
    assert classifier.predict(kind(texts)) == classifier.predict(texts)


def test_a_stream_is_answered_while_it_goes_on(classifier):
    answers = classifier.stream(repeat("the cat"))
    assert [prediction.label for prediction in islice(answers, BATCH + 1)] == [next(answers).label] * (BATCH + 1)


@pytest.mark.parametrize(("top_k", "expected"), [(1, 1), (2, 2), (3, 3), (4, 3), (1000, 3)])
def test_top_k_gives_the_most_probable_labels_first(top_k, expected, classifier):
    (prediction,) = classifier.predict("the cat", top_k=top_k)
    probabilities = softmax(classifier.logits(["the cat"]))[0]
    assert len(prediction.top) == expected
    assert [score.label for score in prediction.top] == [LABELS[i] for i in np.argsort(-probabilities)][:expected]
    assert [score.probability for score in prediction.top] == sorted(probabilities.tolist(), reverse=True)[:expected]
    assert (prediction.label, prediction.probability) == prediction.top[0]


@pytest.mark.parametrize("top_k", [0, -1])
def test_top_k_below_one_is_refused(top_k, classifier):
    with pytest.raises(UsageError, match=str(top_k)):
        classifier.predict(["the cat"], top_k=top_k)


@pytest.mark.parametrize("text", ["the cat", "", "  ", "unheardof", "x" * 50_000, "😀", "\x00"])
def test_the_probabilities_of_all_labels_add_up_to_one(text, classifier):
    (prediction,) = classifier.predict(text, top_k=3)
    assert {score.label for score in prediction.top} == set(LABELS)
    assert all(0 <= score.probability <= 1 for score in prediction.top)
    assert sum(score.probability for score in prediction.top) == pytest.approx(1)


def test_an_empty_text_and_one_of_an_unknown_word_get_the_same_answer(classifier):
    empty, unknown = classifier.predict(["", "qqq"])
    assert isinstance(empty, Prediction)
    assert empty == unknown


@pytest.mark.parametrize("run_dir", ["mlp"], indirect=True)
def test_an_unknown_word_with_known_parts_is_not_the_same_as_none(classifier):
    empty, unknown, other = classifier.logits(["", "catty", "buttered"])
    assert np.abs(empty - unknown).max() > 1e-4
    assert np.abs(other - unknown).max() > 1e-4


@pytest.mark.parametrize("run_dir", ["lstm"], indirect=True)
def test_the_lstm_reads_no_parts(classifier):
    assert classifier.predict("catty the buttered") == classifier.predict("qqq the xyz")


@pytest.mark.parametrize("temperature", [0.05, 0.5, 1.0, 3.0, 20.0])
def test_the_temperature_divides_the_logits_and_changes_no_answer(temperature, run_dir):
    trained = artefact.load(run_dir / "model")
    texts = ["the cat", "", "rain and wind", "bread"]
    plain, tempered = (Classifier(replace(trained, temperature=value)) for value in (1.0, temperature))
    np.testing.assert_allclose(tempered.logits(texts) * temperature, plain.logits(texts), rtol=1e-5, atol=1e-6)
    assert tempered.logits(texts).dtype == np.float32
    for one, other in zip(tempered.predict(texts, top_k=3), plain.predict(texts, top_k=3), strict=True):
        assert [score.label for score in one.top] == [score.label for score in other.top]
        assert one.probability == other.probability or (one.probability < other.probability) == (temperature > 1)


def test_answers_are_plain_python(classifier):
    (prediction,) = classifier.predict("the cat", top_k=2)
    assert [type(value) for value in prediction] == [str, float, tuple, float, bool, bool]
    assert [type(value) for value in prediction.top[1]] == [str, float]


def test_unknown_words_are_counted_and_a_text_of_them_is_unlike(classifier):
    known, half, odd, empty = classifier.predict(["the cat", "the qqq", "qqq buttered", ""])
    assert [prediction.unknown for prediction in (known, half, odd, empty)] == [0, 0.5, 1, 1]
    assert [prediction.unlike for prediction in (known, odd, empty)] == [False, True, True]
    strict = Classifier(replace(classifier.trained, abstention=Abstention(unlike=0.4)))
    assert [strict.predict(text)[0].unlike for text in ("the cat", "the qqq")] == [False, True]


@pytest.mark.parametrize("run_dir", ["lstm"], indirect=True)
def test_a_text_that_is_read_in_part_is_truncated(classifier):
    inputs = replace(classifier.trained.inputs, max_length=3)
    short = Classifier(replace(classifier.trained, inputs=inputs))
    texts = ["the cat sat", "the cat sat on", "qqqing the buttered"]
    assert [prediction.truncated for prediction in short.predict(texts)] == [False, True, False]
    assert not any(prediction.truncated for prediction in classifier.predict(texts))


def test_labels_are_those_of_the_training_split(classifier):
    assert classifier.labels == LABELS


def test_a_run_its_model_and_latest_load_alike(run_dir, tmp_path, monkeypatch):
    expected = load_model(run_dir).predict("the cat")
    assert load_model(str(run_dir)).predict("the cat") == expected
    assert load_model(run_dir / "model").predict("the cat") == expected
    assert load_model(run_dir.parent / "latest").predict("the cat") == expected
    shutil.copytree(run_dir, tmp_path / "runs" / run_dir.name)
    runs.set_latest(runs.RunLayout(tmp_path / "runs" / run_dir.name))
    assert load_model().predict("the cat") == expected
    monkeypatch.chdir(tmp_path / "runs" / run_dir.name)
    assert load_model("model").predict("the cat") == expected


def test_no_model_is_the_user_s_mistake(tmp_path):
    with pytest.raises(UsageError, match="no finished run in runs; train one: textclf train"):
        load_model()
    with pytest.raises(UsageError, match="no run nowhere"):
        load_model("nowhere")
    with pytest.raises(UsageError, match="no model in"):
        load_model(tmp_path)


def test_predicting_does_not_import_torch(run_dir):
    code = f"""
import sys, textclf
assert textclf.load_model({str(run_dir)!r}).predict(["the cat", ""], top_k=2)[0].label
heavy = {{"torch", "sklearn", "datasets", "pyarrow", "tensorboard"}} & set(sys.modules)
assert not heavy, heavy
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
