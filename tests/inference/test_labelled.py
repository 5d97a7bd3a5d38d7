import numpy as np
import pytest

from textclf.errors import DataError
from textclf.inference.classifier import load_model
from textclf.inference.labelled import predict_labelled
from textclf.sources import Row


@pytest.fixture
def classifier(run_dir):
    return load_model(run_dir)


ROWS = [
    Row("the cat sat", label="animals"),
    Row("", error="f:3: no text"),
    Row("bread", label="meals"),
    Row("rain", label=None, place="f:5"),
    Row("hail", label=" ", training_error="f:6: the label is empty"),
    Row("soup", label="food"),
    Row("a dog", label="pets"),
]


def test_rows_with_a_text_and_a_label_are_predicted(classifier):
    found = predict_labelled(classifier, ROWS, where="f", strict=False)
    assert found.labels == [("animals",), ("meals",), ("food",), ("pets",)]
    expected = classifier.logits(["the cat sat", "bread", "soup", "a dog"])
    assert found.raw / np.float32(classifier.trained.temperature) == pytest.approx(expected)
    assert found.unknown == pytest.approx(classifier.scores(["the cat sat", "bread", "soup", "a dog"]).unknown)
    assert (found.left_out, found.first_error) == (3, "f:3: no text")


def test_each_label_that_the_model_does_not_have_has_a_number_of_its_own(classifier):
    found = predict_labelled(classifier, [*ROWS, ROWS[2]], where="f", strict=False)
    assert classifier.labels == ["animals", "food", "weather"]
    assert found.classes(classifier.labels).tolist() == [0, -1, 1, -2, -1]
    assert found.foreign(classifier.labels) == {"meals": 2, "pets": 1}


def test_strict_stops_at_the_first_row_that_cannot_be_scored(classifier):
    with pytest.raises(DataError, match=r"^f:3: no text$"):
        predict_labelled(classifier, ROWS, where="f", strict=True)
    with pytest.raises(DataError, match=r"^f:5: no label$"):
        predict_labelled(classifier, [ROWS[3]], where="f", strict=True)


def test_without_any_row_to_score_the_reason_is_said(classifier):
    with pytest.raises(DataError, match=r"^f: there is no row to score$"):
        predict_labelled(classifier, [], where="f", strict=False)
    with pytest.raises(DataError, match=r"^f: no row has a text and a label .*, the first: f:5: no label"):
        predict_labelled(classifier, [ROWS[3]], where="f", strict=False)
    with pytest.raises(DataError, match=r"^f: none of the file's labels \('meals'\) is a label of the model"):
        predict_labelled(classifier, [ROWS[2]], where="f", strict=False)


LISTS = [
    Row("the cat sat", label="food", other_labels=("animals", "food"), has_labels=True),
    Row("one more line", has_labels=True, place="f:2"),
    Row("bread", label="meals"),
    Row("rain", place="f:4"),
    Row("hail", training_error="f:5: the column 'a' holds '2'"),
]


@pytest.mark.parametrize("several_run", ["mlp"], indirect=True)
def test_rows_of_several_labels_may_have_none(several_run):
    found = predict_labelled(load_model(several_run), LISTS, where="f", strict=False)
    assert found.labels == [("animals", "food"), (), ("meals",)]
    assert (found.left_out, found.first_error) == (2, "f:4: no label")
    assert found.counts() == {"animals": 1, "food": 1, "meals": 1}
    assert found.foreign(["animals", "food", "weather"]) == {"meals": 1}
    with pytest.raises(DataError, match=r"^f: no row has a label$"):
        predict_labelled(load_model(several_run), LISTS[1:2], where="f", strict=False)


@pytest.mark.parametrize("run_dir", ["mlp"], indirect=True)
def test_where_a_text_has_one_label_the_first_of_several_counts_and_none_is_left_out(classifier):
    found = predict_labelled(classifier, LISTS[:2], where="f", strict=False)
    assert found.labels == [("food",)]
    assert found.first_error == "f:2: no label"
