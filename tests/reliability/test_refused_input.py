"""Files that cannot be used: one line names the file, the line or row, and the reason. Nothing is left behind."""

import bz2
import gzip
import io
import json
import lzma
import pickle
import zipfile
from collections import Counter
from functools import partial
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pytest

from tests.reliability.tables import (
    ENDINGS,
    FASTTEXT,
    LABELS,
    LINES,
    PLAIN,
    ROWS,
    TEXTS,
    delimited,
    in_three_formats,
    json_lines,
    parquet,
    parquet_rows,
    preprocess,
    refuses,
)


class Refused(NamedTuple):
    """A case: one file, and the message about it."""

    name: str
    ending: str
    content: bytes
    line: int | None
    part: str
    code: int = 3
    options: tuple[str, ...] = ()


def broken_at(number, line, *, rows=ROWS):
    """The plain rows with another line in place of one, counted from 1, the header being the first."""
    lines = delimited(rows).decode().splitlines()
    lines[number - 1] = line
    return "".join(f"{line}\n" for line in lines).encode()


def table_of(name, content, line, part, **options):
    """A case of CSV and of TSV."""
    content = content if isinstance(content, bytes) else content.encode()
    quoted = {**options, "options": ("--quote", '"', *options.get("options", ()))}
    return [
        Refused(name, ".csv", content, line, part, **options),
        Refused(name, ".tsv", content.replace(b",", b"\t"), line, part, **quoted),
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
    *table_of("empty file", "", None, "no documents in it"),
    *table_of("blank lines only", "\n\n\n", None, "no documents in it"),
    *table_of("header only", "text,label\n", None, "no documents in it"),
    *table_of("numbers for a header", "3,Wall St. Bears,Reuters\n4,x,y\n", 1, "no header"),
    *table_of("a document for a header", "good film,positive\nbad film,negative\n", None, "--label-column", code=2),
    *table_of("no label column", "text,stars\nx,1\n", None, "which column is the label?", code=2),
    *table_of("no text column", "words,label\nx,1\n", None, "which column is the text?", code=2),
    *table_of("no such column", PLAIN, None, "no column 'body'", code=2, options=("--text-column", "body")),
    *table_of("no such id column", PLAIN, None, "no column 'key'", code=2, options=("--id-column", "key")),
    *table_of("two columns of one name", "text,label,text\nx,a,y\n", 1, "two columns are named 'text'"),
    Refused("semicolons that vary", ".csv", b"text; or title;label\nx;a\ny;b\nz;a\n", None,
            "has the columns text; or title;label", code=2),
    Refused("a header that would fill the screen", ".csv", b"x," * 5_000 + b"y\n", 1, "two columns are named 'x'"),
    Refused(
        "a header of escapes", ".csv", b"\x1b[2J,text\nx,y\n", None, "has the columns '\\x1b[2J', text", code=2
    ),
    # rows
    *table_of("too few cells", broken_at(5, "only one"), 5, "1 field, but the header has 2"),
    *table_of("too many cells", broken_at(5, "one,two,three"), 5, "3 fields, but the header has 2"),
    *table_of("a line of spaces", broken_at(5, "   "), 5, "1 field, but the header has 2"),
    *table_of("too few cells after embedded lines", broken_at(2, '"two\nlines",a\nshort'), 4, "1 field"),
    *table_of("a stray quote in line 5 of 1,000", broken_at(5, '"stray,a', rows=ROWS * 50), 5, "the row is broken"),
    *table_of("an unclosed quote at the end", PLAIN + '"open,a\n', 22, "the row is broken"),
    *table_of("a quote inside quotes", broken_at(5, '"a" b,c'), 5, "a quote inside a field is written twice"),
    *table_of("an empty label", broken_at(5, "one,"), 5, "the label is empty"),
    *table_of("a label of white space", broken_at(5, "one, "), 5, "the label is empty"),
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
    Refused("one array", ".jsonl", json.dumps([{"text": "a", "label": "b"}]).encode(), 1, "name it .json"),
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
    json_line("a list of lists of labels", '{"text": "x", "label": [["a"], "b"]}', "holds a list, not one value"),
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
    json_line("surrogates as bytes", b'{"text": "\xed\xa0\x80", "label": "a"}', "is not UTF-8"),
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
    parquet_values("a list of lists", "label", pa.array([[["a"]]] * 20), 1, "holds a list, not one value"),
    parquet_values("a nested text", "text", pa.array([{"en": "x"}] * 20), 1, "holds a dict, not one value"),
    parquet_values("a label of bytes", "label", pa.array([b"\xff"] * 20), 1, "0xff is not UTF-8"),
    parquet_values("a text that is not UTF-8", "text", NOT_UTF8, 1, "not Parquet that can be read ('utf-8' codec"),
    Refused("a claim of 2 ** 60 rows", ".parquet", claiming(20, 2**60), 21, "1,152,921,504,606,846,976 rows"),
    # fastText lines
    Refused("empty file", ".txt", b"", None, "no documents in it"),
    fasttext_line("no label in a line", "no label here", "document 5 has no label")._replace(line=None),
    fasttext_line("an empty label", "__label__ text", "the label is empty"),
    # encodings
    *in_every_text_format("cp1252", lambda c: c.replace(b"the 9th", b"\x80 9th"), (11, 10, 10), "try --encoding"),
    *in_every_text_format("latin-1", lambda c: c.replace(b"the 9th", b"\xe9 9th"), (11, 10, 10), "is not UTF-8"),
    *in_every_text_format("UTF-8 that is cut off", lambda c: c + b"\xe2\x82", (22, 21, 21), "is not UTF-8"),
    *in_every_text_format("UTF-16", lambda c: c.decode().encode("utf-16"), None, "try --encoding utf-16"),
    *in_every_text_format("UTF-32", lambda c: c.decode().encode("utf-32"), None, "try --encoding utf-32"),
    *in_every_text_format(
        "UTF-16 without a mark", lambda c: c.decode().encode("utf-16-le"), None, "try --encoding utf-16-le"
    ),
    *in_every_text_format(
        "UTF-16 without a mark, big end first", lambda c: c.decode().encode("utf-16-be"), None,
        "try --encoding utf-16-be",
    ),
    *in_every_text_format(
        "another encoding than asked for", lambda c: c + b"x" * (1 + len(c) % 2), (1, 1, 1), "is not UTF-16-LE",
        options=("--encoding", "utf-16-le"),
    ),
    *in_every_text_format(
        "not even the codec knows where", lambda c: c, (1, 1, 1), "not PUNYCODE", options=("--encoding", "punycode")
    ),
    *in_every_text_format("no such encoding", lambda c: c, None, "no encoding named 'klingon'", code=2,
                          options=("--encoding", "klingon")),
    *in_every_text_format("a codec that is no encoding", lambda c: c, None, "no encoding named 'hex'", code=2,
                          options=("--encoding", "hex")),
    *in_every_text_format("a codec that knows nothing", lambda c: c, None, "no encoding named 'undefined'", code=2,
                          options=("--encoding", "undefined")),
    # files of another kind
    *in_every_text_format("gzip by another name", partial(gzip.compress, mtime=0), None, "is not text but gzip"),
    *in_every_text_format("gzip, whatever the encoding", partial(gzip.compress, mtime=0), None, "is not text but gzip",
                          options=("--encoding", "latin-1")),
    *in_every_text_format("bzip2 by another name", bz2.compress, None, "is not text but bzip2"),
    *in_every_text_format("xz by another name", lzma.compress, None, "is not text but xz"),
    *in_every_text_format("ZIP by another name", zipped, None, "is not text but a ZIP archive"),
    *in_every_text_format("PDF by another name", lambda c: b"%PDF-1.7\n" + c, None, "is not text but a PDF"),
    *in_every_text_format("PNG by another name", lambda c: b"\x89PNG\r\n\x1a\n" + c, None, "is not text but a PNG"),
    *in_every_text_format("Parquet by another name", lambda _: WHOLE, None, "is not text but Parquet"),
    *(
        Refused(f"{ending} is not opened", ending, PLAIN.encode(), None, "unsupported format, an archive", code=2)
        for ending in (".zip", ".tar", ".tar.gz", ".tgz", ".7z", ".rar")
    ),
    *(
        Refused(f"{ending} that is not text", ending, content, None, "unsupported format, not text but", code=2)
        for ending in (".pkl", ".pt", ".h5", ".docx", "")
        for content in (gzip.compress(PLAIN.encode()), zipped(PLAIN), pickle.dumps(ROWS), b"\x89HDF\r\n", b"a\x00b")
    ),
    *(
        Refused(f"{ending} by another name", f".csv{ending}", PLAIN.encode(), None, f"not {kind} that can be read")
        for ending, kind in {".gz": "gzip", ".bz2": "bzip2", ".xz": "xz", ".zst": "zstd"}.items()
    ),
    Refused("gzip that is cut off", ".csv.gz", gzip.compress(PLAIN.encode())[:-9], None, "not gzip that can be read"),
    Refused("Parquet in gzip", ".parquet.gz", gzip.compress(WHOLE), None, "unpack it first", code=2),
    Refused("no workbook", ".xlsx", PLAIN.encode(), None, "not a workbook that can be read"),
    # JSON
    Refused("an array that is cut off", ".json", json.dumps([{"text": "x"}]).encode()[:-3], 1, "not JSON"),
    Refused("no list", ".json", b'{"text": {"en": "x"}}', None, "has no list of documents", code=2),
    Refused("empty file", ".json", b"", None, "no documents in it"),
    Refused("empty array", ".json", b"[]", None, "no documents in it"),
    Refused("a record that is none", ".json", b'[{"text": "x", "label": "a"}, 7]', 2, "in place of a record"),
    Refused("several lists", ".json", b'{"a": [{"text": "x"}], "b": [{"text": "y"}]}', None, "--part 'a'", code=2),
    Refused("no such part", ".json", b'{"a": [{"text": "x"}]}', None, "no part 'b'", code=2, options=("--part", "b")),
    Refused("a page in place of a table", ".csv", b"<!DOCTYPE html>\n<html>\n", None, "an HTML page"),
    Refused("a pointer in place of a table", ".tsv", b"version https://git-lfs.github.com/spec/v1", None, "git lfs"),
]  # fmt: skip

# Tables that every format can hold, but from which nothing can be learned
REFUSED += [
    Refused(name, ending, content, None, part)
    for name, rows, part in [
        ("one class", [(text, "a") for text in TEXTS], "needs at least two classes, found one: 'a'"),
        ("two documents", ROWS[:2], "too few documents to draw a test split (2 with 2 labels"),
        ("empty texts only", [("", label) for label in LABELS], "too few documents to draw a test split"),
        ("white space only", [(" " * n, label) for n, label in enumerate(LABELS)], "20 with 2 labels, 1 different"),
        ("each document a class", [(text, text) for text in TEXTS], "20 training documents have 20 labels, such as"),
        ("one text", [("the same", label) for label in LABELS], "too few documents to draw a test split"),
    ]
    for ending, content in {**in_three_formats(rows), ".tsv": delimited(rows, "\t")}.items()
]


def test_no_case_was_lost() -> None:
    refused = Counter(case.ending for case in REFUSED)
    assert [refused[ending] for ending in ENDINGS] == [50, 27, 57, 27, 23]
    assert len(REFUSED) == 229


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: f"{case.name}{case.ending}")
def test_unusable_input_is_named_in_one_line(case: Refused) -> None:
    source = Path(f"bad{case.ending}")
    source.write_bytes(case.content)
    is_of_all = case.part.startswith(("too few", "20 with", "no encoding"))  # not about one file
    place = "" if is_of_all else str(source) if case.line is None else f"{source}:{case.line}:"
    refuses(preprocess(source, *case.options), case.code, place, case.part)
