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
    assert found == [Row(text) for text in ("one", "two", "three", "four", "five")]
    assert warnings == []


def test_an_empty_text_is_a_row_with_a_warning():
    found, warnings = read(["rain", " "])
    assert found == [Row("rain"), Row(" ")]
    assert warnings == ["text 2 is empty; its label is what the model gives without any word"]


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
