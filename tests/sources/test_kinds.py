"""What a file is: by its name and, where that does not say, by its beginning."""

import gzip
import json
import os
import pickle
from pathlib import Path
from threading import Thread

import pytest

from textclf.errors import DataError, UsageError
from textclf.sources import Columns, rows
from textclf.sources.kinds import HEAD, KINDS_BY_ENDING, advice_on_lines, kind_of, looks_like_json

RECORDS = [{"text": "one", "label": "a"}, {"text": "two", "label": "b"}]
LINES = "".join(json.dumps(record) + "\n" for record in RECORDS)
LONG = json.dumps({"text": "x" * 2 * HEAD}) + "\n"


def save(path, content):
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.mark.parametrize(("ending", "kind"), KINDS_BY_ENDING.items())
def test_an_ending_says_what_a_file_is_and_so_does_the_option(ending, kind, tmp_path):
    content = json.dumps(RECORDS) if kind == "json" else LINES
    assert kind_of(save(tmp_path / f"a{ending}", content)) == kind
    assert kind_of(save(tmp_path / f"a{ending.upper()}", content)) == kind
    assert kind_of(tmp_path / f"a{ending}", named="lines") == "lines"
    if kind not in ("parquet", "xlsx"):
        assert kind_of(save(tmp_path / f"a{ending}.gz", gzip.compress(content.encode()))) == kind
    else:
        with pytest.raises(UsageError, match=f"{kind} is compressed inside, and is not read from .gz: unpack it first"):
            kind_of(save(tmp_path / f"a{ending}.gz", b""))


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        ("", "lines"),
        ("\n\n", "lines"),
        ("one text\nanother text\n", "lines"),
        ("a line, with a comma\nanother, too\n", "lines"),
        ("[URGENT] call me\n{sigh}\n", "lines"),
        ("one\ttab\nno tab\n", "lines"),
        ("one\ttab\n", "lines"),
        ("__label__a one\n__label__b two\n", "fasttext"),
        ("one __label__a\n", "fasttext"),
        ("ham\tone\nspam\ttwo\n", "tsv"),
        ("1\ta\tone\n2\tb\ttwo\n", "tsv"),
        ("text\tlabel\none\ta\n", "tsv"),
        ("text,label\none,a\n", "csv"),
        ('"id","text","stars"\n1,"a, b",2\n', "csv"),
        ("Text;Category\none;a\n", "csv"),
        ("label|sentence\na|one\n", "csv"),
        (LINES, "jsonl"),
        ("\ufeff" + LINES, "jsonl"),
        (LONG * 2, "jsonl"),
        (json.dumps(RECORDS), "json"),
        (json.dumps(RECORDS, indent=2), "json"),
        (json.dumps({"data": RECORDS}, indent=2), "json"),
        (json.dumps({"data": RECORDS * 10_000}), "json"),
        ('["one", "a"]\n["two", "b"]\n', "json"),
    ],
)
@pytest.mark.parametrize("ending", ["", ".txt", ".dat", ".gz"])
def test_without_an_ending_that_says_it_the_first_lines_do(content, kind, ending, tmp_path):
    packed = gzip.compress(content.encode()) if ending == ".gz" else content
    assert kind_of(save(tmp_path / f"a{ending}", packed)) == kind


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (LINES, "jsonl"),
        (LONG * 2, "jsonl"),
        (json.dumps(RECORDS), "json"),
        (json.dumps(RECORDS, indent=2), "json"),
        (json.dumps(RECORDS[0]), "json"),
        (json.dumps(RECORDS[0], indent=2) + json.dumps(RECORDS[1], indent=2), "json"),
        ("", "json"),
        ("no JSON", "json"),
    ],
)
def test_json_of_one_object_per_line_is_json_lines(content, kind, tmp_path):
    assert kind_of(save(tmp_path / "a.json", content)) == kind


@pytest.mark.parametrize(
    "content", [json.dumps(RECORDS), json.dumps(RECORDS, indent=1), json.dumps({}, indent=1) + "{\n"]
)
def test_one_value_in_json_lines_is_refused_with_the_way_to_read_it(content, tmp_path):
    path = save(tmp_path / "a.jsonl", content)
    if content.startswith("{}"):
        assert kind_of(path) == "jsonl"
        return
    with pytest.raises(DataError, match=r"a\.jsonl:1: not JSON lines, .*: name it \.json, or add --input-format json"):
        kind_of(path)


@pytest.mark.parametrize("content", ["", "\n", '{"text": "one"\n', "no JSON\n", '{"text": "one",\n "label": "a"}'])
def test_broken_json_lines_are_json_lines(content, tmp_path):
    assert kind_of(save(tmp_path / "a.jsonl", content)) == "jsonl"


@pytest.mark.parametrize("ending", ["", ".dat", ".h5", ".docx"])
@pytest.mark.parametrize(
    "content", [b"%PDF-1.7\n", pickle.dumps(RECORDS), b"PK\x03\x04\x14", b"a\x00b", b"\xd0\xcf\x11\xe0"]
)
def test_what_is_not_text_is_refused(ending, content, tmp_path):
    path = save(tmp_path / f"a{ending}", content)
    with pytest.raises(UsageError, match=r"unsupported format, not text but .*; supported are \.csv") as caught:
        kind_of(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("cell", [b"\t", b",", b";", b"__label__a "])
def test_a_text_file_that_is_compressed_is_no_table(cell, tmp_path):
    file = save(tmp_path / "a.txt", b"\x1f\x8b\x08\0" + (cell + b"x\n") * 5)
    with pytest.raises(DataError, match="is not text but gzip"):
        kind_of(file)


@pytest.mark.parametrize("ending", [".csv", ".tsv", ".jsonl", ".json"])
def test_what_is_there_in_place_of_a_table_is_named(ending, tmp_path):
    with pytest.raises(DataError, match="but an HTML page, perhaps in place of a download that failed"):
        kind_of(save(tmp_path / f"a{ending}", "<!DOCTYPE html>\n"))
    with pytest.raises(DataError, match="but a pointer to a file in Git LFS: git lfs pull"):
        kind_of(save(tmp_path / f"a{ending}", "version https://git-lfs.github.com/spec/v1\n"))


@pytest.mark.parametrize(
    "name", ["a.pkl", "a.pickle", "a.joblib", "a.pt", "a.pth", "a.pkl.gz", "a.zip", "a.tar.gz", "a.7z"]
)
def test_pickles_and_archives_are_never_opened(name, monkeypatch):
    monkeypatch.setattr("io.open", None)
    monkeypatch.setattr(Path, "open", None)
    with pytest.raises(UsageError, match=r"unsupported format, (an archive|.*may hold a pickle)"):
        kind_of(Path(name))


def test_how_it_is_written_says_what_it_is(tmp_path):
    path = save(tmp_path / "a.txt", "1 one;a\n0 two;b\n")
    assert kind_of(path) == "lines"
    assert kind_of(path, columns=Columns(label_prefix="")) == "fasttext"
    assert kind_of(path, columns=Columns(names=("text", "label"), delimiter=";")) == "csv"
    assert advice_on_lines(path, Columns()).endswith("as in --delimiter ';' --columns text,label")
    assert advice_on_lines(save(tmp_path / "b.txt", "one, two\nthree\n"), Columns()) is None


def test_a_pipe_is_not_looked_into(tmp_path):
    os.mkfifo(tmp_path / "a")
    assert kind_of(tmp_path / "a") == "stdin"
    writer = Thread(target=(tmp_path / "a").write_bytes, args=(b"one\ntwo\n",))
    writer.start()
    assert [row.text for row in rows(tmp_path / "a")] == ["one", "two"]
    writer.join()


@pytest.mark.parametrize("text", ['{"a": 1}', "{\n", "[\n", '["a"]', "[[1]]", "[]", "{}", ' [ {"a": 1}]'])
def test_json_looks_like_it(text):
    assert looks_like_json(text)


@pytest.mark.parametrize("text", ["", "text", "[1] as in Smith", "[URGENT]", "{sigh}", "{{template}}", "(a)", "<x>"])
def test_other_text_does_not(text):
    assert not looks_like_json(text)


def test_a_missing_file_is_named():
    with pytest.raises(DataError, match="cannot read none"):
        list(rows(Path("none")))
