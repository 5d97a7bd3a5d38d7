import io
import sys
from pathlib import Path

import pytest

from textclf.errors import DataError
from textclf.inference.predicting import Reading, rows, texts_of
from textclf.sources import Row


def read(texts=(), file=None, *, stdin=b"", strict=False, monkeypatch=None):
    """Rows and warnings."""
    if monkeypatch:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
    warnings = []
    found = rows(texts, [file] if file else [], Reading(strict=strict), warn=warnings.append)
    return list(found), warnings


def test_texts_stdin_and_a_file_come_in_this_order(monkeypatch):
    Path("more.txt").write_text("four\nfive\n")
    found, warnings = read(["one", "-"], Path("more.txt"), stdin=b"two\nthree\n", monkeypatch=monkeypatch)
    assert [row.text for row in found] == ["one", "two", "three", "four", "five"]
    assert [row.place for row in found] == ["text 1", "stdin:1", "stdin:2", "more.txt:1", "more.txt:2"]
    assert warnings == []


EMPTY = {
    "e.csv": "id,text\n1,rain\n2, \n",
    "e.tsv": "id\ttext\n1\train\n2\t\n",
    "e.jsonl": '{"text": "rain"}\n{"text": "\\u00a0"}\n',
    "e.json": '[{"text": "rain"}, {"text": ""}]',
    "e.txt": "rain\n \n",
    "e.ft": "__label__a rain\n__label__a \n",
}


@pytest.mark.parametrize("name", EMPTY)
def test_an_empty_text_is_an_error_of_its_row_in_every_format(name):
    Path(name).write_text(EMPTY[name])
    (rain, empty), _ = read(file=Path(name))
    assert (rain.text, rain.error) == ("rain", None)
    assert (empty.text, empty.error) == ("", f"{empty.place}: the text is empty")
    with pytest.raises(DataError, match=f"{name}:[23]: the text is empty"):
        read(file=Path(name), strict=True)


def test_an_empty_text_in_arguments_or_stdin_is_an_error_of_its_row(monkeypatch):
    found, warnings = read(["rain", " ", "-"], stdin=b"wind\n\n", monkeypatch=monkeypatch)
    assert [row.error for row in found] == [None, "text 2: the text is empty", None, "stdin:2: the text is empty"]
    assert warnings == []
    with pytest.raises(DataError, match="text 1: the text is empty"):
        read([""], strict=True)


def test_stdin_that_is_not_text_is_refused(monkeypatch):
    with pytest.raises(DataError, match="stdin:2: byte 0xff is not UTF-8"):
        read(["-"], stdin=b"rain\n\xff\n", monkeypatch=monkeypatch)


def test_a_row_of_a_file_that_cannot_be_read_is_refused_if_strict():
    Path("rows.jsonl").write_text('{"text": "rain"}\nno\n')
    found, _ = read(file=Path("rows.jsonl"))
    assert (found[0].text, found[1].text) == ("rain", "")
    assert "rows.jsonl:2: not JSON" in found[1].error
    with pytest.raises(DataError, match=r"rows\.jsonl:2: not JSON"):
        read(file=Path("rows.jsonl"), strict=True)


def test_the_texts_of_rows_have_no_errors():
    assert list(texts_of([Row("a"), Row("b")])) == ["a", "b"]
    with pytest.raises(DataError, match="line 2"):
        list(texts_of([Row("a"), Row("", error="line 2: no")]))


def test_several_labels_are_a_warning_once_where_a_text_has_one(tmp_path):
    path, warnings = tmp_path / "f.ft", []
    path.write_bytes(b"__label__a fine\n__label__a __label__b two\n__label__a __label__b three\n")
    for several in (True, False):
        found = list(rows([], [path], Reading(several=several), warn=warnings.append))
        assert [row.label for row in found] == ["a", "a", "a"]
        expected = (
            [] if several else [f"{path}:2: more than one label; here and in the rows that follow, the first counts"]
        )
        assert warnings == expected
