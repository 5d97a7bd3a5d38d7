"""Where the documents of a JSON value are."""

import pytest

from textclf.errors import UsageError
from textclf.sources.json_shapes import tables_of

ONE, TWO = {"text": "one", "label": "x"}, {"text": "two", "label": "y"}
BOTH = [ONE, TWO]
PAIRS = [["one", "x"], ["two", "y"]]


def records(table):
    return list(table.records)


@pytest.mark.parametrize(
    "value",
    [
        BOTH,
        PAIRS,
        [["text", "label"], *PAIRS],
        {"data": BOTH},
        {"data": PAIRS},
        {"version": 1, "meta": {"author": "me", "text": "about"}, "data": BOTH, "empty": []},
        {"rasa_nlu_data": {"common_examples": BOTH, "regex_features": []}},
        {"train": BOTH},
        {"text": ["one", "two"], "label": ["x", "y"]},
        {"text": {"0": "one", "1": "two"}, "label": {"0": "x", "1": "y"}},
        {"columns": ["text", "label"], "index": [0, 1], "data": PAIRS},
        {"schema": {"fields": []}, "data": BOTH},
        {"categories": [{"id": 1, "name": "x"}], "items": BOTH},
        {"x": ["one"], "y": ["two"]},
    ],
)
def test_one_table_is_found_in_every_shape(value):
    tables = tables_of(value, where="f.json")
    assert list(tables) == [""]
    assert tables[""].names[:2] == ["text", "label"]
    assert [(record["text"], record["label"]) for record in tables[""].records] == [("one", "x"), ("two", "y")]


def test_an_object_of_objects_has_its_keys_in_a_column():
    (table,) = tables_of({"a1": ONE, "a2": TWO}, where="f.json").values()
    assert records(table) == [{"key": "a1", **ONE}, {"key": "a2", **TWO}]
    assert table.names == ["key", "text", "label"]


def test_one_object_is_one_record():
    (table,) = tables_of(ONE, where="f.json").values()
    assert records(table) == [ONE]


def test_splits_are_tables_of_their_own():
    value = {"train": PAIRS, "val": BOTH, "oos_test": [["three", "oos"]]}
    tables = tables_of(value, where="f.json")
    assert list(tables) == ["train", "val", "oos_test"]
    assert records(tables["oos_test"]) == [{"text": "three", "label": "oos"}]
    columns = {"train": {"text": ["one"], "label": ["x"]}, "test": {"text": ["two"], "label": ["y"]}}
    assert list(tables_of(columns, where="f.json")) == ["train", "test"]


def test_a_part_is_named_by_its_path():
    value = {"splits": {"train": BOTH, "test": PAIRS}, "more": [{"text": "no"}]}
    assert list(tables_of(value, where="f.json")) == ["splits.train", "splits.test", "more"]
    (table,) = tables_of(value, where="f.json", part="splits.train").values()
    assert records(table) == BOTH
    with pytest.raises(UsageError, match=r"f.json has no part 'splits.dev'; it has splits, more"):
        tables_of(value, where="f.json", part="splits.dev")


def test_columns_that_are_asked_for_make_a_table():
    value = {"headline": ["one", "two"], "is_it": [0, 1]}
    (table,) = tables_of(value, where="f.json", wanted=("headline",)).values()
    assert records(table) == [{"headline": "one", "is_it": 0}, {"headline": "two", "is_it": 1}]
    nested = [{"data": {"text": "one"}, "annotations": [{"label": "x"}]}]
    (table,) = tables_of(nested, where="f.json").values()
    assert table.names == ["data", "data.text", "annotations", "annotations.0", "annotations.0.label"]


def test_names_of_later_records_count():
    (table,) = tables_of([{"text": "one"}, {"label": "x", "text": "two"}], where="f.json").values()
    assert table.names == ["text", "label"]


def test_longer_lists_have_numbered_columns_and_odd_records_stay_what_they_are():
    (table,) = tables_of([["1", "one", "x"], ["2", "two"], "three"], where="f.json").values()
    assert table.names == ["0", "1", "2"]
    assert records(table) == [{"0": "1", "1": "one", "2": "x"}, ["2", "two"], "three"]


@pytest.mark.parametrize(
    "value",
    [
        None, 1, "text", [], {}, [1, 2], ["one", "two"], [[]], [None], {"data": []}, {"a": 1},
        {"text": ["one"], "label": []}, {"text": {"0": "one"}, "label": {"1": "x"}},
        {"a": {"b": {"c": {"d": {"e": {"f": {"g": BOTH}}}}}}},
    ],
)  # fmt: skip
def test_a_value_without_documents_is_refused(value):
    with pytest.raises(UsageError, match=r"f\.json has no list of documents"):
        tables_of(value, where="f.json")
