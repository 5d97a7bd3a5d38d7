"""Unusual files that load: texts, labels and ids stay as they are, and every format gives the same data directory.

A case is named and written in each format that can hold it.
"""

import json
import re
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pytest

from tests.dataset import tables
from tests.reliability.tables import (
    CAFE,
    ENDINGS,
    FASTTEXT,
    LABELS,
    LINES,
    PLAIN,
    ROWS,
    TEXTS,
    delimited,
    fasttext,
    in_every_format,
    in_three_formats,
    json_lines,
    numbered,
    parquet,
    preprocess,
)
from textclf.dataset import tensors
from textclf.dataset.directory import DataDirectory
from textclf.dataset.manifest import DataLayout
from textclf.text.tokenizer import Tokenizer


class Values(NamedTuple):
    """A case of rows (text, label); all such cases are in one table, written in each format."""

    name: str
    rows: list[tuple[str, str]]
    lines: bool = True
    """Whether fastText lines can hold them, too."""


class Ids(NamedTuple):
    """A case of ids, in one table with those of the other cases."""

    name: str
    ids: tuple[str, ...]


class Form(NamedTuple):
    """A case of one table in differently written files, by ending."""

    name: str
    files: dict[str, bytes]
    rows: list[tuple[str, str]]
    options: tuple[str, ...]


def value(name, *rows, lines=True):
    return Values(name, list(rows), lines)


def in_both(*words):
    """Rows that have each word as their text, and rows that have it as their label."""
    return [row for word in words for row in ((word, "a"), (f"labelled {word}", word))]


def form(name, files, *options, rows=None):
    """A case of the plain rows in these files, and in the usual CSV unless there is a file of CSV."""
    return Form(name, {".csv": delimited(rows or ROWS), **files}, rows or ROWS, options)


COMMAS = [(text.replace(" of ", ", of, "), label) for text, label in ROWS]

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
    form("semicolons", {".csv": PLAIN.replace(",", ";").encode()}),
    form("semicolons, and commas in the text", {".csv": delimited(COMMAS, ";")}, rows=COMMAS),
    form("tabs in CSV", {".csv": PLAIN.replace(",", "\t").encode()}),
    form("commas in TSV", {".tsv": PLAIN.encode()}),
    form("bars", {".csv": PLAIN.replace(",", "|").encode(), ".tsv": PLAIN.replace(",", "|").encode()}),
    form("another delimiter", {".csv": PLAIN.replace(",", "^").encode()}, "--delimiter", "^"),
    form("single quotes", {".csv": "".join(f"'{a}','{b}'\n" for a, b in [("text", "label"), *ROWS]).encode()},
         "--quote", "'"),
    form("no header", {".csv": PLAIN.partition("\n")[2].encode()}, "--columns", "text,label"),
    form("no header, and semicolons", {".csv": PLAIN.partition("\n")[2].replace(",", ";").encode()},
         "--columns", "text,label"),
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


def test_no_case_was_lost() -> None:
    loaded = Counter({".csv": 0})
    for case in VALUES:
        loaded.update([".csv", ".tsv", ".jsonl", ".parquet", *([".txt"] if case.lines else [])])
    for _ in IDS:
        loaded.update([".csv", ".tsv", ".jsonl", ".parquet"])
    for case in FORMS:
        loaded.update(list(case.files))
    assert (len(VALUES), len(IDS), len(FORMS)) == (30, 5, 32)
    assert [loaded[ending] for ending in ENDINGS] == [67, 45, 50, 41, 36]
    assert len({case.name for case in (*VALUES, *IDS, *FORMS)}) == 67


def content_of(root):
    """Every file of a data directory except the two that name its source."""
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file() and path.name not in {"manifest.json", "report.json"}
    }


def documents_of(root):
    """Id to (label, tokens) of each document, from the table and the tensor files."""
    layout = DataLayout(root)
    table = DataDirectory.open(root).documents
    ids = [tensors.read_tensor(layout.tensor(name)).tolist() for name in table.names.of(range(len(table)))]
    return dict(zip(table.source, zip(tables.labels(table), ids, strict=True), strict=True))


def expected(root, rows):
    """The documents that must have been written; one without tokens is a single unknown token."""
    tokenizer = Tokenizer.from_json(json.loads(DataLayout(root).tokenizer.read_bytes()))
    return {row.id: (row.label, tokenizer.encode(row.text).tolist() or [1]) for row in rows}


def made_from(written, folder, *options):
    """Data directories of one table in several formats, by ending."""
    roots = {}
    for ending, content in written.items():
        source = folder / f"good{ending}"
        source.write_bytes(content)
        where = () if ending == ".parquet" and "--encoding" in options else options
        quote = ("--quote", '"') if ending == ".tsv" else ()
        done = preprocess(source, "--data-dir", str(folder / ending[1:]), "--whole-labels", *where, *quote)
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
def test_the_form_of_a_file_does_not_matter(case: Form, tmp_path: Path) -> None:
    roots = made_from(case.files, tmp_path, *case.options)
    first, *others = [content_of(root) for root in roots.values()]
    assert all(other == first for other in others)
    assert documents_of(roots[".csv"]) == expected(roots[".csv"], numbered(case.rows))
