import shutil
import subprocess
import sys
from dataclasses import replace
from itertools import count, islice, repeat

import numpy as np
import pytest

from textclf.artefacts import loading, runs
from textclf.artefacts.artefact import Abstention
from textclf.errors import UsageError
from textclf.evaluation.evaluate import evaluate
from textclf.inference.classifier import BATCH, Classifier, Prediction, load_model
from textclf.inference.predicting import Rejection
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


class Frame:
    """What makes a data frame: columns, whose names it yields."""

    columns = ("text", "label")

    def __iter__(self):
        return iter(self.columns)


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (None, "texts is None; give a string or a list of strings"),
        (5, "texts is an int; give a string or a list of strings"),
        (float("nan"), "texts is nan; give a string or a list of strings"),
        (b"the cat", "texts is a bytes; give a string or a list of strings"),
        ({"the cat", "bread"}, "texts is a set; give a string or a list of strings"),
        (np.array("the cat"), "texts is a ndarray; give a string or a list of strings"),
        ({"text": "the cat"}, "texts is a dict; give one column of it, such as texts['text']"),
        (Frame(), "texts is a Frame; give one column of it, such as texts['text']"),
        (["the cat", None], "texts[1] is None, not a string; leave it out or put '' in its place"),
        (["the cat", float("nan")], "texts[1] is nan, not a string; leave it out or put '' in its place"),
        (["the cat", np.float32("nan")], "texts[1] is a float32, not a string; leave it out or put '' in its place"),
        ([b"the cat"], "texts[0] is a bytes, not a string; leave it out or put '' in its place"),
        ([["the cat"]], "texts[0] is a list, not a string; leave it out or put '' in its place"),
        ([{"text": "the cat"}], "texts[0] is a dict, not a string; leave it out or put '' in its place"),
        (["a"] * 99 + [1], "texts[99] is an int, not a string; leave it out or put '' in its place"),
        (np.array([["the cat"]]), "texts[0] is a ndarray, not a string; leave it out or put '' in its place"),
        (np.array(["a", None], dtype=object), "texts[1] is None, not a string; leave it out or put '' in its place"),
        (np.array([b"a"]), "texts[0] is a bytes_, not a string; leave it out or put '' in its place"),
    ],
    ids=count(),
)
def test_what_is_no_text_is_refused_with_its_place(texts, message, classifier):
    with pytest.raises(UsageError) as caught:
        classifier.predict(texts)
    assert str(caught.value) == message


@pytest.mark.parametrize("column", ["Series", "Index"])
def test_a_column_of_a_data_frame_is_texts_and_its_missing_values_are_named(column, classifier):
    pd = pytest.importorskip("pandas")
    texts = ["the cat", "bread", "rain"]
    assert classifier.predict(getattr(pd, column)(texts)) == classifier.predict(texts)
    for missing in (None, float("nan"), pd.NA):
        with pytest.raises(UsageError, match=r"texts\[2\] is (None|nan|<NA>), not a string"):
            classifier.predict(getattr(pd, column)(["the cat", "bread", missing], dtype=object))
    with pytest.raises(UsageError, match="texts is a DataFrame; give one column of it"):
        classifier.predict(pd.DataFrame({"text": texts}))


@pytest.mark.parametrize("top_k", [0, -1, 1.5, "2", True, None, float("nan")])
def test_top_k_is_a_whole_number(top_k, classifier):
    for predict in (classifier.predict, classifier.stream, classifier.answer):
        with pytest.raises(UsageError, match=r"^top_k: .* is not a whole number at least 1$"):
            predict(["the cat"], top_k=top_k)
    assert classifier.predict("the cat", top_k=np.int64(2)) == classifier.predict("the cat", top_k=2)


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


@pytest.mark.parametrize("text", ["the cat", "", "  ", "unheardof", "x" * 50_000, "😀", "\x00"])
def test_the_probabilities_of_all_labels_add_up_to_one(text, classifier):
    (prediction,) = classifier.predict(text, top_k=3)
    assert {score.label for score in prediction.top} == set(LABELS)
    assert all(0 <= score.probability <= 1 for score in prediction.top)
    assert sum(score.probability for score in prediction.top) == pytest.approx(1)


@pytest.mark.parametrize("size", [2, 7, 64])
def test_a_text_has_the_same_probability_alone_and_in_a_batch(size, classifier):
    """The mlp to the last bit; the others, which add up many steps in float32, to a millionth."""
    random = np.random.default_rng(0)
    words = [*classifier.trained.tokenizer.words[2:], "qqq", "buttered"]
    texts = ["", *(" ".join(random.choice(words, length)) for length in random.integers(1, 60, 300))]
    weights = {
        name: random.normal(0, 0.2, array.shape).astype(np.float32)
        for name, array in classifier.trained.weights.items()
    }
    wild = Classifier(replace(classifier.trained, weights=weights))
    alone = softmax(np.concatenate([wild.logits([text]) for text in texts]))
    batches = (texts[start : start + size] for start in range(0, len(texts), size))
    together = softmax(np.concatenate([wild.logits(batch) for batch in batches]))
    largest = np.abs(alone - together).max()
    assert largest <= (0 if classifier.trained.model == "mlp" else 2e-6)  # by the order in which numpy adds


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
def test_the_lstm_reads_the_parts_of_unknown_words_where_texts_are_short(classifier):
    assert classifier.predict("catty the buttered") != classifier.predict("qqq the xyz")


@pytest.mark.parametrize("temperature", [0.05, 0.5, 1.0, 3.0, 20.0])
def test_the_temperature_divides_the_logits_and_changes_no_answer(temperature, run_dir):
    trained = loading.load(run_dir / "model")
    texts = ["the cat", "", "rain and wind", "bread"]
    plain, tempered = (Classifier(replace(trained, temperature=value)) for value in (1.0, temperature))
    np.testing.assert_allclose(tempered.logits(texts) * temperature, plain.logits(texts), rtol=1e-5, atol=1e-6)
    assert tempered.logits(texts).dtype == np.float32
    for one, other in zip(tempered.predict(texts, top_k=3), plain.predict(texts, top_k=3), strict=True):
        assert [score.label for score in one.top] == [score.label for score in other.top]
        assert one.probability == other.probability or (one.probability < other.probability) == (temperature > 1)


def test_answers_are_plain_python(classifier):
    (prediction,) = classifier.predict("the cat", top_k=2)
    assert [type(value) for value in prediction] == [str, float, tuple, float, bool, bool, type(None)]
    assert [type(value) for value in prediction.top[1]] == [str, float]


def test_unknown_words_are_counted_and_a_text_of_them_is_unlike(classifier):
    known, half, odd, empty = classifier.predict(["the cat", "the qqq", "qqq buttered", ""])
    assert [prediction.unknown for prediction in (known, half, odd, empty)] == [0, 0.5, 1, 1]
    assert [prediction.unlike for prediction in (known, half, odd, empty)] == [False, False, True, True]
    strict = Classifier(replace(classifier.trained, abstention=Abstention(unlike=0.4)))
    assert [strict.predict(text)[0].unlike for text in ("the cat", "the qqq")] == [False, True]


def test_where_validation_has_no_known_word_unknown_words_are_no_sign_and_answers_are_given(wordless_run):
    """As in a language without spaces, or a list of names."""
    classifier = load_model(wordless_run)
    found = classifier.predict(["kqkq1zz2", "qq77zz99"])
    assert [(each.unknown, each.unlike) for each in found] == [(1.0, False)] * 2
    rejection = Rejection(below=0.0, unlike=True)  # as --target-precision has it
    assert not any(map(rejection.applies, found))
    assert evaluate(wordless_run, split="validation").unlike == 0


@pytest.mark.parametrize(("threshold", "expected"), [(0.5, [False, False, True, True]), (1.0, [False] * 4)])
def test_a_text_is_unlike_only_if_more_of_it_is_unknown_than_of_nearly_all_of_validation(threshold, expected):
    assert Abstention(unlike=threshold).is_unlike(np.array([0, 0.5, 0.51, 1])).tolist() == expected


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


# Several labels


def test_a_text_gets_each_label_above_its_threshold_the_most_probable_first(several_run):
    classifier = load_model(several_run)
    thresholds = dict(zip(classifier.labels, classifier.trained.thresholds, strict=True))
    for prediction in classifier.predict(["the cat sat, rain and wind", "bread", "", "unheardof"], top_k=3):
        above = [score for score in prediction.top if score.probability >= np.float32(thresholds[score.label])]
        assert list(prediction.given) == above
        assert prediction.labels == tuple(score.label for score in above)
        assert prediction[:2] == prediction.top[0]


def test_a_threshold_of_all_labels_changes_what_is_given_and_nothing_else(several_run):
    classifier = Classifier(replace(load_model(several_run).trained, temperature=5.0))  # no probability rounds to one
    texts = ["the cat sat, rain and wind", "bread"]
    before = classifier.predict(texts, top_k=3)
    for threshold, given in ((0.0, 3), (1.0, 0)):
        after = Classifier(classifier.trained.with_threshold(threshold)).predict(texts, top_k=3)
        assert [len(prediction.given) for prediction in after] == [given, given]
        assert [prediction._replace(given=None) for prediction in after] == [
            prediction._replace(given=None) for prediction in before
        ]


@pytest.mark.parametrize("run_dir", ["mlp"], indirect=True)
def test_with_one_label_the_labels_are_that_one(classifier):
    (prediction,) = classifier.predict("rain")
    assert prediction.given is None
    assert prediction.labels == (prediction.label,)


@pytest.mark.parametrize("run_dir", ["mlp"], indirect=True)
def test_class_weights_decide_the_answer_and_leave_its_probability(classifier):
    texts = ["the cat sat", "rain", ""]
    shift = (5.0, 0.0, -5.0)
    weighted = Classifier(replace(classifier.trained, shift=shift))
    raw = classifier.trained.raw_logits(*classifier.trained.tokenizer.encode_all(texts))
    expected = softmax((raw - np.array(shift, dtype=np.float32)) / np.float32(classifier.trained.temperature))
    for row, prediction in enumerate(weighted.predict(texts, top_k=3)):
        assert prediction.label == classifier.labels[raw[row].argmax()]
        for label, probability in prediction.top:
            assert probability == pytest.approx(expected[row, classifier.labels.index(label)], abs=1e-6)
