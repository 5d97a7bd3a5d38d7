"""Documents in memory: data frames, Arrow tables, datasets and pairs become the same documents as a file of them."""

from decimal import Decimal
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from datasets import ClassLabel, Dataset, DatasetDict

from textclf.errors import DataError, UsageError
from textclf.sources import Columns, Document, SourceOptions, hold, is_in_memory

COLUMNS = {"text": ["a cat", "a dog", "some soup"], "label": ["animals", "animals", "food"]}
PAIRS = list(zip(*COLUMNS.values(), strict=True))
DOCUMENTS = [Document(str(number), *pair) for number, pair in enumerate(PAIRS, start=1)]


class ArrowOnly:
    """A table that offers its rows through the Arrow PyCapsule interface alone, as polars does."""

    def __init__(self, table):
        self.__arrow_c_stream__ = table.__arrow_c_stream__


def corpus(held, **columns):
    return hold(held, options=SourceOptions(columns=Columns(**columns)))


def train(held, **columns):
    return list(corpus(held, **columns).splits["train"])


def message(error, held, **columns):
    with pytest.raises(error) as caught:
        corpus(held, **columns)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("held", "name"),
    [
        (pd.DataFrame(COLUMNS), "DataFrame"),
        (pd.DataFrame(COLUMNS).astype({"label": "category", "text": object}), "DataFrame"),
        (pd.DataFrame(COLUMNS, index=[7, 7, 7]), "DataFrame"),
        (pa.table(COLUMNS), "Table"),
        (ArrowOnly(pa.table(COLUMNS)), "ArrowOnly"),
        (pa.RecordBatchReader.from_stream(pa.table(COLUMNS)), "RecordBatchReader"),
        (Dataset.from_dict(COLUMNS), "Dataset"),
        (Dataset.from_dict(COLUMNS).with_format("numpy"), "Dataset"),
        (COLUMNS, "documents"),
        ({"text": np.array(COLUMNS["text"]), "label": pd.Series(COLUMNS["label"])}, "documents"),
        (PAIRS, "documents"),
        (tuple(map(list, PAIRS)), "documents"),
        (iter(PAIRS), "documents"),
        (np.array(PAIRS), "documents"),
        ([dict(zip(COLUMNS, pair, strict=True)) for pair in PAIRS], "documents"),
        ([(document.id, *pair) for document, pair in zip(DOCUMENTS, PAIRS, strict=True)], "documents"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_whatever_holds_the_documents_they_are_the_same(held, name):
    found = corpus(held)
    for _ in range(2):  # read anew each time
        assert list(found.splits["train"]) == DOCUMENTS
    assert found.source == name
    assert found.revision == corpus(PAIRS).revision
    assert found.name == f"{name.lower()}-{found.revision[:8]}"


def test_the_revision_changes_with_any_document():
    revisions = {corpus(PAIRS).revision}
    changed = [[*PAIRS, ("a", "b")], PAIRS[::-1], [("x", "a cat", "animals")], [("a cat", "animals2"), *PAIRS[1:]]]
    for held in (*changed, {"train": PAIRS[:2], "test": PAIRS[2:]}, {"train": PAIRS[:2], "validation": PAIRS[2:]}):
        revisions.add(corpus(held).revision)
    assert len(revisions) == 7


@pytest.mark.parametrize(
    ("label", "spelled"),
    [(3, "3"), (np.int64(3), "3"), (True, "true"), (np.True_, "true"), (0.5, "0.5"), ("001", "001"), (" x ", " x ")],
)
def test_labels_are_spelled_as_from_a_file(label, spelled):
    for held in ([("a", label)], pd.DataFrame({"text": ["a"], "label": [label]}), {"text": ["a"], "label": [label]}):
        assert train(held) == [Document("1", "a", spelled)]


def test_a_column_of_pandas_may_mix_types():
    frame = pd.DataFrame({"text": [12, "a"], "label": [1, "b"], "other": [object(), {1}]})
    assert train(frame) == [Document("1", "12", "1"), Document("2", "a", "b")]


def test_columns_are_found_as_in_files():
    frame = pd.DataFrame({"title": ["A"], "body": ["b"], "stars": [5], "key": ["r1"], 7: [0]})
    found = corpus(frame, text=("title", "body"), label="stars", id="key")
    assert list(found.splits["train"]) == [Document("r1", "A\nb", "5")]
    assert found.columns == Columns(("title", "body"), "stars", "key")
    assert message(UsageError, frame, label="stars", text=("texts",)) == (
        "no column 'texts'; DataFrame has the columns title, body, stars, key, 7"
    )
    assert "which column is the label?" in message(UsageError, frame)
    assert "two columns are named 'text'" in message(DataError, pd.DataFrame([["a", "b"]], columns=["text", "text"]))


def test_nested_values_are_named_by_dotted_paths():
    rows = [{"data": {"body": "one"}, "labels": ["x"]}, {"data": {"body": "two"}, "labels": ["y"]}]
    for held in (rows, pa.Table.from_pylist(rows), Dataset.from_list(rows)):
        found = train(held, text=("data.body",), label="labels.0")
        assert [(document.text, *document.labels) for document in found] == [("one", "x"), ("two", "y")]


MISSING = [None, float("nan"), np.nan, np.float32("nan"), pd.NA, pd.NaT, Decimal("nan")]


@pytest.mark.parametrize("missing", MISSING, ids=repr)
@pytest.mark.parametrize("column", ["text", "label"])
def test_a_missing_value_is_named_with_its_row_and_id(column, missing):
    rows = [{"id": f"r{number}", "text": "a", "label": "b"} for number in range(3)]
    rows[1][column] = missing
    said = f"no value in the column {column!r}"
    frame = pd.DataFrame(rows, dtype=object)
    assert message(DataError, frame) == f"DataFrame[1]: {said}"
    assert message(DataError, frame, id="id") == f"DataFrame[1] (id 'r1'): {said}"
    assert message(DataError, [tuple(row.values()) for row in rows]) == f"documents[1] (id 'r1'): {said}"
    assert message(DataError, {"train": rows[:1], "test": rows}) == f"splits['test'][1]: {said}"


def test_a_missing_id_and_a_repeated_id_are_named():
    frame = pd.DataFrame({**COLUMNS, "id": ["x", None, "y"]})
    assert message(DataError, frame, id="id") == "DataFrame[1]: no value in the column 'id'"
    frame["id"] = "x"
    assert "DataFrame[1] (id 'x'): the id 'x' is taken by DataFrame[0]" in message(DataError, frame, id="id")


def test_splits_have_their_usual_names():
    found = corpus({"train": PAIRS[:2], "dev": zip(*COLUMNS.values(), strict=True), "other": PAIRS})
    assert {name: len(list(split)) for name, split in found.splits.items()} == {"train": 2, "validation": 3}
    assert list(found.notes) == ["the split 'other' is not used"]
    frames = {"train": pd.DataFrame(COLUMNS), "test": pd.DataFrame(COLUMNS)}
    assert list(corpus(frames).splits) == ["train", "test"]
    assert "no train split, but test" in message(UsageError, {"test": pd.DataFrame(COLUMNS)})


def test_a_dataset_keeps_the_names_of_its_labels_and_hidden_splits_are_left_out():
    data = Dataset.from_dict({"text": ["a", "b"], "label": [1, 0]}).cast_column("label", ClassLabel(names=["n", "p"]))
    hidden = Dataset.from_dict({"text": ["a"], "label": [-1]}).cast(data.features)
    found = corpus(DatasetDict({"train": data, "test": hidden}))
    assert [document.label for document in found.splits["train"]] == ["p", "n"]
    assert list(found.splits) == ["train"]
    assert list(found.notes) == ["the split 'test' is left out: it has no labels"]


@pytest.mark.parametrize(
    ("held", "said"),
    [
        (["a text"], "documents[0] is a str; give a DataFrame"),
        (pd.Series(["a"]), "give a DataFrame"),
        (pa.array(["a"]), "give a DataFrame"),
        ([("a", "b", "c", "d")], "documents[0] is a tuple of 4 values; give"),
        ([("a", "b"), ("c", "d", "e")], "documents[1] is a tuple of 3 values, not (text, label) like the first row"),
        ([("a", "b"), "cd"], "documents[1] is a str, not (text, label) like the first row"),
        (
            [{"text": "a", "label": "b"}, ("c", "d")],
            "is a tuple of 2 values, not a dict like the first row",
        ),
        ({"text": ["a"], "label": ["b", "c"]}, "documents: not lists of equal length"),
        ({"text": "a", "label": 5}, "documents: not lists of equal length"),
        ({}, "documents: not lists of equal length"),
        ({"train": {("a", "b")}}, "splits['train'] is a set; give"),
        ({"train": 5}, "splits['train'] is a int; give"),
        (Dataset.from_dict(COLUMNS).to_iterable_dataset(), "load it without streaming=True"),
    ],
    ids=str,
)
def test_what_holds_no_documents_is_refused_with_a_suggestion(held, said):
    assert said in message(UsageError, held)


def test_no_rows_and_rows_that_cannot_be_read_are_named():
    assert message(DataError, iter(())) == "documents: no documents in it"
    assert message(DataError, pd.DataFrame({"text": [], "label": []})) == "DataFrame: no documents in it"
    assert "documents[0]: the column 'label' holds a object, not one value" in message(DataError, [("a", object())])
    assert "half a surrogate pair" in message(DataError, [("\ud800", "b")])
    assert "the label is empty" in message(DataError, [("a", " ")])


def test_options_for_files_and_the_hub_are_refused():
    for options in ({"columns": Columns(delimiter=";")}, {"columns": Columns(encoding="cp1252")}, {"config": "x"}):
        with pytest.raises(UsageError, match="DataFrame"):
            hold(pd.DataFrame(COLUMNS), options=SourceOptions(**options))
    assert "documents have no columns" in message(UsageError, PAIRS, label="label")


def test_what_may_hold_documents_is_told_from_names():
    for held in (PAIRS, iter(PAIRS), COLUMNS, pd.DataFrame(COLUMNS), pa.table(COLUMNS), [5], Dataset.from_dict({})):
        assert is_in_memory(held)
    for named in ("x.csv", ["a.csv", "b.csv"], [], (), None, 5, b"x", {1}, SimpleNamespace()):
        assert not is_in_memory(named)
