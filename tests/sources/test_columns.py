"""Which columns are the text, the label and the id."""

import pytest

from textclf.errors import UsageError
from textclf.sources.columns import Columns, find_columns

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
    assert find_columns(columns, present, where="t.csv") == found


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
        find_columns(columns, present, where="t.csv")
    assert str(caught.value) == message


def test_names_that_a_message_cannot_hold_are_cut_and_spelled_out():
    with pytest.raises(UsageError) as caught:
        find_columns(ANY, ["\x1b[2J", "n" * 100_000, *map(str, range(10_000))], where="t.csv")
    message = str(caught.value)
    assert "t.csv has the columns '\\x1b[2J', 'nnn" in message
    assert message.endswith("56, 57 and 9,942 more")
    assert len(message) < 500
