"""Which columns are the text, the label and the id, and what their values become."""

from datetime import date, time, timedelta
from decimal import Decimal

import numpy as np
import pytest

from textclf.errors import DataError, UsageError
from textclf.sources import Columns, Row
from textclf.sources.columns import (
    MOST_DEPTH,
    Roles,
    find_columns,
    follow,
    names_in,
    refuse_repeated,
    to_row,
    told_apart,
)

ANY = Columns()


@pytest.mark.parametrize(
    ("present", "columns", "found"),
    [
        (["id", "text", "label"], ANY, (("text",), "label", None)),
        (["Review", " Sentiment "], ANY, (("Review",), " Sentiment ", None)),
        (["Text", "text", "label"], ANY, (("Text",), "label", None)),
        (["topic", "body", "title"], ANY, (("body",), "topic", None)),
        (["a", "b", "label"], Columns(text=("b", "a")), (("b", "a"), "label", None)),
        (["text", "label", "key"], Columns(id="key"), (("text",), "label", "key")),
        (["text", "label"], Columns(label="text", text=("label",)), (("label",), "text", None)),
        (["label", "category"], Columns(text=("label",)), (("label",), "category", None)),
        (["1", "2"], Columns(("2",), "1"), (("2",), "1", None)),
    ],
)
def test_columns_are_found(present, columns, found):
    assert find_columns(columns, present, where="t.csv", needs_label=True) == Roles(*found)


KNOWN = Columns(("summary", "message"), "team", "ticket")


@pytest.mark.parametrize(
    ("present", "columns", "found"),
    [
        (["ticket", "message", "team", "summary"], ANY, (KNOWN.text, "team", "ticket")),
        (["text", "message", "summary"], ANY, (KNOWN.text, None, None)),
        (["label", "message", "summary", "team"], ANY, (KNOWN.text, "team", None)),
        (["label", "message", "summary"], ANY, (KNOWN.text, "label", None)),
        (["message", "text", "team"], ANY, (("text",), "team", None)),
        (["message", "summary", "team"], Columns(("team",)), (("team",), None, None)),
        (["message", "summary", "team"], Columns(label="summary"), (("message",), "summary", None)),
        (["message", "summary", "ticket"], Columns(id="summary"), (("message",), None, "summary")),
    ],
)
def test_known_columns_come_after_those_asked_for_and_before_usual_names(present, columns, found):
    assert find_columns(columns, present, where="t.csv", needs_label=False, known=KNOWN) == Roles(*found)


def test_a_known_text_may_have_the_usual_name_of_a_label():
    known = Columns(("category",), "team")
    found = find_columns(ANY, ["category", "text"], where="t.csv", needs_label=False, known=known)
    assert found == Roles(("category",), None, None)


@pytest.mark.parametrize(
    ("columns", "present", "message"),
    [
        (ANY, ["x", "label"], "which column is the text? add --text-column NAME; t.csv has the columns x, label"),
        (ANY, ["text", "y"], "which column is the label? add --label-column NAME; t.csv has the columns text, y"),
        (Columns(("txt",)), ["text", "label"], "no column 'txt'; t.csv has the columns text, label"),
        (Columns(id="key"), ["text", "label"], "no column 'key'; t.csv has the columns text, label"),
        (
            Columns(("text",), "text"),
            ["text", "label"],
            "the column 'text' cannot be both the text and the label; t.csv has the columns text, label",
        ),
    ],
)
def test_unclear_columns_are_a_usage_error(columns, present, message):
    with pytest.raises(UsageError) as caught:
        find_columns(columns, present, where="t.csv", needs_label=True)
    assert str(caught.value) == message


def test_names_that_a_message_cannot_hold_are_cut_and_spelled_out():
    with pytest.raises(UsageError) as caught:
        find_columns(ANY, ["\x1b[2J", "n" * 100_000, *map(str, range(10_000))], where="t.csv", needs_label=True)
    message = str(caught.value)
    assert "t.csv has the columns '\\x1b[2J', 'nnn" in message
    assert message.endswith("56, 57 and 9,942 more")
    assert len(message) < 500


def test_a_label_may_be_absent_where_it_is_not_needed():
    find = lambda names: find_columns(ANY, names, where="t.csv", needs_label=False)  # noqa: E731
    assert find(["id", "text"]) == Roles(("text",), None, None)
    assert find(["text", "label"]) == Roles(("text",), "label", None)
    with pytest.raises(UsageError, match="which column is the text"):
        find(["label"])


def test_each_column_is_read_once():
    assert Roles(("a", "b", "a"), "c", None).names() == ["a", "b", "c"]
    assert Roles(("a",), None, "a").names() == ["a"]


def test_repeated_columns_are_refused_unless_they_have_no_name():
    refuse_repeated("f:1", ["", "text", ""])
    with pytest.raises(DataError, match="f:1: two columns are named 'a'"):
        refuse_repeated("f:1", ["b", "a", "a"])


def test_columns_without_a_name_are_called_by_their_places_if_there_are_several():
    assert told_apart(["", "text"]) == ["", "text"]
    assert told_apart(["", "text", "", "column_3"]) == ["column_1", "text", "column_3_", "column_3"]


ROLES = Roles(("text",), "label", "id")


def row(text="x", label="a", name="1", roles=ROLES, **options):
    """A row without the record that it is of."""
    values = {"text": text, "label": label, "id": name}
    found = to_row("f:2", values, roles, **options)
    assert found.record is values
    return found._replace(record={})


@pytest.mark.parametrize(
    ("value", "spelled"),
    [
        ("NA", "NA"),
        (7, "7"),
        (0.5, "0.5"),
        (True, "true"),
        (Decimal("1.50"), "1.50"),
        (date(2020, 1, 2), "2020-01-02"),
        (time(1, 2), "01:02:00"),
    ],
)
def test_one_value_becomes_a_string(value, spelled):
    assert row(value, value, value) == Row(spelled, spelled, spelled, place="f:2")


@pytest.mark.parametrize(
    ("value", "wrong"),
    [
        (None, "no value in the column '{}'"),
        (float("nan"), "no value in the column '{}'"),
        ({"a": 1}, "the column '{0}' holds a dict, not one value; in it is {0}.a"),
        (b"\xe9", "the column '{}' holds bytes, of which 0xe9 is not UTF-8"),
        (timedelta(1), "the column '{}' holds a timedelta, not one value"),
        ("\ud800", "half a surrogate pair, which no file can hold"),
    ],
)
def test_a_value_that_cannot_be_used_is_an_error_of_the_text_or_of_training(value, wrong):
    assert row(text=value) == Row("", "1", "a", f"f:2: {wrong.format('text')}", place="f:2")
    assert row(label=value) == Row("x", "1", None, None, f"f:2: {wrong.format('label')}", place="f:2")
    assert row(name=value) == Row("x", None, "a", None, f"f:2: {wrong.format('id')}", place="f:2")


def test_an_empty_label_cannot_be_trained_on():
    assert row(label=" ") == Row("x", "1", " ", None, "f:2: the label is empty (column 'label')", place="f:2")


def test_columns_that_are_not_there_leave_nothing():
    assert row(roles=Roles(("text",), None, None)) == Row("x", place="f:2")


def test_texts_are_joined_and_have_a_limit():
    roles = Roles(("text", "label"), None, None)
    assert row("abc", "de", roles=roles, limit=6) == Row("abc\nde", place="f:2")
    assert row("abc", "def", roles=roles, limit=6).error == "f:2: the text has 7 characters; the most is 6"
    assert row("abc", None, roles=roles).error == "f:2: no value in the column 'label'"


NESTED = {"id": 7, "data": {"text": "fine", "more": {"deep": [1, 2]}}, "annotations": [{"label": "x"}, {"label": "y"}]}


def test_what_is_nested_has_dotted_names():
    assert names_in({"a.b": 1, **NESTED}) == [
        "a.b",
        "id",
        "data",
        "data.text",
        "data.more",
        "data.more.deep",
        "data.more.deep.0",
        "annotations",
        "annotations.0",
        "annotations.0.label",
    ]
    assert names_in({"a": {}, "b": [], "c": None}) == ["a", "b", "c"]


def test_names_end_at_a_depth():
    value: object = "end"
    for _ in range(200):
        value = {"x": [value]}
    assert len(names_in({"a": value})) == MOST_DEPTH + 1


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("data.text", "fine"),
        ("data.more.deep.1", 2),
        ("annotations.1.label", "y"),
        ("annotations.2.label", None),
        ("annotations.x", None),
        ("annotations.-1.label", None),
        (f"annotations.{'9' * 5_000}", None),
        ("id.text", None),
        ("data.none.text", None),
        ("", None),
        ("id", 7),
    ],
)
def test_a_dotted_path_is_followed(path, value):
    assert follow(NESTED, path) == value


def test_a_key_with_points_comes_before_a_path():
    values = {"a.b": "key", "a": {"b": "path"}}
    assert to_row("f:1", values, Roles(("a.b",), None, None)).text == "key"
    assert to_row("f:1", {"a": {"b": "path"}}, Roles(("a.b",), None, None)).text == "path"


def test_nested_columns_are_rows():
    roles = find_columns(
        Columns(("data.text",), "annotations.0.label", "id"), names_in(NESTED), where="f", needs_label=True
    )
    row = to_row("f:1", NESTED, roles)
    assert (row.text, row.label, row.id, row.training_error) == ("fine", "x", "7", None)
    empty = to_row("f:1", {**NESTED, "annotations": []}, roles)
    assert empty.training_error == "f:1: no value in the column 'annotations.0.label'"


# Several labels

RECORDS = [
    {"text": "one", "a": 0, "b": "1", "n": 3},
    {"text": "two", "a": 1.0, "b": " 0 ", "n": 1},
    {"text": "three", "a": False, "b": "True", "n": 0},
]


def find(present=("text", "a", "b", "n"), records=RECORDS, columns=ANY, **options):
    return find_columns(columns, present, lambda: records, where="t.csv", **{"needs_label": True, **options})


def test_columns_of_1_and_0_are_labels_where_no_column_is_the_label():
    assert find() == Roles(("text",), None, None, ("a", "b"))
    assert find(("text", "a", "b", "n", "label")) == Roles(("text",), "label", None)
    assert find(columns=Columns(label="n")) == Roles(("text",), "n", None)
    assert find(columns=Columns(id="a"), present=("text", "a", "b", "c"), records=[{"b": 1, "c": 0}]).flags == (
        "b",
        "c",
    )
    assert find(needs_label=False) == Roles(("text",), None, None)  # a text to predict has columns of numbers, too


@pytest.mark.parametrize(
    "records",
    [
        [],
        [{"text": "x", "a": 1, "b": "yes", "n": 3}],
        [{"text": "x", "a": 0, "b": 0, "n": 0}] * 3,
        [*RECORDS, {"text": "four", "a": 2, "b": 0, "n": 0}],
        [*RECORDS, {"text": "four", "a": None, "b": 0, "n": 0}],
        [*RECORDS, {"text": "four", "b": 0, "n": 0}],
    ],
    ids=["no rows", "one column", "zeros alone", "a 2", "null", "nothing"],
)
def test_other_columns_are_no_labels(records):
    with pytest.raises(UsageError, match="which column is the label"):
        find(records=records)


@pytest.mark.parametrize(
    ("flags", "found"),
    [
        (("a",), ("a",)),
        (("b", "a"), ("b", "a")),
        (("a..c",), ("a", "b", "c")),
        (("b..d", "a"), ("b", "c", "d", "a")),
        (("a..b", "b..c"), ("a", "b", "c")),
        (("c..c",), ("c",)),
        (("x..y",), ("x..y",)),  # a column of this name
    ],
)
def test_columns_of_flags_may_be_named_one_by_one_or_from_one_to_another(flags, found):
    present = ["text", "a", "b", "c", "d", "x..y", "label"]
    assert find(present, columns=Columns(flags=flags)).flags == found
    assert find(present, columns=Columns(flags=flags)).label is None


@pytest.mark.parametrize("name", ["z", "a..z", "z..a", "c..a", "..", "a.."])
def test_a_column_of_flags_that_is_not_there_is_named(name):
    with pytest.raises(UsageError) as caught:
        find(["text", "a", "b", "c"], columns=Columns(flags=(name,)))
    assert str(caught.value) == f"no column {name!r}; t.csv has the columns text, a, b, c"


def test_a_text_is_no_flag():
    with pytest.raises(UsageError, match=r"^the column 'text' cannot be both the text and the label"):
        find(columns=Columns(("text",), flags=("text", "a")))


def test_known_columns_of_flags_are_taken_where_all_are_there():
    known = Columns(("text",), flags=("a", "b"))
    assert find(known=known, needs_label=False).flags == ("a", "b")
    assert find(("text", "a"), known=known, needs_label=False).flags == ()
    assert find(("text", "a", "b", "n"), known=known, columns=Columns(label="n")).flags == ()


def test_a_separator_goes_with_the_column_that_it_was_learned_for():
    known = Columns(("text",), "tags", separator=";")
    assert find(("text", "tags"), known=known).separator == ";"
    assert find(("text", "label"), known=known).separator is None
    assert find(("text", "tags"), known=known, columns=Columns(separator="|")).separator == "|"


def labels_of(values, roles):
    """The labels, whether they are a list, and what is wrong with them."""
    row = to_row("f:2", {"text": "x", **values}, roles)
    return row.labels, row.has_labels, row.training_error


FLAGGED = Roles(("text",), None, None, ("a", "b", "c"))


@pytest.mark.parametrize(
    ("values", "labels"),
    [
        ((1, 0, "1"), ("a", "c")),
        ((True, "true", " TRUE "), ("a", "b", "c")),
        ((0, "0.0", False), ()),
        ((1.0, Decimal("0"), "1.0"), ("a", "c")),
    ],
)
def test_flags_say_which_labels_a_row_has(values, labels):
    assert labels_of(dict(zip("abc", values, strict=True)), FLAGGED) == (labels, True, None)


@pytest.mark.parametrize(
    ("value", "shown"),
    [(2, "'2'"), ("yes", "'yes'"), (None, "'None'"), ("", "''"), (float("nan"), "'nan'"), ([1], "'[1]'")],
)
def test_a_flag_that_is_neither_is_named_with_its_row_and_column(value, shown):
    wrong = f"f:2: the column 'b' holds {shown}; for each document it must hold 1 or 0"
    assert labels_of({"a": 1, "b": value, "c": 0}, FLAGGED) == ((), False, wrong)


CELLS = Roles(("text",), "tags", None, separator=";")
LISTED = Roles(("text",), "tags", None)


@pytest.mark.parametrize(
    ("value", "roles", "labels"),
    [
        ("a;b", CELLS, ("a", "b")),
        (" a ; b b ;", CELLS, ("a", "b b")),
        ("", CELLS, ()),
        (None, CELLS, ()),
        (";", CELLS, ()),
        ("['a'; 'b b']", CELLS, ("a", "b b")),
        ('{"a";"it\'s"}', CELLS, ("a", "it's")),
        ("[0; 27]", CELLS, ("0", "27")),
        ("[]", CELLS, ()),
        ("[a]; [b]", CELLS, ("[a]", "[b]")),
        ("'a'; b", CELLS, ("'a'", "b")),
        ("a|b", CELLS, ("a|b",)),
        (7, CELLS, ("7",)),
        (["a;b", "c"], CELLS, ("a", "b", "c")),
        (["a;b", "c"], LISTED, ("a;b", "c")),
        ([], LISTED, ()),
        (("b", "a", "b"), LISTED, ("b", "a", "b")),
        ([1, True, 0.5], LISTED, ("1", "true", "0.5")),
        (np.array(["a", "b"]), LISTED, ("a", "b")),
        ({"only"}, LISTED, ("only",)),
    ],
)
def test_lists_and_cells_hold_any_number_of_labels(value, roles, labels):
    assert labels_of({"tags": value}, roles) == (labels, True, None)


@pytest.mark.parametrize(
    ("value", "wrong"),
    [
        (["a", None], "no value in the column 'tags'"),
        (["a", " "], "a label is empty (column 'tags')"),
        (["a", ["b"]], "the column 'tags' holds a list, not one value; in it is tags.0"),
        (["a", {"b": 1}], "the column 'tags' holds a dict, not one value; in it is tags.b"),
        (["a", "\ud800"], "half a surrogate pair, which no file can hold"),
    ],
)
def test_what_is_no_label_in_a_list_is_an_error_of_training(value, wrong):
    assert labels_of({"tags": value}, LISTED) == ((), False, f"f:2: {wrong}")


def test_a_column_without_lists_has_one_label_per_row():
    assert labels_of({"tags": "a;b"}, LISTED) == (("a;b",), False, None)
    assert labels_of({"tags": None}, LISTED) == ((), False, "f:2: no value in the column 'tags'")


def test_bytes_are_text_in_utf_8():
    """As programs of other years have written them to Parquet."""
    assert row(text="café".encode()).text == "café"
    assert row(text=b"caf\xe9").error == "f:2: the column 'text' holds bytes, of which 0xe9 is not UTF-8"
