"""Files as people have them, through the real commands: each is read, or refused in a line that says what to do."""

import gzip
import json
import pickle
from pathlib import Path

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result

from tests.reliability.tables import ROWS, delimited, json_lines, preprocess
from textclf.cli import main
from textclf.dataset.documents import read_documents
from textclf.dataset.manifest import read_manifest

RECORDS = [{"text": text, "label": label} for text, label in ROWS]
PAIRS = [list(row) for row in ROWS]
COLUMNS = {name: [row[name] for row in RECORDS] for name in ("text", "label")}
SPLITS = {"train": PAIRS, "val": PAIRS[:4], "test": PAIRS[:6], "oos": PAIRS[:2]}
SHEETS = {name: [("text", "label"), *ROWS[:count]] for name, count in (("Train", 20), ("Dev", 4), ("Test", 6))}
NESTED = [{"id": n, "data": {"text": text}, "annotations": [{"label": label}]} for n, (text, label) in enumerate(ROWS)]
PATHS = ("--text-column", "data.text", "--label-column", "annotations.0.label")
LINES = json_lines(ROWS)


def workbook(**sheets: list[tuple[str, ...]]) -> bytes:
    book = openpyxl.Workbook()
    book.remove(book.active)
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
    book.save("made")
    return Path("made").read_bytes()


def zstd(content: bytes) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as stream:
        stream.write(content)
    return sink.getvalue().to_pybytes()


def parquet(records: list[dict[str, object]]) -> bytes:
    pq.write_table(pa.Table.from_pylist(records), "made")
    return Path("made").read_bytes()


def lines(form: str) -> bytes:
    return "".join(form.format(text=text, label=label) + "\n" for text, label in ROWS).encode()


READ = {
    "an array": ("a.json", lambda: json.dumps(RECORDS).encode(), ()),
    "an indented array": ("a.json", lambda: json.dumps(RECORDS, indent=2).encode(), ()),
    "an array in an object": ("a.json", lambda: json.dumps({"version": 1, "data": RECORDS}).encode(), ()),
    "pairs": ("a.json", lambda: json.dumps(PAIRS).encode(), ()),
    "columns": (
        "a.json",
        lambda: json.dumps({name: [row[name] for row in RECORDS] for name in ("text", "label")}).encode(),
        (),
    ),
    "lines called json": ("a.json", lambda: LINES, ()),
    "an array called jsonl": ("a.jsonl", lambda: json.dumps(RECORDS).encode(), ("--input-format", "json")),
    "an array without an ending": ("Collection", lambda: json.dumps(RECORDS, indent=1).encode(), ()),
    "nested JSON": ("a.json", lambda: json.dumps(NESTED).encode(), PATHS),
    "nested lines": ("a.jsonl", lambda: "\n".join(map(json.dumps, NESTED)).encode(), PATHS),
    "nested Parquet": ("a.parquet", lambda: parquet(NESTED), PATHS),
    "gzip": ("a.csv.gz", lambda: gzip.compress(delimited(ROWS)), ()),
    "zstd": ("a.jsonl.zst", lambda: zstd(LINES), ()),
    "gzip of an array": ("a.json.gz", lambda: gzip.compress(json.dumps(RECORDS).encode()), ()),
    "a workbook": ("a.xlsx", lambda: workbook(Sheet1=[("text", "label"), *ROWS], Sheet2=[]), ()),
    "a table without an ending": ("Collection", lambda: delimited(ROWS, "\t"), ()),
    "tabs without a header": ("Collection", lambda: lines("{label}\t{text}"), ("--columns", "label,text")),
    "semicolons in a text file": (
        "a.txt",
        lambda: lines("{text};{label}"),
        ("--delimiter", ";", "--columns", "text,label"),
    ),
    "a label at the end": ("a.txt", lambda: lines("{text} __label__{label}"), ()),
    "another prefix": ("a.txt", lambda: lines("#{label} {text}"), ("--label-prefix", "#")),
    "the label first": ("a.train", lambda: lines("{label} {text}"), ("--label-prefix", "")),
}


def save(name: str, content: bytes) -> Path:
    Path(name).write_bytes(content)
    return Path(name)


@pytest.mark.parametrize("name", READ)
def test_files_as_people_have_them_are_read(name: str) -> None:
    file, content, options = READ[name]
    done = preprocess(save(file, content()), *options)
    assert done.exit_code == 0, (done.output, done.exception)
    sizes = read_manifest(Path("data/made")).splits
    table = read_documents(Path("data/made/documents.parquet"), rows=sum(sizes.values()))
    assert sorted(table.label) == sorted(label for _, label in ROWS)
    assert sizes["train"] == 16


@pytest.mark.parametrize(
    ("name", "content"),
    [
        (
            "a.json",
            lambda: json.dumps({"train": PAIRS, "val": PAIRS[:4], "test": PAIRS[:6], "oos": PAIRS[:2]}).encode(),
        ),
        (
            "a.xlsx",
            lambda: workbook(
                **{n: [("text", "label"), *ROWS[:k]] for n, k in (("Train", 20), ("Dev", 4), ("Test", 6))}
            ),
        ),
    ],
)
def test_splits_in_one_file_are_splits(name: str, content) -> None:
    done = preprocess(save(name, content()))
    assert done.exit_code == 0, done.output
    assert read_manifest(Path("data/made")).splits == {"train": 20, "validation": 4, "test": 6}
    assert ("not read: oos of a.json" in done.stderr) == (name == "a.json")


REFUSED = {
    "an array called jsonl": ("a.jsonl", lambda: json.dumps(RECORDS, indent=1).encode(), 3, "--input-format json"),
    "tabs without a header": ("Collection", lambda: lines("{label}\t{text}"), 3, "--columns"),
    "nested without paths": ("a.json", lambda: json.dumps(NESTED).encode(), 2, "data.text"),
    "a pickle": ("a", lambda: pickle.dumps(RECORDS), 2, "a pickle"),
    "a PDF": ("a.pdf", lambda: b"%PDF-1.7\n", 2, "a PDF"),
    "a document of Word": ("a.docx", lambda: b"PK\x03\x04", 2, "a ZIP archive"),
    "an archive": ("a.zip", lambda: b"PK\x03\x04", 2, "an archive"),
    "a damaged file": ("a.csv.gz", lambda: gzip.compress(delimited(ROWS))[:-9], 3, "not gzip that can be read"),
    "a page": ("a.csv", lambda: b"<!DOCTYPE html>\n", 3, "HTML"),
    "JSON that is cut off": ("a.json", lambda: json.dumps(RECORDS).encode()[:-9], 3, "not JSON"),
    "no list": ("a.json", lambda: b'{"a": [1, 2]}', 2, "no list of documents"),
    "several lists": ("a.json", lambda: json.dumps({"a": RECORDS, "b": RECORDS}).encode(), 2, "--part"),
}


def predict(run: Path, *options: object, given: bytes = b"") -> Result:
    return CliRunner().invoke(main, ["predict", "--run", str(run), "--num-workers", "1", *map(str, options)], given)


@pytest.mark.parametrize("run_dir", ["mlp"], indirect=True)
@pytest.mark.parametrize("name", REFUSED)
def test_preprocess_and_predict_take_a_file_for_the_same(name: str, run_dir: Path) -> None:
    file, content, code, part = REFUSED[name]
    path = save(file, content())
    for done in (preprocess(path), predict(run_dir, "--input", path)):
        assert (done.exit_code, done.stdout) == (code, ""), done.output
        assert part in done.stderr
        assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("run_dir", ["mlp"], indirect=True)
@pytest.mark.parametrize("name", READ)
def test_predict_reads_them_as_well(name: str, run_dir: Path) -> None:
    file, content, options = READ[name]
    done = predict(run_dir, "--input", save(file, content()), *options)
    assert done.exit_code == 0, (done.output, done.exception)
    assert len(done.stdout.splitlines()) == len(ROWS)
    assert "is a label of the model" in done.stderr


@pytest.mark.parametrize("run_dir", ["mlp"], indirect=True)
def test_json_of_stdin_is_not_answered_line_by_line(run_dir: Path) -> None:
    content = json.dumps(RECORDS, indent=1).encode()
    done = predict(run_dir, "--input", "-", given=content)
    assert (done.exit_code, done.stdout) == (2, "")
    assert "add --input-format json" in done.stderr
    assert len(predict(run_dir, "--input", "-", "--input-format", "json", given=content).stdout.splitlines()) == len(
        ROWS
    )
