"""Labels that are texts, numbers or ids, and what to do about them."""

from collections import Counter

import pytest

from textclf.dataset.odd_labels import are_measured, refuse_odd_labels
from textclf.errors import DataError
from textclf.sources import Columns

TABLE = Columns(("text",), "label")
SENTENCES = [f"the {number}th of many sentences" for number in range(40)]


def message(labels, *, columns=TABLE, texts=40):
    """What is wrong with the labels, or None."""
    try:
        refuse_odd_labels("f.csv", columns, Counter(labels), texts=texts)
    except DataError as error:
        return str(error)
    return None


@pytest.mark.parametrize(
    ("labels", "looks", "advice"),
    [
        (SENTENCES, "the column 'label' looks like texts", "--label-column NAME"),
        (["x" * 50 + str(number) for number in range(9)], "looks like texts", "--label-column NAME"),
        ([f"{number / 7:.3f}" for number in range(40)], "looks like numbers that are measured", "into a few classes"),
        ([f"-{number},5" for number in range(40)], "looks like numbers that are measured", "into a few classes"),
        ([f"{number}e-3" for number in range(1, 40)], "looks like numbers that are measured", "into a few classes"),
        ([str(number) for number in range(40)], "looks like ids, not like classes", "--label-column NAME"),
        ([f"A-{number:04}" for number in range(40)], "looks like ids or names of single documents", "NAME"),
        ([*SENTENCES[:30], *["a"] * 10], "looks like texts", "--label-column NAME"),
    ],
)
def test_labels_that_are_none_are_refused_with_what_they_look_like(labels, looks, advice):
    said = message(labels)
    assert said.startswith("f.csv: the column 'label' ")
    assert looks in said
    assert advice in said
    assert f"{len(labels)} training documents have {len(set(labels))} labels, such as" in said


def test_columns_that_have_changed_places_are_swapped_back():
    said = message(SENTENCES, texts=3)
    assert said.endswith(
        "the column 'text' has 3 different texts, so the two seem to be swapped: add --text-column label "
        "--label-column text"
    )
    assert message(SENTENCES, texts=3, columns=Columns(("a b",), "c")).endswith("--text-column c --label-column 'a b'")


def test_a_source_without_columns_has_no_option_to_name_another():
    assert message(SENTENCES, columns=Columns()).endswith("a class needs several documents")


@pytest.mark.parametrize(
    "labels",
    [
        [*"ab" * 20],
        [f"{stars}.0" for stars in range(5)] * 8,
        [str(year) for year in range(1990, 2000)] * 4,
        [*["common"] * 30, *[f"rare {number}" for number in range(29)]],
        ["a", "b", "c", "d"],
        ["the first of two long descriptions of a class", "the second of two long descriptions of a class"] * 20,
        [f"{number / 10}" for number in range(10)] * 4,
    ],
    ids=["two", "stars", "years", "many rare names", "four documents", "long names", "ten fractions"],
)
def test_classes_are_accepted(labels):
    assert message(labels) is None


@pytest.mark.parametrize(
    ("labels", "measured"),
    [
        ([f"{number / 10}" for number in range(50)], True),
        ([f"{number / 10}" for number in range(10)], False),
        ([str(number) for number in range(50)], False),
        ([f"{number / 10}" for number in range(50)] + ["none"], False),
        ([f"{number}.0" for number in range(50)], True),
    ],
)
def test_many_numbers_with_fractions_are_measured(labels, measured):
    assert are_measured(labels) is measured
