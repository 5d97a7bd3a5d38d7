"""Texts and labels in whatever holds them, and the row that a message names."""

import numpy as np
import pandas as pd
import pytest
from sklearn.exceptions import DataConversionWarning

from textclf import TextclfError
from textclf.estimator.inputs import classes_of, column_name, labels_of, texts_of

THREE = ["one", "two", "three"]


@pytest.mark.parametrize(
    "given",
    [
        THREE,
        tuple(THREE),
        (text for text in THREE),
        pd.Series(THREE, index=[7, 8, 9]),
        pd.Series(THREE, dtype=object),
        pd.Series(THREE, dtype="category"),
        pd.DataFrame({"body": THREE}),
        np.array(THREE),
        np.array(THREE, dtype=object),
        np.array(THREE)[:, None],
    ],
    ids=lambda given: type(given).__name__,
)
def test_texts_are_strings_in_an_order(given):
    assert texts_of(given) == THREE


def test_an_empty_text_is_a_text():
    assert texts_of(["", " "]) == ["", " "]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("one", r"^texts is a string, not several: give a list, such as \['a text'\]$"),
        ([*THREE, None], r"^texts\[3\] is None, not a string; leave it out or put '' in its place$"),
        ([*THREE, float("nan")], r"^texts\[3\] is nan, not a string"),
        (pd.Series([*THREE, pd.NA], dtype="string"), r"^texts\[3\] is <NA>, not a string"),
        (pd.Series([*THREE, None], index=list("abcd")), r"^texts\[3\] is nan, .* \(index 'd'\)$"),
        (np.array([1.5, 2.5]), r"^texts\[0\] is a float64, not a string"),
        ([b"one"], r"^texts\[0\] is a bytes, not a string"),
        (pd.DataFrame({"a": THREE, "b": THREE}), r"^texts have 2 columns: give one column, such as table\['text'\]$"),
        (np.zeros((2, 1, 1)), r"^texts have 3 dimensions"),
        ({"one": 1}, r"^texts is a dict"),
        (5, r"^texts is an int"),
        (None, r"^texts is None"),
    ],
)
def test_what_is_no_text_is_refused_with_its_row(given, message):
    with pytest.raises(ValueError, match=message) as caught:
        texts_of(given)
    assert isinstance(caught.value, TextclfError)
    assert caught.value.exit_code == 3


@pytest.mark.parametrize(
    ("given", "classes"),
    [
        (["b", "a", "b"], np.array(["a", "b"])),
        (np.array(["b", "a", "b"], dtype=object), np.array(["a", "b"], dtype=object)),
        (pd.Series(["b", "a", "b"], dtype="category"), np.array(["a", "b"], dtype=object)),
        ([10, 9, 9], np.array([9, 10])),
        (np.array([10, 9, 9], dtype=np.int8), np.array([9, 10], dtype=np.int8)),
        (pd.Series([10, 9, 9], dtype="Int64"), np.array([9, 10])),
        ([np.int32(1), np.int32(0), np.int32(1)], np.array([0, 1], dtype=np.int32)),
        ([True, False, False], np.array([False, True])),
        (pd.Series([True, False, False], dtype="boolean"), np.array([False, True])),
        ([1.0, 0.0, 1.0], np.array([0.0, 1.0])),
        ((label for label in "bab"), np.array(["a", "b"])),
    ],
    ids=lambda given: type(given).__name__,
)
def test_classes_have_the_type_of_the_labels(given, classes):
    found = classes_of(labels_of(given, texts=3))
    assert found.values.dtype == classes.dtype
    assert found.values.tolist() == classes.tolist()
    assert found.names() == [str(value) for value in classes.tolist()]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["a", "b"], "^3 texts and 2 labels: give each text one label$"),
        (["a", None, "b"], r"^labels\[1\] is missing; leave its text out, too$"),
        (["a", float("nan"), "b"], r"^labels\[1\] is missing"),
        ([1.0, float("nan"), 2.0], r"^labels\[1\] is missing"),
        (np.array([1.0, np.nan, 2.0]), r"^labels\[1\] is nan: Input y contains NaN"),
        (pd.Series(["a", None, "b"], index=[5, 6, 7]), r"^labels\[1\] is missing; .* \(index 6\)$"),
        (["a", "", "b"], r"^labels\[1\] is empty"),
        (["a", 1, "b"], r"^labels\[1\] is a int, and those before are strings: give strings, whole numbers or bools$"),
        ([True, 1, False], r"^labels\[1\] is a int, and those before are bools"),
        ([["a"], ["a", "b"], []], r"^labels\[0\] is a list: give strings"),
        ([b"a", b"b", b"a"], r"^labels\[0\] is a bytes"),
        (np.array(["a", "b", "a"], dtype="S"), "^labels are bytes8: give strings"),
        (pd.Series(pd.to_datetime(["2020", "2021", "2020"])), "^labels are datetime64"),
        (np.eye(3, dtype=int), r"^labels have 3 columns: give one column"),
        ([0.5, 1.25, 2.0], "^labels: Unknown label type: continuous"),
        ("aba", r"^labels is a str: give a list"),
        (None, "y is None"),
    ],
    ids=lambda given: type(given).__name__,
)
def test_what_is_no_label_is_refused_with_its_row(given, message):
    with pytest.raises(ValueError, match=message) as caught:
        labels_of(given, texts=3)
    assert isinstance(caught.value, TextclfError)


def test_labels_in_a_table_of_one_column_are_taken_with_the_warning_of_scikit_learn():
    with pytest.warns(DataConversionWarning):
        assert labels_of(np.array([["a"], ["b"]]), texts=2).tolist() == ["a", "b"]


@pytest.mark.parametrize(("labels", "message"), [([], "no texts"), (["a", "a"], "one class, 'a': at least two")])
def test_there_are_two_classes(labels, message):
    with pytest.raises(ValueError, match=message):
        classes_of(labels_of(labels, texts=len(labels)))


def test_a_column_has_a_name_if_it_is_one():
    assert column_name(pd.Series(THREE, name="body")) == "body"
    assert column_name(pd.DataFrame({"body": THREE})) == "body"
    for without in (THREE, np.array(THREE), pd.Series(THREE), pd.DataFrame(THREE)):
        assert column_name(without) is None
