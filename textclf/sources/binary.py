"""Recognises files that are not text, and text that is not what it was to be, by their first bytes."""

import re
from collections.abc import Mapping
from typing import Final

BINARY: Final[Mapping[bytes, str]] = {
    rb"\x1f\x8b": "gzip: name it .gz behind its own ending, or unpack it first",
    rb"PK\x03\x04": "a ZIP archive, as .xlsx and .docx are, too: unpack it, or save it as .xlsx or CSV",
    rb"BZh[1-9]1AY&SY": "bzip2: name it .bz2 behind its own ending, or unpack it first",
    rb"\xfd7zXZ\x00": "xz: name it .xz behind its own ending, or unpack it first",
    rb"\x28\xb5\x2f\xfd": "zstd: name it .zst behind its own ending, or unpack it first",
    rb"\x1f[\x9d\xa0]": "compress: unpack it first",
    rb"\x04\x22\x4d\x18": "LZ4: unpack it first",
    rb"\xff\x06\x00\x00sNaPpY": "Snappy: unpack it first",
    rb"7z\xbc\xaf\x27\x1c": "a 7z archive: unpack it first",
    rb"Rar!\x1a": "a RAR archive: unpack it first",
    rb"(?s).{257}ustar": "a tar archive: unpack it first",
    rb"PAR1\x15": "Parquet: name it .parquet",
    rb"(ARROW1|FEA1)": "Arrow: save it as Parquet",
    rb"Obj\x01": "Avro: save it as Parquet",
    rb"\x89HDF": "HDF5: save it as Parquet or CSV",
    rb"\x93NUMPY": "a numpy array: save it as Parquet or CSV",
    rb"SQLite format 3": "an SQLite database: save its table as CSV",
    rb"\x80[\x02-\x05]": "a pickle, which is never read: save it as Parquet or CSV",
    rb"\xd0\xcf\x11\xe0": "an old Office document, or one with a password: save it as .xlsx or CSV",
    rb"%PDF-": "a PDF",
    rb"\{\\rtf": "an RTF document: save it as text",
    rb"\x89PNG": "a PNG image",
    rb"\xff\xd8\xff": "a JPEG image",
    rb"GIF8[79]a": "a GIF image",
    rb"\x7fELF": "a program",
}
"""The first bytes of files that are not text, whatever their name; some encodings could decode them."""

IN_PLACE: Final[Mapping[bytes, str]] = {
    rb"version https://git-lfs\.github\.com/spec/": "a pointer to a file in Git LFS: git lfs pull",
    rb"(?i)\s*<(!doctype html|html)[\s>]": "an HTML page, perhaps in place of a download that failed",
}
"""The beginnings of text that is often there in place of a table."""

MAGIC: Final = 264
"""Bytes at the beginning of a file by which it is recognised."""


def binary_kind(start: bytes) -> str | None:
    """Say which kind of file begins like this; None if it may be text."""
    return next((kind for pattern, kind in BINARY.items() if re.match(pattern, start)), None)


def in_place_of_table(start: bytes) -> str | None:
    """Say which text is there in place of a table; None if none that is known."""
    return next((kind for pattern, kind in IN_PLACE.items() if re.match(pattern, start)), None)
