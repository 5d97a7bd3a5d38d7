"""Which columns are the text, the label and the id, and what their values become."""

from datetime import date, time, timedelta
from decimal import Decimal

import pytest

from textclf.errors import DataError, UsageError
from textclf.sources import Columns, Row
from textclf.sources.columns import MOST_DEPTH, Roles, find_columns, follow, names_in, refuse_repeated, to_row

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
    assert find_columns(columns, present, where="t.csv", needs_label=True) == found


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
    assert find_columns(columns, present, where="t.csv", needs_label=False, known=KNOWN) == found


def test_a_known_text_may_have_the_usual_name_of_a_label():
    known = Columns(("category",), "team")
    found = find_columns(ANY, ["category", "text"], where="t.csv", needs_label=False, known=known)
    assert found == (("category",), None, None)


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
    assert find(["id", "text"]) == (("text",), None, None)
    assert find(["text", "label"]) == (("text",), "label", None)
    with pytest.raises(UsageError, match="which column is the text"):
        find(["label"])


def test_each_column_is_read_once():
    assert Roles(("a", "b", "a"), "c", None).names() == ["a", "b", "c"]
    assert Roles(("a",), None, "a").names() == ["a"]


def test_repeated_columns_are_refused_unless_they_have_no_name():
    refuse_repeated("f:1", ["", "text", ""])
    with pytest.raises(DataError, match="f:1: two columns are named 'a'"):
        refuse_repeated("f:1", ["b", "a", "a"])


ROLES = Roles(("text",), "label", "id")


def row(text="x", label="a", name="1", roles=ROLES, **options):
    return to_row("f:2", {"text": text, "label": label, "id": name}, roles, **options)


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
        (["a"], "the column '{0}' holds a list, not one value; in it is {0}.0"),
        ([], "the column '{}' holds a list, not one value"),
        (b"a", "the column '{}' holds a bytes, not one value"),
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
