"""Bad input, through the command: the same data directory from every format, or one line that says what is wrong where.

A case is named, and written in each of the formats in which it can occur. What loads must give the same bytes from CSV,
TSV, JSONL and Parquet, and from fastText lines where they can hold it; what is refused names the file and the line.
"""

import bz2
import csv
import gzip
import io
import json
import lzma
import os
import re
import subprocess
import sys
import zipfile
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from textclf.cli import main
from textclf.dataset import documents, manifest, tensors
from textclf.dataset.manifest import DataLayout
from textclf.errors import DataError, UsageError
from textclf.sources import columns, formats
from textclf.sources.columns import Columns
from textclf.sources.document import Document
from textclf.text.tokenizer import Tokenizer

ROWS = [(f"the {number}th text of {number % 7} words", "ab"[number % 2]) for number in range(20)]
"""What stands before the rows of a case, so that there is something to split and to learn."""

LIMIT = 1_000
"""Characters of a text at the most, where a case lowers the limit to have a small file."""


class Values(NamedTuple):
    """A case of rows that load, (text, label): all such cases stand in one table, written in each format."""

    name: str
    rows: list[tuple[str, str]]
    lines: bool = True
    """Whether fastText can hold them, too."""


class Ids(NamedTuple):
    """A case of ids that load, in one table with those of the other cases."""

    name: str
    ids: tuple[str, ...]


class Form(NamedTuple):
    """A case of one table in files that are written in ways that must not matter, by ending."""

    name: str
    files: dict[str, bytes]
    rows: list[tuple[str, str]]
    options: tuple[str, ...]


class Refused(NamedTuple):
    """A case that is refused: one file, and the one line about it."""

    name: str
    ending: str
    content: bytes
    line: int | None
    part: str
    code: int = 3
    options: tuple[str, ...] = ()


# Writing one table in each format; a row is (text, label) or (text, label, id)


def delimited(rows, delimiter=",", names=("text", "label", "key")):
    content = io.StringIO(newline="")
    csv.writer(content, delimiter=delimiter).writerows([names[: len(rows[0])], *rows])
    return content.getvalue().encode()


def json_lines(rows, names=("text", "label", "key")):
    lines = [json.dumps(dict(zip(names, row, strict=False)), ensure_ascii=False) for row in rows]
    return "".join(f"{line}\n" for line in lines).encode()


def parquet(columns, **options):
    content = io.BytesIO()
    table = columns if isinstance(columns, pa.Table) else pa.table(columns)
    pq.write_table(table, content, **options)
    return content.getvalue()


def parquet_rows(rows, names=("text", "label", "key")):
    return parquet(dict(zip(names, map(pa.array, zip(*rows, strict=True)), strict=False)))


def fasttext(rows):
    return "".join(f"__label__{label} {text}\n" for text, label in rows).encode()


def in_three_formats(rows):
    return {".csv": delimited(rows), ".jsonl": json_lines(rows), ".parquet": parquet_rows(rows)}


def in_every_format(rows):
    return {**in_three_formats(rows), ".tsv": delimited(rows, "\t"), ".txt": fasttext(rows)}


def numbered(rows):
    return [Document(str(number), text, label) for number, (text, label) in enumerate(rows, start=1)]


def value(name, *rows, lines=True):
    return Values(name, list(rows), lines)


def in_both(*words):
    """Rows that have each word as their text, and rows that have it as their label."""
    return [row for word in words for row in ((word, "a"), (f"labelled {word}", word))]


def form(name, files, *options, rows=None):
    """A case of the plain rows, and of CSV as it is usually written unless that is what the case is about."""
    return Form(name, {".csv": delimited(rows or ROWS), **files}, rows or ROWS, options)


PLAIN = delimited(ROWS).decode().replace("\r\n", "\n")
LINES = json_lines(ROWS).decode()
FASTTEXT = fasttext(ROWS).decode()
CAFE = [*ROWS, ("café £5", "é")]
TEXTS, LABELS = [text for text, _ in ROWS], [label for _, label in ROWS]

VALUES = [
    value("empty text", ("", "a"), ("", "b")),
    value("white space as text", ("   ", "a"), ("\t", "b")),
    value("no-break space and mark inside", ("\u00a0\ufeff\u3000", "a"), ("x\ufeffy", "b")),
    value("NUL in text", ("one\x00two", "a"), ("\x00", "b")),
    value("NUL in label", ("one", "x\x00y")),
    value("control characters in text", ("bell\x07 escape\x1b[31m form\x0c\x0b\x1c\x85feed", "a")),
    value("embedded line feed", ("two\nlines", "a"), ("\n", "b"), lines=False),
    value("embedded CR LF", ("two\r\nlines", "a"), lines=False),
    value("embedded CR", ("two\rlines", "a"), lines=False),
    value("line separators of Unicode", ("two\u2028lines\u2029here\u0085", "a")),
    value("quotes, commas and tabs", ('he said "no", twice', "a"), ('"', "b"), ("a,b\tc;d", "a"), ("'", "b")),
    value("backslashes", ("C:\\new\\table", "a"), ('\\"', "b"), ("\\u0041", "a")),
    value("200,000 characters", ("word " * 40_000 + ".", "a")),
    value("a word of 200,000 characters", ("x" * 200_000, "a")),
    value("emoji", ("👍🏽 👩‍👩‍👧 \U0001f1e9\U0001f1ea", "a"), ("good", "🎉")),
    value("right to left", ("שלום עולם \u202eabc", "a"), ("hello", "مرحبا")),
    value("composed and decomposed text", ("caf\u00e9", "a"), ("cafe\u0301", "b")),
    value("composed and decomposed labels", ("one", "\u00e9"), ("two", "e\u0301")),
    value("upper and lower case labels", ("one", "Sport"), ("two", "sport")),
    value("words that others take for no value", *in_both("NA", "null", "None", "nan", "N/A", "#N/A", "True")),
    value("words that others take for numbers", *in_both("001", "1e5", "1.0", "-0", "inf", "1_000", "0x1f")),
    value("spaces around", (" x ", "a"), ("one", " x "), ("two", "x"), lines=False),
    value("a label that is a path up", ("one", "../../x"), ("two", "/etc/passwd")),
    value("a label with a slash", ("one", "a/b"), ("two", "a\\b")),
    value("a label that is a device of Windows", ("one", "CON"), ("two", "nul.txt")),
    value("a label that is a folder", ("one", "."), ("two", "..")),
    value("a label of 300 characters", ("one", "n" * 300)),
    value("a class of one document", ("alone", "rare")),
    value("copies with two labels", ("same", "a"), ("same", "b"), ("Same ", "a")),
    value("5,000 digits", ("9" * 5_000, "a")),
]

IDS = [
    Ids("ids that are paths and devices", ("../../x", "/abs", "a/b", "..", ".", "CON", "nul.txt", "con")),
    Ids("ids that are empty, blank and long", ("", " ", "n" * 300)),
    Ids("ids of emoji, right to left, composed and decomposed", ("👍🏽", "שלום", "\u00e9", "e\u0301")),
    Ids("ids that look like numbers", ("1", "01", "1.0", "1e0", "NA", "null")),
    Ids("ids with NUL and line ends", ("a\x00b", "a\nb", "a\r\nb")),
]

FORMS = [
    form("every format", {**in_every_format(ROWS)}),
    form(
        "byte-order mark",
        {".csv": b"\xef\xbb\xbf" + PLAIN.encode(), ".jsonl": b"\xef\xbb\xbf" + LINES.encode(),
         ".txt": b"\xef\xbb\xbf" + FASTTEXT.encode()},
    ),
    form(
        "CR LF",
        {".csv": PLAIN.replace("\n", "\r\n").encode(), ".jsonl": LINES.replace("\n", "\r\n").encode(),
         ".txt": FASTTEXT.replace("\n", "\r\n").encode()},
    ),
    form("CR", {".csv": PLAIN.replace("\n", "\r").encode()}),
    form(
        "blank lines",
        {".csv": PLAIN.replace("\n", "\n\n").encode(), ".jsonl": LINES.replace("\n", "\n \n\n").encode(),
         ".txt": FASTTEXT.replace("\n", "\n\n \n").encode()},
    ),
    form("no last line end", {".csv": PLAIN.strip().encode(), ".jsonl": LINES.strip().encode()}),
    form("every cell in quotes", {".csv": "".join(f'"{a}","{b}"\n' for a, b in [("text", "label"), *ROWS]).encode()}),
    form("columns in another order", {".csv": "".join(f"{b},{a}\n" for a, b in [("text", "label"), *ROWS]).encode()}),
    form("capital letters in the header", {".csv": PLAIN.replace("text,label", "Text, LABEL ", 1).encode()}),
    form(
        "columns that are not asked for",
        {".csv": "".join(f"{a},x,{b},,\n" for a, b in [("text", "label"), *ROWS]).encode(),
         ".jsonl": LINES.replace("}", ', "more": {"deep": [1, null, {}]}, "n": ' + "7" * 5_000 + "}").encode(),
         ".parquet": parquet({"more": [[None]] * 20, "text": TEXTS, "no": pa.nulls(20), "label": LABELS})},
    ),
    form("escapes of JSON", {".jsonl": json_lines(CAFE).replace("é".encode(), b"\\u00e9")}, rows=CAFE),
    form(
        "a pair of surrogates escaped",
        {".jsonl": json_lines([*ROWS, ("👍", "a")]).replace("👍".encode(), b"\\ud83d\\udc4d")},
        rows=[*ROWS, ("👍", "a")],
    ),
    *(
        form(
            f"{encoding} when asked for",
            {ending: in_every_format(CAFE)[ending].decode().encode(encoding)
             for ending in (".csv", ".tsv", ".jsonl", ".txt")},
            "--encoding", encoding, rows=CAFE,
        )
        for encoding in ("cp1252", "latin-1", "utf-16", "utf-16-le", "utf-16-be", "utf-32")
    ),
    form(
        "UTF-16 with a mark and its byte order",
        {ending: ("\ufeff" + in_every_format(CAFE)[ending].decode()).encode("utf-16-le")
         for ending in (".csv", ".tsv", ".jsonl")},
        "--encoding", "utf-16-le", rows=CAFE,
    ),
    form("large strings", {".parquet": parquet({"text": pa.array(TEXTS, pa.large_string()), "label": LABELS})}),
    form(
        "dictionaries",
        {".parquet": parquet({"text": pa.array(TEXTS).dictionary_encode(),
                              "label": pa.array(LABELS).dictionary_encode()})},
    ),
    form(
        "many row groups, compressed",
        {".parquet": parquet({"text": TEXTS, "label": LABELS}, row_group_size=3, compression="gzip")},
    ),
    form("plain pages", {".parquet": parquet({"text": TEXTS, "label": LABELS}, use_dictionary=False)}),
]  # fmt: skip


IN_LINES = [case for case in VALUES if case.lines]


def broken_at(number, line, *, rows=ROWS):
    """The plain rows with another line in place of one, counted from 1, the header being the first."""
    lines = delimited(rows).decode().splitlines()
    lines[number - 1] = line
    return "".join(f"{line}\n" for line in lines).encode()


def table_of(name, content, line, part, **options):
    """A case of CSV and of TSV."""
    content = content if isinstance(content, bytes) else content.encode()
    return [
        Refused(name, ".csv", content, line, part, **options),
        Refused(name, ".tsv", content.replace(b",", b"\t"), line, part, **options),
    ]


def json_line(name, line, part, **options):
    """A case of one bad line, the fifth."""
    lines = json_lines(ROWS).splitlines()
    lines[4] = line if isinstance(line, bytes) else line.encode()
    return Refused(name, ".jsonl", b"\n".join(lines), 5, part, **options)


def parquet_values(name, column, fifth, line, part):
    """A case of one bad value, in the fifth row; a column of its type is left."""
    values = {"text": pa.array(TEXTS), "label": pa.array(LABELS), column: fifth}
    return Refused(name, ".parquet", parquet(values), line, part)


def replaced(values, fifth):
    return pa.array([*values[:4], fifth, *values[5:]])


def fasttext_line(name, line, part):
    lines = FASTTEXT.splitlines()
    lines[4] = line
    return Refused(name, ".txt", "\n".join(lines).encode(), 5, part)


def in_every_text_format(name, change, line, part, **options):
    """A case of bytes that are no text of the encoding, whatever the format; line: of (CSV, JSONL, fastText)."""
    written = {".csv": PLAIN.encode(), ".jsonl": LINES.encode(), ".txt": FASTTEXT.encode()}
    return [
        Refused(name, ending, change(content), line and line[place], part, **options)
        for place, (ending, content) in enumerate(written.items())
    ]


def zipped(content):
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("data.csv", content)
    return archive.getvalue()


def claiming(rows, claimed):
    """A Parquet file of so many rows, whose footer claims another number of them."""
    content = parquet_rows(ROWS[:rows])
    size = int.from_bytes(content[-8:-4], "little")
    data, footer = content[: -8 - size], content[-8 - size : -8]
    before = b"\x16" + varint(rows)  # an i64: of the file, the row group and its columns
    assert footer.count(before) >= 4
    footer = footer.replace(before, b"\x16" + varint(claimed))
    return data + footer + len(footer).to_bytes(4, "little") + b"PAR1"


def varint(number):
    number, written = number << 1, bytearray()  # zigzag
    while number >= 128:
        written.append(number & 127 | 128)
        number >>= 7
    return bytes([*written, number])


WHOLE = parquet_rows(ROWS)
NOT_UTF8 = pa.array([b"fine"] * 4 + [b"\xff"] + [b"fine"] * 15).view(pa.binary()).cast(pa.string(), safe=False)

REFUSED = [
    # the header
    *table_of("empty file", "", 1, "no header"),
    *table_of("blank lines only", "\n\n\n", 4, "no header"),
    *table_of("header only", "text,label\n", None, "no documents in it"),
    *table_of("numbers for a header", "3,Wall St. Bears,Reuters\n4,x,y\n", 1, "no header"),
    *table_of("a document for a header", "good film,positive\nbad film,negative\n", None, "--label-column", code=2),
    *table_of("no label column", "text,stars\nx,1\n", None, "which column is the label?", code=2),
    *table_of("no text column", "words,label\nx,1\n", None, "which column is the text?", code=2),
    *table_of("no such column", PLAIN, None, "no column 'body'", code=2, options=("--text-column", "body")),
    *table_of("no such id column", PLAIN, None, "no column 'key'", code=2, options=("--id-column", "key")),
    *table_of("two columns of one name", "text,label,text\nx,a,y\n", 1, "two columns are named 'text'"),
    Refused("semicolons", ".csv", PLAIN.replace(",", ";").encode(), None, "has the columns text;label", code=2),
    Refused("a header that would fill the screen", ".csv", b"x," * 5_000 + b"y\n", 1, "two columns are named 'x'"),
    Refused(
        "a header of escapes", ".csv", b"\x1b[2J,text\nx,y\n", None, "has the columns '\\x1b[2J', text", code=2
    ),
    # rows
    *table_of("too few cells", broken_at(5, "only one"), 5, "1 fields, but the header has 2"),
    *table_of("too many cells", broken_at(5, "one,two,three"), 5, "3 fields, but the header has 2"),
    *table_of("a line of spaces", broken_at(5, "   "), 5, "1 fields, but the header has 2"),
    *table_of("too few cells after embedded lines", broken_at(2, '"two\nlines",a\nshort'), 4, "1 fields"),
    *table_of("a stray quote in line 5 of 1,000", broken_at(5, '"stray,a', rows=ROWS * 50), 5, "the row is broken"),
    *table_of("an unclosed quote at the end", PLAIN + '"open,a\n', 22, "the row is broken"),
    *table_of("a quote inside quotes", broken_at(5, '"a" b,c'), 5, "a quote inside a field is written twice"),
    *table_of("an empty label", broken_at(5, "one,"), 5, "the label is empty"),
    *table_of("a label of white space", broken_at(5, "one, "), 5, "the label is empty"),
    *table_of("a text above the limit", broken_at(5, '"' + "line\n" * 300 + '",a'), 5, "field larger than field limit"),
    *table_of("a line above the limit", broken_at(5, f"{'x' * 2_000},a"), 5, "longer than 1,000 characters"),
    *table_of(
        "an id that comes twice",
        "key,text,label\n1,x,a\n2,y,b\n\n1,z,a\n",
        5,
        "the id '1' is taken by bad.",
        options=("--id-column", "key"),
    ),
    # JSON lines
    Refused("empty file", ".jsonl", b"", None, "no documents in it"),
    Refused("blank lines only", ".jsonl", b"\n \n\n", None, "no documents in it"),
    Refused("no label column", ".jsonl", b'{"text": "x"}\n', None, "which column is the label?", code=2),
    Refused("no text column", ".jsonl", b'{"label": "x"}\n', None, "which column is the text?", code=2),
    Refused("one document over many lines", ".jsonl", json.dumps([{"text": "a"}], indent=1).encode(), 1, "not JSON"),
    Refused("one array", ".jsonl", json.dumps([{"text": "a", "label": "b"}]).encode(), 1, "not a JSON object"),
    Refused(
        "an id that comes twice", ".jsonl", json_lines([("x", "a", "1"), ("y", "b", "2"), ("z", "a", "1")]), 3,
        "the id '1' is taken by bad.jsonl:1", options=("--id-column", "key"),
    ),
    json_line("no label in a line", '{"text": "x"}', "no value in the column 'label'"),
    json_line("no text in a line", '{"label": "a"}', "no value in the column 'text'"),
    json_line("a label that is null", '{"text": "x", "label": null}', "no value in the column 'label'"),
    json_line("a text that is null", '{"text": null, "label": "a"}', "no value in the column 'text'"),
    json_line("a label that is NaN", '{"text": "x", "label": NaN}', "NaN is not a JSON value"),
    json_line("a text that is infinite", '{"text": -Infinity, "label": "a"}', "-Infinity is not a JSON value"),
    json_line("a list of labels", '{"text": "x", "label": ["a", "b"]}', "holds a list, not one value"),
    json_line("a nested text", '{"text": {"en": "x"}, "label": "a"}', "holds a dict, not one value"),
    json_line("an empty label", '{"text": "x", "label": ""}', "the label is empty"),
    json_line("a key that comes twice", '{"text": "x", "text": "y", "label": "a"}', "a key comes twice"),
    json_line("a line that is cut off", '{"text": "x", "lab', "not JSON (Unterminated string"),
    json_line("garbage behind the object", '{"text": "x", "label": "a"} }', "not JSON (Extra data"),
    json_line("two objects in a line", '{"text": "x", "label": "a"}{"text": "y", "label": "b"}', "not JSON (Extra"),
    json_line("single quotes", "{'text': 'x', 'label': 'a'}", "not JSON (Expecting property name"),
    json_line("a line that is a number", "7", "not a JSON object"),
    json_line("a line that is null", "null", "not a JSON object"),
    json_line("a tab in a string", '{"text": "a\tb", "label": "a"}', "not JSON (Invalid control character"),
    json_line("NUL between", '{"text": "x",\x00 "label": "a"}', "not JSON (Expecting"),
    json_line("half a pair of surrogates", '{"text": "\\ud800", "label": "a"}', "half a surrogate pair"),
    json_line("half a pair in the label", '{"text": "x", "label": "\\udfff"}', "half a surrogate pair"),
    json_line("surrogates as bytes", b'{"text": "\xed\xa0\x80", "label": "a"}', "is not utf-8"),
    json_line("a line above the limit", json.dumps({"text": "x" * 2_000, "label": "a"}), "longer than 1,000"),
    json_line("nested 200,000 deep", '{"text": ' + "[" * 200_000, "not JSON that can be read"),
    json_line("closed 200,000 deep", '{"text": "x", "label": "a", "m": ' + "[" * 200_000 + "]" * 200_000 + "}",
              "not JSON that can be read"),
    Refused("CR", ".jsonl", LINES.replace("\n", "\r").encode(), 1, "not JSON (Extra data"),
    # Parquet
    Refused("empty file", ".parquet", b"", 1, "not Parquet that can be read"),
    Refused("not Parquet", ".parquet", PLAIN.encode(), 1, "not Parquet that can be read"),
    Refused("cut off in the middle", ".parquet", WHOLE[: len(WHOLE) // 2], 1, "not Parquet that can be read"),
    Refused("cut off at the end", ".parquet", WHOLE[:-1], 1, "not Parquet that can be read"),
    Refused("without its beginning", ".parquet", WHOLE[200:], 1, "not Parquet that can be read"),
    Refused("header only", ".parquet", parquet({"text": TEXTS[:0], "label": LABELS[:0]}), None, "no documents in it"),
    Refused("no columns", ".parquet", parquet({}), None, "which column is the label?", code=2),
    Refused("no label column", ".parquet", parquet({"text": TEXTS}), None, "which column is the label?", code=2),
    Refused("no text column", ".parquet", parquet({"label": LABELS}), None, "which column is the text?", code=2),
    Refused(
        "two columns of one name", ".parquet", parquet(pa.table([TEXTS, LABELS, TEXTS], ["text", "label", "text"])),
        None, "two columns are named 'text'",
    ),
    Refused(
        "an id that comes twice", ".parquet", parquet_rows([("x", "a", "1"), ("y", "b", "2"), ("z", "a", "1")]), 3,
        "the id '1' is taken by bad.parquet:1", options=("--id-column", "key"),
    ),
    parquet_values("a label that is null", "label", replaced(LABELS, None), 5, "no value in the column 'label'"),
    parquet_values("a text that is null", "text", replaced(TEXTS, None), 5, "no value in the column 'text'"),
    parquet_values("a column of nulls", "label", pa.nulls(20), 1, "no value in the column 'label'"),
    parquet_values("a label that is NaN", "label", replaced([1.0] * 20, float("nan")), 5, "no value in the column"),
    parquet_values("an empty label", "label", replaced(LABELS, " "), 5, "the label is empty"),
    parquet_values("a list of labels", "label", pa.array([["a"]] * 20), 1, "holds a list, not one value"),
    parquet_values("a nested text", "text", pa.array([{"en": "x"}] * 20), 1, "holds a dict, not one value"),
    parquet_values("a label of bytes", "label", pa.array([b"a"] * 20), 1, "holds a bytes, not one value"),
    parquet_values("a text that is not UTF-8", "text", NOT_UTF8, 1, "not Parquet that can be read ('utf-8' codec"),
    parquet_values("a text above the limit", "text", replaced(TEXTS, "line\n" * 300), 5, "1,000 is the most"),
    Refused("a claim of 2 ** 60 rows", ".parquet", claiming(20, 2**60), 21, "1,152,921,504,606,846,976 rows"),
    # fastText lines
    Refused("empty file", ".txt", b"", None, "no documents in it"),
    fasttext_line("no label in a line", "no label here", "no label; each line must start with one"),
    fasttext_line("two labels", "__label__a __label__b text", "more than one label"),
    fasttext_line("a label behind the text", "__label__a text __label__b", "more than one label"),
    fasttext_line("an empty label", "__label__ text", "the label is empty"),
    fasttext_line("a line above the limit", f"__label__a {'x' * 2_000}", "longer than 1,000 characters"),
    # encodings
    *in_every_text_format("cp1252", lambda c: c.replace(b"the 9th", b"\x80 9th"), (11, 10, 10), "try --encoding"),
    *in_every_text_format("latin-1", lambda c: c.replace(b"the 9th", b"\xe9 9th"), (11, 10, 10), "is not utf-8"),
    *in_every_text_format("UTF-8 that is cut off", lambda c: c + b"\xe2\x82", (22, 21, 21), "is not utf-8"),
    *in_every_text_format("UTF-16", lambda c: c.decode().encode("utf-16"), None, "is UTF-16: add --encoding utf-16"),
    *in_every_text_format("UTF-32", lambda c: c.decode().encode("utf-32"), None, "is UTF-32: add --encoding utf-32"),
    *in_every_text_format(
        "UTF-16 without a mark", lambda c: c.decode().encode("utf-16-le"), None, "add --encoding utf-16-le"
    ),
    *in_every_text_format(
        "UTF-16 without a mark, big end first", lambda c: c.decode().encode("utf-16-be"), None,
        "add --encoding utf-16-be",
    ),
    *in_every_text_format(
        "another encoding than asked for", lambda c: c + b"x" * (1 + len(c) % 2), (22, 21, 21), "is not utf-16-le",
        options=("--encoding", "utf-16-le"),
    ),
    *in_every_text_format(
        "not even the codec knows where", lambda c: c, (1, 1, 1), "is not punycode", options=("--encoding", "punycode")
    ),
    *in_every_text_format("no such encoding", lambda c: c, None, "no encoding named 'klingon'", code=2,
                          options=("--encoding", "klingon")),
    *in_every_text_format("a codec that is no encoding", lambda c: c, None, "no encoding named 'hex'", code=2,
                          options=("--encoding", "hex")),
    *in_every_text_format("a codec that knows nothing", lambda c: c, None, "no encoding named 'undefined'", code=2,
                          options=("--encoding", "undefined")),
    # files of another kind
    *in_every_text_format("gzip by another name", gzip.compress, None, "is not text but gzip"),
    *in_every_text_format("gzip, whatever the encoding", gzip.compress, None, "is not text but gzip",
                          options=("--encoding", "latin-1")),
    *in_every_text_format("bzip2 by another name", bz2.compress, None, "is not text but bzip2"),
    *in_every_text_format("xz by another name", lzma.compress, None, "is not text but xz"),
    *in_every_text_format("ZIP by another name", zipped, None, "is not text but a ZIP archive"),
    *in_every_text_format("PDF by another name", lambda c: b"%PDF-1.7\n" + c, None, "is not text but a PDF"),
    *in_every_text_format("PNG by another name", lambda c: b"\x89PNG\r\n\x1a\n" + c, None, "is not text but a PNG"),
    *in_every_text_format("Parquet by another name", lambda _: WHOLE, None, "is not text but Parquet"),
    *(
        Refused(f"{ending} is not opened", ending, gzip.compress(PLAIN.encode()), None, "unsupported format", code=2)
        for ending in (".csv.gz", ".jsonl.gz", ".zip", ".xlsx", ".pkl", ".pt", ".h5", "")
    ),
]  # fmt: skip

# Tables that every format can hold, and that nothing can be learned from
REFUSED += [
    Refused(name, ending, content, None, part)
    for name, rows, part in [
        ("one class", [(text, "a") for text in TEXTS], "needs at least two classes, found one: 'a'"),
        ("two documents", ROWS[:2], "too few documents to draw a test split (2 with 2 labels"),
        ("empty texts only", [("", label) for label in LABELS], "too few documents to draw a test split"),
        ("white space only", [(" " * n, label) for n, label in enumerate(LABELS)], "20 with 2 labels, 1 different"),
        ("each document a class", [(text, text) for text in TEXTS], "(20 with 20 labels"),
        ("one text", [("the same", label) for label in LABELS], "too few documents to draw a test split"),
    ]
    for ending, content in {**in_three_formats(rows), ".tsv": delimited(rows, "\t")}.items()
]

ENDINGS = (".csv", ".tsv", ".jsonl", ".parquet", ".txt")


def test_no_case_was_lost() -> None:
    loaded = Counter({".csv": 0})
    for case in VALUES:
        loaded.update([".csv", ".tsv", ".jsonl", ".parquet", *([".txt"] if case.lines else [])])
    for _ in IDS:
        loaded.update([".csv", ".tsv", ".jsonl", ".parquet"])
    for case in FORMS:
        loaded.update(list(case.files))
    refused = Counter(case.ending for case in REFUSED)
    assert (len(VALUES), len(IDS), len(FORMS), len(REFUSED), len(PLACES)) == (30, 5, 23, 199, 21)
    assert [loaded[ending] for ending in ENDINGS] == [58, 43, 50, 41, 36]
    assert [refused[ending] for ending in ENDINGS] == [51, 28, 58, 28, 26]
    names = [case.name for case in (*VALUES, *IDS, *FORMS, *REFUSED)] + [row[0] for row in PLACES]
    assert len(set(names)) == 173


def preprocess(source, *options):
    arguments = ["preprocess", str(source), "--name", "made", "--num-workers", "1", *options]
    return CliRunner().invoke(main, arguments)


def refuses(done, code, *parts):
    """Assert that a command ended with one short line and this code, and left nothing behind."""
    assert done.exit_code == code, (done.output, done.exception)
    assert done.stdout == ""
    line = done.stderr.removesuffix("\n")
    assert line.startswith("textclf: ")
    assert "\n" not in line
    assert len(line) < 1_000
    for part in parts:
        assert part in line
    assert not Path("data").exists() or list(Path("data").iterdir()) == []


def content_of(root):
    """Every file of a data directory but the two that say where it is from."""
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file() and path.name not in {"manifest.json", "report.json"}
    }


def documents_of(root):
    """Id to (label, tokens) of each document, as the table and the tensor files have them."""
    layout = DataLayout(root)
    table = documents.read_documents(layout.documents, rows=sum(manifest.read_manifest(layout.root).splits.values()))
    ids = [tensors.read_tensor(layout.tensor(name)).tolist() for name in table.id.tolist()]
    return dict(zip(table.source.tolist(), zip(table.label.tolist(), ids, strict=True), strict=True))


def expected(root, rows):
    """What documents must have become; one without any token is a single unknown one."""
    tokenizer = Tokenizer.from_json(json.loads(DataLayout(root).tokenizer.read_bytes()))
    return {row.id: (row.label, tokenizer.encode(row.text).tolist() or [1]) for row in rows}


def made_from(written, folder, *options):
    """Data directories of one table in several formats, by ending."""
    roots = {}
    for ending, content in written.items():
        source = folder / f"good{ending}"
        source.write_bytes(content)
        where = () if ending == ".parquet" and "--encoding" in options else options
        done = preprocess(source, "--data-dir", str(folder / ending[1:]), *where)
        assert done.exit_code == 0, (ending, done.output, done.exception)
        roots[ending] = folder / ending[1:] / "made"
    assert {path.name for path in folder.iterdir()} == {*(f"good{ending}" for ending in roots), *(e[1:] for e in roots)}
    return roots


def of_cases(cases):
    """The plain rows and those of the cases, and the documents of each case among them."""
    rows, of = list(ROWS), {}
    for case in cases:
        start = len(rows)
        rows += case.rows
        of[case.name] = numbered(rows)[start:]
    return rows, of


@pytest.fixture(scope="module")
def of_values(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    rows, _ = of_cases(VALUES)
    written = {**in_three_formats(rows), ".tsv": delimited(rows, "\t")}
    return made_from(written, tmp_path_factory.mktemp("values"))


@pytest.fixture(scope="module")
def of_lines(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    rows, _ = of_cases(IN_LINES)
    return made_from({".csv": delimited(rows), ".txt": fasttext(rows)}, tmp_path_factory.mktemp("lines"))


@pytest.fixture(scope="module")
def of_ids(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    odd = [name for case in IDS for name in case.ids]
    rows = [(f"text {number} {number % 7}", "ab"[number % 2], name) for number, name in enumerate(odd)]
    written = {**in_three_formats(rows), ".tsv": delimited(rows, "\t")}
    return made_from(written, tmp_path_factory.mktemp("ids"), "--id-column", "key")


@pytest.mark.parametrize("case", VALUES, ids=lambda case: case.name)
def test_odd_values_load_from_every_format(case: Values, of_values: dict[str, Path], of_lines: dict[str, Path]) -> None:
    for cases, roots in ((VALUES, of_values), (IN_LINES, of_lines)):
        rows = of_cases(cases)[1].get(case.name, [])
        for root in roots.values():
            found = documents_of(root)
            assert {row.id: found[row.id] for row in rows} == expected(root, rows)


@pytest.mark.parametrize("case", IDS, ids=lambda case: case.name)
def test_odd_ids_load_from_every_format(case: Ids, of_ids: dict[str, Path]) -> None:
    for root in of_ids.values():
        found = documents_of(root)
        assert set(case.ids) <= set(found)
        assert len(found) == sum(len(case.ids) for case in IDS)


@pytest.mark.parametrize("table", ["of_values", "of_lines", "of_ids"])
def test_every_format_gives_the_same_bytes(table: str, request: pytest.FixtureRequest) -> None:
    first, *others = [content_of(root) for root in request.getfixturevalue(table).values()]
    assert all(other == first for other in others)
    names = [name for name in first if name.startswith("tensors/")]
    assert len(names) > len(ROWS)
    assert all(re.fullmatch(r"tensors/[0-9a-f]{2}/(train|validation|test)-\d{7}\.pt", name) for name in names)


@pytest.mark.parametrize("case", FORMS, ids=lambda case: case.name)
def test_the_way_of_writing_does_not_matter(case: Form, tmp_path: Path) -> None:
    roots = made_from(case.files, tmp_path, *case.options)
    first, *others = [content_of(root) for root in roots.values()]
    assert all(other == first for other in others)
    assert documents_of(roots[".csv"]) == expected(roots[".csv"], numbered(case.rows))


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: f"{case.name}{case.ending}")
def test_what_cannot_be_used_is_named_in_one_line(case: Refused, monkeypatch: pytest.MonkeyPatch) -> None:
    if "above the limit" in case.name:
        monkeypatch.setattr(formats, "MAX_CHARACTERS", LIMIT)
        monkeypatch.setattr(columns, "MAX_CHARACTERS", LIMIT)
    source = Path(f"bad{case.ending}")
    source.write_bytes(case.content)
    is_of_all = case.part.startswith(("too few", "(20", "20 with", "no encoding"))  # not about one file
    place = "" if is_of_all else str(source) if case.line is None else f"{source}:{case.line}:"
    refuses(preprocess(source, *case.options), case.code, place, case.part)


# What is no file, or not one file


def link_to(target):
    def make(path):
        path.symlink_to(target)

    return make


def folder(**files):
    def make(path):
        for name, content in files.items():
            (path / name).parent.mkdir(parents=True, exist_ok=True)
            (path / name).write_bytes(content)

    return make


SENTENCES = {f"{label}/{number}.txt": f"{text}".encode() for number, (text, label) in enumerate(ROWS)}

PLACES = [
    ("nothing", "bad.csv", lambda _: None, 2, "no such file or folder: bad.csv"),
    ("a name too long for a file", f"{'n' * 300}.csv", lambda _: None, 2, "no such file or folder: nnn"),
    ("a pipe", "bad.csv", os.mkfifo, 2, "bad.csv is not a file but a pipe or a device"),
    ("a pipe for Parquet", "bad.parquet", os.mkfifo, 2, "bad.parquet is not a file but a pipe or a device"),
    ("/dev/zero", "bad.jsonl", link_to("/dev/zero"), 2, "bad.jsonl is not a file but a pipe or a device"),
    ("/dev/null", "bad.txt", link_to("/dev/null"), 2, "bad.txt is not a file but a pipe or a device"),
    ("/dev/zero as it is", "/dev/zero", lambda _: None, 2, "/dev/zero: unsupported format"),
    ("a link to nothing", "bad.csv", link_to("gone.csv"), 2, "no such file or folder: bad.csv"),
    ("a link to itself", "bad.csv", link_to("bad.csv"), 2, "no such file or folder: bad.csv"),
    ("a file that fails when it is read", "bad.csv", link_to("/proc/self/mem"), 3, "cannot read bad.csv: Input/output"),
    ("an empty folder", "bad", Path.mkdir, 3, "bad: no class folders and no train file or folder in it"),
    ("a folder of files", "bad", folder(**{"data.csv": PLAIN.encode()}), 3, "bad: no class folders"),
    ("empty class folders", "bad", lambda path: (path / "a").mkdir(parents=True), 3, "bad: no documents in it"),
    ("one class folder", "bad", folder(**{"a/1.txt": b"x", "a/2.txt": b"y"}), 3, "needs at least two classes"),
    ("an image in a class folder", "bad", folder(**SENTENCES, **{"a/x.png": b"\x89PNG\r\n"}), 3, "a/x.png is not text"),
    ("a text of cp1252 in a class", "bad", folder(**SENTENCES, **{"a/x.txt": b"one\n\x80"}), 3, "a/x.txt:2: byte"),
    ("a text without end in a class", "bad", folder(**SENTENCES, **{"a/x": b"n" * 10**7}), 3, "a/x:1: the line is"),
    ("a file name that is not UTF-8", "bad", folder(**SENTENCES, **{"a/\udcff.txt": b"x"}), 3, "half a surrogate pair"),
    ("a class that is not UTF-8", "bad", folder(**SENTENCES, **{"\udcff/x.txt": b"x"}), 3, "half a surrogate pair"),
    ("two train files", "bad", folder(**{"train.csv": b"", "training.jsonl": b""}), 2, "bad has two train parts"),
    ("a split that cannot be read", "bad", folder(**{"train.csv": PLAIN.encode(), "test.csv": b"text,label\nx\n"}), 3,
     "bad/test.csv:2: 1 fields"),
]  # fmt: skip


@pytest.mark.parametrize(("path", "make", "code", "part"), [row[1:] for row in PLACES], ids=[row[0] for row in PLACES])
def test_what_is_no_file_of_documents_is_refused_at_once(path: str, make, code: int, part: str) -> None:
    make(Path(path))
    refuses(preprocess(path), code, part)


def test_a_file_that_may_not_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("bad.csv").write_text(PLAIN, encoding="utf-8")

    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)  # root may read everything
    refuses(preprocess("bad.csv"), 3, "cannot read bad.csv: Permission denied")


def test_a_source_whose_name_is_not_utf8_is_refused() -> None:
    Path("\udcff.csv").write_text(PLAIN, encoding="utf-8")
    refuses(preprocess("\udcff.csv"), 2, "\\udcff.csv: the name is not UTF-8")
    Path("good.csv").write_text(PLAIN, encoding="utf-8")
    refuses(preprocess("good.csv", "--test", "\udcff.csv"), 2, "the name is not UTF-8")


def test_a_file_beside_the_documents_may_have_any_name() -> None:
    folder(**SENTENCES, **{"\udcff.md": b"x"})(Path("good"))
    done = preprocess("good")
    assert done.exit_code == 0, (done.output, done.exception)
    assert "note: not read: \\xff.md" in done.stderr


def test_labels_that_only_one_split_has() -> None:
    for name, label in (("train", "a"), ("validation", "only validation"), ("test", "only test")):
        rows = ROWS if name == "train" else [*ROWS, ("a text", label)]
        Path(f"{name}.csv").write_bytes(delimited(rows))
    options = ["--validation", "validation.csv", "--test", "test.csv"]
    refuses(preprocess("train.csv", *options, "--strict"), 3, "'only test' (1)", "'only validation' (1)")
    done = preprocess("train.csv", *options)
    assert done.exit_code == 0
    assert "note: no training document has these labels" in done.stderr


def test_empty_texts_alone_are_data_where_no_split_is_drawn() -> None:
    for name in ("train", "validation", "test"):
        Path(f"{name}.csv").write_bytes(delimited([("", "a"), ("  ", "b")]))
    done = preprocess("train.csv", "--validation", "validation.csv", "--test", "test.csv")
    assert done.exit_code == 0, (done.output, done.exception)
    table = documents.read_documents(
        DataLayout(Path("data/made")).documents, rows=sum(manifest.read_manifest(Path("data/made")).splits.values())
    )
    assert table.tokens.tolist() == [1] * 6


@pytest.mark.parametrize("size", ["nan", "inf", "-0.1", "0", "1"])
def test_a_test_size_that_leaves_nothing(size: str) -> None:
    Path("good.csv").write_text(PLAIN, encoding="utf-8")
    refuses(preprocess("good.csv", f"--test-size={size}"), 2, "both must be above 0, and their sum below 1")


# Bombs


def bomb(texts):
    """A Parquet file of so many texts of a million characters, which takes about as much room as two of them."""
    zeros = pa.DictionaryArray.from_arrays(pa.array([0] * texts, pa.int32()), pa.array(["0" * 1_000_000]))
    return parquet({"text": zeros, "label": pa.array(LABELS * (texts // 20))}, compression="zstd")


def test_a_small_file_of_much_text_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("bad.parquet").write_bytes(bomb(20))
    assert Path("bad.parquet").stat().st_size < 10_000
    monkeypatch.setattr(formats, "UNPACKED_ANYWAY", 2_500_000)
    refuses(preprocess("bad.parquet"), 3, "bad.parquet:3: more than", "characters come out of so small a file")


@pytest.mark.slow
def test_ten_billion_characters_in_a_small_file_do_not_fill_the_memory() -> None:
    Path("bad.parquet").write_bytes(bomb(10_000))
    limited = (
        "import os, resource; size = 2_000_000_000; resource.setrlimit(resource.RLIMIT_AS, (size, size)); "
        "from textclf.cli import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", limited, "preprocess", "bad.parquet", "--num-workers", "1"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout) == (3, "")
    assert "bad.parquet:10" in done.stderr.splitlines()[-1]


# What predict reads


def predict(run, content, *options):
    return CliRunner().invoke(main, ["predict", "--run", str(run), "--num-workers", "1", *options], input=content)


ODD_LINES = [
    b"",
    b"   ",
    b"one\x00two",
    b"\x00",
    b"a\rb",
    "\u2028\u0085 x".encode(),
    "👍🏽 שלום".encode(),
    b"x" * 200_000,
]


@pytest.mark.parametrize("run_dir", ["mlp"], indirect=True)
@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_predict_answers_every_line(run_dir: Path, end: bytes, mark: bytes) -> None:
    content = mark + end.join(ODD_LINES)
    Path("texts.txt").write_bytes(content)
    from_file, from_stdin = predict(run_dir, b"", "--input", "texts.txt"), predict(run_dir, content, "-")
    assert from_file.exit_code == from_stdin.exit_code == 0, from_file.exception
    assert from_file.stdout == from_stdin.stdout
    assert len(from_file.stdout.splitlines()) == len(ODD_LINES)


@pytest.mark.parametrize("run_dir", ["mlp"], indirect=True)
@pytest.mark.parametrize(
    ("content", "part"),
    [
        (b"fine\n\xa3 5\n", "line 2: not UTF-8"),
        (b"fine\ncut off \xe2\x82", "line 2: not UTF-8"),
        (b"half a pair \xed\xa0\x80\n", "line 1: not UTF-8"),
        ("fine\n".encode("utf-16"), "line 1: not UTF-8"),
        (gzip.compress(b"fine\n"), "line 1: not UTF-8"),
        (b"fine\nfine\n" + b"x" * LIMIT, "line 3: longer than 1,000 bytes"),
    ],
    ids=["cp1252", "cut off", "surrogates", "UTF-16", "gzip", "no end"],
)
def test_predict_names_the_line_that_is_no_text(
    run_dir: Path, content: bytes, part: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("textclf.sources.lines.LONGEST", LIMIT)
    Path("texts.txt").write_bytes(content)
    refuses(predict(run_dir, content, "-"), 3, f"stdin, {part}")
    if content.startswith(b"\x1f\x8b"):
        part = "is not text but gzip"
    strictly = predict(run_dir, b"", "--input", "texts.txt", "--strict")
    refuses(strictly, 3, f"texts.txt {part}" if "gzip" in part else f"texts.txt, {part}")


@pytest.mark.parametrize("run_dir", ["mlp"], indirect=True)
def test_predict_does_not_wait_for_the_end_of_a_device(run_dir: Path) -> None:
    refuses(predict(run_dir, b"", "--input", "/dev/zero"), 3, "/dev/zero, line 1: longer than 10,000,000 bytes")
    Path("texts.txt").symlink_to("/proc/self/mem")
    refuses(predict(run_dir, b"", "--input", "texts.txt"), 3, "cannot read texts.txt: Input/output error")


@pytest.mark.parametrize("run_dir", ["mlp"], indirect=True)
def test_predict_answers_an_argument_that_is_not_utf8(run_dir: Path) -> None:
    done = predict(run_dir, b"", "caf\udce9", "--format", "jsonl")
    assert done.exit_code == 0, done.exception
    assert len(done.stdout.splitlines()) == 1


# The Hub


def test_the_manifest_has_the_commit_of_a_dataset_and_no_code_of_it_is_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import datasets
    import huggingface_hub

    commit, asked = "c0ffee" + "0" * 34, []

    def load_dataset(*args: object, **options: object) -> datasets.DatasetDict:
        asked.append((args, options))
        return datasets.DatasetDict(train=datasets.Dataset.from_dict({"text": TEXTS, "label": LABELS}))

    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(huggingface_hub.HfApi, "dataset_info", lambda *_, **__: SimpleNamespace(sha=commit))
    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    done = preprocess("own/data")
    assert done.exit_code == 0, (done.output, done.exception)
    assert asked == [(("own/data",), {"name": None, "revision": commit})]
    assert manifest.read_manifest(Path("data/made")).revision == commit


def test_a_dataset_that_is_a_script_is_named_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets
    import huggingface_hub

    def load_dataset(*_: object, **__: object) -> None:
        raise RuntimeError("Dataset scripts are no longer supported, but found data.py")

    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(huggingface_hub.HfApi, "dataset_info", lambda *_, **__: SimpleNamespace(sha="c0ffee"))
    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    refuses(preprocess("own/data"), 3, "'own/data' is a loading script, which is not run", "--revision refs/convert")


# Any table, any bytes

ANY = Columns()
REPEATED = settings(
    deadline=None, derandomize=True, database=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
a_text = st.text(max_size=30)
a_label = st.text(min_size=1, max_size=8).filter(str.strip)


def read(path, columns=ANY, encoding=None):
    return list(formats.rows(path, columns=columns, encoding=encoding))


def outcome(path, encoding=None):
    """What reading a file comes to: documents, or one line; any other exception is a fault of ours."""
    message = ""
    try:
        return read(path, encoding=encoding)
    except (DataError, UsageError) as error:
        message = str(error)
    assert path.name in message
    assert len(message) < 1_000
    return message


@pytest.mark.parametrize("count", [60, pytest.param(5_000, marks=[pytest.mark.slow, pytest.mark.long])])
def test_any_table_gives_the_same_documents_from_every_format(count: int, tmp_path: Path) -> None:
    @settings(REPEATED, max_examples=count)
    @given(st.lists(st.tuples(a_text, a_label, a_text), min_size=1, max_size=5, unique_by=lambda row: row[2]))
    def holds(rows) -> None:
        expected = [Document(key, text, label) for text, label, key in rows]
        for ending, content in {**in_three_formats(rows), ".tsv": delimited(rows, "\t")}.items():
            path = tmp_path / f"any{ending}"
            path.write_bytes(content)
            assert read(path, Columns(id="key")) == expected, ending

    holds()


@pytest.mark.parametrize("count", [60, pytest.param(5_000, marks=[pytest.mark.slow, pytest.mark.long])])
def test_any_lines_give_the_same_documents_from_fasttext(count: int, tmp_path: Path) -> None:
    in_a_line = st.text(st.characters(codec="utf-8", exclude_characters="\r\n"), max_size=30).filter(
        lambda text: "__label__" not in text
    )
    in_a_word = in_a_line.filter(lambda text: text and not set(text) & set(" \t\v\f\x1c\x1d\x1e\x1f") and text.strip())

    @settings(REPEATED, max_examples=count)
    @given(st.lists(st.tuples(in_a_line, in_a_word), min_size=1, max_size=5))
    def holds(rows) -> None:
        (tmp_path / "any.txt").write_bytes(fasttext(rows))
        (tmp_path / "any.csv").write_bytes(delimited(rows))
        assert read(tmp_path / "any.txt") == read(tmp_path / "any.csv") == numbered(rows)

    holds()


a_piece = st.one_of(
    st.binary(max_size=40),
    st.sampled_from(
        [
            b"text,label\n",
            b"text\tlabel\n",
            b'{"text": "a", "label": "b"}\n',
            b'{"text": ',
            b"__label__a b\n",
            b'"',
            b"\r",
            b"PAR1",
            b"\n",
            b",",
            b"\x00",
            b"\xff\xfe",
            b"\xef\xbb\xbf",
            b"[" * 3_000,
            b"1" * 5_000,
            b"\\ud800",
            b"NaN",
        ]
    ),
)


@pytest.mark.parametrize("count", [100, pytest.param(10_000, marks=[pytest.mark.slow, pytest.mark.long])])
@pytest.mark.parametrize("ending", ENDINGS)
def test_any_bytes_are_documents_or_one_line(ending: str, count: int, tmp_path: Path) -> None:
    path = tmp_path / f"any{ending}"

    @settings(REPEATED, max_examples=count)
    @given(
        st.lists(a_piece, max_size=8).map(b"".join), st.sampled_from([None, "cp1252", "utf-16", "utf-7", "utf-32-be"])
    )
    def holds(content: bytes, encoding: str | None) -> None:
        path.write_bytes(content)
        outcome(path, encoding)

    holds()


a_change = st.tuples(
    st.sampled_from(["cut", "flip", "insert", "delete"]),
    st.floats(0, 1, exclude_max=True),
    st.binary(min_size=1, max_size=4),
)


def changed(content, how, where, by):
    at = int(where * len(content))
    if how == "cut":
        return content[:at]
    if how == "flip":
        return (
            content[:at]
            + bytes(a ^ b for a, b in zip(content[at : at + 4], by, strict=False))
            + content[at + len(by) :]
        )
    return content[:at] + (by if how == "insert" else b"") + content[at + (0 if how == "insert" else len(by)) :]


@pytest.mark.parametrize("count", [100, pytest.param(10_000, marks=[pytest.mark.slow, pytest.mark.long])])
@pytest.mark.parametrize("ending", ENDINGS)
def test_a_changed_file_is_documents_or_one_line(ending: str, count: int, tmp_path: Path) -> None:
    path = tmp_path / f"any{ending}"
    whole = in_every_format(CAFE)[ending]
    path.write_bytes(whole)
    assert outcome(path) == numbered(CAFE)

    @settings(REPEATED, max_examples=count)
    @given(st.lists(a_change, min_size=1, max_size=3))
    def holds(changes) -> None:
        content = whole
        for change in changes:
            content = changed(content, *change)
        path.write_bytes(content)
        outcome(path)

    holds()
