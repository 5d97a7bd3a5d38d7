"""Rows of a JSON file, which is read as a whole."""

import io
import json
from functools import partial

import pytest

from textclf.errors import DataError, UsageError
from textclf.sources import Columns
from textclf.sources.columns import find_columns
from textclf.sources.json_file import JsonOptions, read_json, read_tables
from textclf.sources.text_lines import encoding_named

BOTH = [{"text": "one", "label": "x"}, {"text": "two", "label": "y"}]


def stream(content):
    return io.BufferedReader(io.BytesIO(content if isinstance(content, bytes) else content.encode()))


def rows(content, columns=Columns(), encoding=None, **options):  # noqa: B008 (frozen)
    find = partial(find_columns, columns, where="f.json", needs_label=False)
    return list(read_json(stream(content), "f.json", find, JsonOptions(encoding_named(encoding), **options)))


@pytest.mark.parametrize(
    "content",
    [
        json.dumps(BOTH),
        json.dumps(BOTH, indent=2),
        "\ufeff" + json.dumps(BOTH),
        "\n ".join(json.dumps(each, indent=1) for each in BOTH),
        json.dumps({"data": BOTH}) + "\n",
        '["one", "x"]\n["two", "y"]\n',
    ],
)
def test_rows_are_numbered_records(content):
    found = rows(content)
    assert [(row.text, row.label) for row in found] == [("one", "x"), ("two", "y")]
    assert [row.place for row in found] == ["f.json:1", "f.json:2"]


def test_numbers_are_as_they_are_spelled():
    assert rows('[{"text": 1.50, "label": 1e5}]')[0][:3] == ("1.50", None, "1e5")


def test_other_encodings_are_read_when_they_are_asked_for():
    assert rows(json.dumps(BOTH).encode("utf-16"), encoding="utf-16")[0].text == "one"
    with pytest.raises(DataError, match=r"f.json is UTF-16, as in .*; try --encoding utf-16"):
        rows(json.dumps(BOTH).encode("utf-16"))
    with pytest.raises(DataError, match=r"f.json:2: byte 0xa3 is not UTF-8"):
        rows(b'[\n"\xa35"]')


def test_a_record_that_is_none_is_an_error_in_its_place():
    found = rows('[{"text": "one"}, 7, ["a"], {"label": "x"}]')
    assert [row.error for row in found] == [
        None,
        "f.json:2: a number in place of a record like the first",
        "f.json:3: a list in place of a record like the first",
        "f.json:4: no value in the column 'text'",
    ]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('[\n{"text": }]', "f.json:2: not JSON (Expecting value at character 10)"),
        ('[{"text": "a"}', "f.json:1: not JSON (Expecting ',' delimiter at character 15)"),
        ('[{"text": NaN}]', "f.json: not JSON that can be read (NaN is not a JSON value)"),
        ('[{"text": "a", "text": "b"}]', "f.json: not JSON that can be read (a key comes twice)"),
        ("[" * 200_000, "f.json: not JSON that can be read ("),
        ("text,label\na,b\n", "f.json:1: not JSON (Expecting value at character 1)"),
        (b"%PDF-1.7\n", "f.json is not text but a PDF"),
    ],
)
def test_what_cannot_be_read_is_refused_as_a_whole(content, message):
    with pytest.raises(DataError) as caught:
        rows(content)
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


def test_several_lists_are_named_and_one_is_chosen():
    content = json.dumps({"train": BOTH, "test": BOTH[:1]})
    with pytest.raises(UsageError, match=r"f\.json has several lists of documents, train, test; .* --part train"):
        rows(content)
    assert [row.text for row in rows(content, part="test")] == ["one"]


@pytest.mark.parametrize("content", ["", " \n", "[]"])
def test_an_empty_file_has_no_rows(content):
    assert rows(content) == []


def test_a_large_file_is_refused_with_the_way_to_read_it():
    options = JsonOptions(encoding_named(None), most_bytes=1_000, most_values=100)
    read_tables(stream(json.dumps(BOTH)), "f.json", options)
    for content in (json.dumps([{"text": "x" * 1_000}]), json.dumps([[]] * 200)):
        with pytest.raises(DataError, match=r"JSON is read as a whole, up to .*: jq -c '\.\[\]' f\.json > f\.jsonl"):
            read_tables(stream(content), "f.json", options)
