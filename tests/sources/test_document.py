"""Rows become documents, or one error that names the row."""

import json
from contextlib import closing

import pytest

from textclf.errors import DataError
from textclf.sources import Columns, Document, Row
from textclf.sources.document import MAX_NAME, documents, shortened


def given(*rows):
    yield from rows


def failure(*rows):
    with pytest.raises(DataError) as caught:
        list(documents(given(*rows), where="f"))
    return str(caught.value)


def test_rows_without_an_id_are_numbered_and_blank_lines_are_skipped():
    rows = [Row("one", None, "a"), Row("", is_blank=True, error="f:2: the line is blank"), Row("", None, "b")]
    assert list(documents(given(*rows), where="f")) == [Document("1", "one", "a"), Document("2", "", "b")]


def test_the_first_row_that_cannot_be_trained_on_is_an_error():
    fine = Row("one", None, "a")
    assert failure(fine, Row("", error="f:2: broken"), Row("", error="f:3: broken")) == "f:2: broken"
    assert failure(Row("one", training_error="f:1: the label is empty")) == "f:1: the label is empty"
    assert failure(Row("one", place="f:1")) == "f:1: no label"
    assert failure() == failure(Row("", is_blank=True)) == "f: no documents in it"


def test_an_id_that_comes_twice_names_both_rows():
    first, second = Row("one", "7", "a", place="f:2"), Row("two", "7", "b", place="f:5")
    assert list(documents(given(first), where="f")) == [Document("7", "one", "a")]
    assert failure(first, second) == "f:5: the id '7' is taken by f:2; ids must differ"
    assert list(documents(given(Row("", "", "a", place="f:1")), where="f")) == [Document("", "", "a")]


def test_rows_are_closed_with_their_documents():
    closed = []

    def rows():
        try:
            yield Row("one", None, "a")
            yield Row("two", None, "a")
        finally:
            closed.append(True)

    with closing(documents(rows(), where="f")) as opened:
        next(opened)
        assert not closed
    assert closed


def test_a_long_value_is_cut_in_a_message():
    assert shortened("x" * 60) == f"'{'x' * 60}'"
    assert shortened("\x1b" + "x" * 100) == f"'\\x1b{'x' * 59}…'"


EVERYTHING = Columns(("a", "b"), "c", "d", ("a", "b", "c", "d"), ";", "", "cp1252")


@pytest.mark.parametrize("columns", [Columns(), EVERYTHING])
def test_columns_survive_json(columns):
    assert Columns.from_json(json.loads(json.dumps(columns.to_json()))) == columns


@pytest.mark.parametrize(
    "change",
    [{"text": "a"}, {"text": None}, {"text": [1]}, {"names": {}}, {"label": ["a"]}, {"quote": 3}, {"colour": "red"}],
    ids=repr,
)
def test_columns_of_another_type_are_refused(change):
    with pytest.raises((TypeError, ValueError)):
        Columns.from_json({**EVERYTHING.to_json(), **change})


@pytest.mark.parametrize("name", ["label", "id"])
def test_a_label_or_an_id_as_long_as_a_text_is_refused(name):
    row = Row("a text", id="1", label="a", place="f.csv:2")
    assert len(list(documents(given(row._replace(**{name: "x" * MAX_NAME})), where="f.csv"))) == 1
    message = f"f.csv:2: the {name} has 10,001 characters, and the most is 10,000; name the column of the {name}s with"
    with pytest.raises(DataError, match=f"^{message} --{name}-column$"):
        list(documents(given(row._replace(**{name: "x" * (MAX_NAME + 1)})), where="f.csv"))
