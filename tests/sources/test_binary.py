"""Files that are not text are known by their beginning, and text never is one of them."""

import pytest

from textclf.sources.binary import BINARY, MAGIC, binary_kind, in_place_of_table

STARTS = {
    b"\x1f\x8b\x08": "gzip",
    b"PK\x03\x04": "ZIP",
    b"BZh91AY&SY": "bzip2",
    b"\xfd7zXZ\x00": "xz",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"\x1f\x9d\x90": "compress",
    b"\x04\x22\x4d\x18\x64": "LZ4",
    b"\xff\x06\x00\x00sNaPpY": "Snappy",
    b"7z\xbc\xaf\x27\x1c": "7z",
    b"Rar!\x1a\x07": "RAR",
    b"a/b.csv".ljust(257, b"\0") + b"ustar": "tar",
    b"PAR1\x15\x04": "Parquet",
    b"ARROW1\0\0": "Arrow",
    b"Obj\x01": "Avro",
    b"\x89HDF\r\n": "HDF5",
    b"\x93NUMPY\x01": "numpy",
    b"SQLite format 3\0": "SQLite",
    b"\x80\x04\x95": "pickle",
    b"\xd0\xcf\x11\xe0\xa1": "Office",
    b"%PDF-1.7": "PDF",
    b"{\\rtf1": "RTF",
    b"\x89PNG\r\n": "PNG",
    b"\xff\xd8\xff\xe0": "JPEG",
    b"GIF89a": "GIF",
    b"\x7fELF": "program",
}


@pytest.mark.parametrize("start", STARTS)
def test_a_file_that_is_not_text_is_named(start):
    assert STARTS[start] in (binary_kind(start) or "")
    assert len(start) <= MAGIC


def test_each_kind_is_tried():
    assert len(STARTS) == len(BINARY)


@pytest.mark.parametrize(
    "text", ["", "text,label", "{}", "PK is a name", "%PDF", "GIF", "Rar! it said", "\ufeffÿØÿ", "Obj 1", "{rtf"]
)
def test_text_is_text(text):
    assert binary_kind(text.encode()) is None
    assert in_place_of_table(text.encode()) is None


def test_text_in_place_of_a_table_is_named():
    assert "git lfs pull" in in_place_of_table(b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n")
    for page in (b"<!DOCTYPE html>\n", b"\n<html lang='en'>", b"<HTML>"):
        assert "HTML" in in_place_of_table(page)
