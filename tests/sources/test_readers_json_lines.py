"""Rows of JSON lines, broken ones included."""

import io
from functools import partial

import pytest

from textclf.errors import UsageError
from textclf.sources import Columns, Row
from textclf.sources.columns import find_columns
from textclf.sources.readers import read_json_lines
from textclf.sources.text_lines import read_lines


def json_lines(content, columns=Columns()):  # noqa: B008 (frozen)
    find = partial(find_columns, columns, where="f.jsonl", needs_label=False)
    return list(read_json_lines(read_lines(io.BufferedReader(io.BytesIO(content)), "f.jsonl"), "f.jsonl", find))


CONTENT = b"""{"text": "one", "label": "a", "n": 1.50}
{"text": "two"
[1]

{"text": null}
{"label": "b"}
{"text": {"a": 1}}
{"text": "half \\ud83d"}
{"text": "ok", "label": "\\ud83d"}
{"text": 1e400, "label": 2}
{"text": "\xff"}
{"text": "a", "text": "b"}
{"text": NaN}
"""


def test_lines_are_objects_or_errors_in_their_place():
    rows = json_lines(CONTENT)
    assert [row.text for row in rows if not row.error] == ["one", "ok", "1e400"]
    broken = [2, 3, 4, 5, 6, 7, 8, 11, 12, 13]
    assert [row.error.split(": ")[0] for row in rows if row.error] == [f"f.jsonl:{number}" for number in broken]
    assert [row.label for row in rows if not row.error] == ["a", None, "2"]
    assert "half a surrogate pair" in rows[7].error
    assert "half a surrogate pair" in rows[8].training_error
    assert rows[5].label == "b"
    assert [row.is_blank for row in rows].index(True) == 3


def test_columns_are_found_in_the_first_object_or_named():
    record = {"text": "one", "label": "a", "n": "1.50"}
    first = json_lines(CONTENT, Columns(("text",), None, "n"))[0]
    assert first == Row("one", "1.50", "a", place="f.jsonl:1", record=record)
    with pytest.raises(UsageError, match=r"no column 'body'; f\.jsonl has the columns text, label, n"):
        json_lines(CONTENT, Columns(("body",)))


def test_numbers_and_booleans_keep_their_spelling():
    values = ["1e5", "1.50", "-0", "12345678901234567890123", "true", "false"]
    rows = json_lines("\n".join(f'{{"text": {value}, "label": {value}}}' for value in values).encode())
    assert [(row.text, row.label) for row in rows] == [(value, value) for value in values]


@pytest.mark.parametrize(
    ("text", "is_read"),
    [("[" * 200_000, False), ('{"text": ' * 100_000, False), ('{"text": ' + "9" * 5_000 + "}", True)],
    ids=["deep array", "deep object", "long number"],
)
def test_deep_or_long_json_is_one_row(text, is_read):
    first, middle, last = json_lines(b'{"text": "a"}\n' + text.encode() + b'\n{"text": "b"}\n')
    assert (first.text, last.text) == ("a", "b")
    assert (middle.error is None) == is_read


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"text": -Infinity}', "not JSON that can be read (-Infinity is not a JSON value)"),
        ('{"text": "a", "text": "b"}', "not JSON that can be read (a key comes twice)"),
        ('{"text": "a"', "not JSON (Expecting ',' delimiter at character 13)"),
        ('["a", "x"]', "not a JSON object; each line must be one"),
    ],
)
def test_broken_json_is_described(line, message):
    assert json_lines(line.encode()) == [Row("", error=f"f.jsonl:1: {message}")]


def test_nested_values_are_named_by_dotted_paths():
    content = b'{"data": {"text": "one"}, "tags": [{"name": "x"}]}\n{"data": {}, "tags": []}\n'
    first, second = json_lines(content, Columns(("data.text",), "tags.0.name"))
    assert (first.text, first.label) == ("one", "x")
    assert second.error == "f.jsonl:2: no value in the column 'data.text'"
    with pytest.raises(UsageError, match=r"no column 'tags.1.name'; .*data, data.text, tags, tags.0, tags.0.name"):
        json_lines(content, Columns(("data.text",), "tags.1.name"))
