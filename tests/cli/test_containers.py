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

from tests.dataset import tables
from tests.reliability.tables import LABELS, PLAIN, ROWS, TEXTS, delimited, fasttext, json_lines, preprocess
from textclf.cli import main
from textclf.dataset.directory import DataDirectory
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
    "a workbook without a header": ("a.xlsx", lambda: workbook(S=ROWS), ("--columns", "text,label")),
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
    table = DataDirectory.open(Path("data/made")).documents
    assert sorted(tables.labels(table)) == sorted(label for _, label in ROWS)
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


CLASSES = {"a": [text for text, label in ROWS if label == "a"], "b": [text for text, label in ROWS if label == "b"]}


def file_of(*texts: str) -> bytes:
    return "".join(f"{text}\n" for text in texts).encode()


def files_of(count: int, name: str) -> dict[str, bytes]:
    """Two files, of texts and of their labels."""
    texts, labels = zip(*ROWS[:count], strict=True)
    return {name.format("text"): file_of(*texts), name.format("labels"): file_of(*labels)}


BY_CLASS = {f"{label}.txt": file_of(*texts) for label, texts in CLASSES.items()}
HALVES = {"1.csv": delimited(ROWS[:10]), "2.csv": delimited(ROWS[10:])}
LAYOUTS = {
    "a file per class": (BY_CLASS, ["in"], {}),
    "a file per class by its ending": ({f"rt-polarity.{n[0]}": c for n, c in BY_CLASS.items()}, ["in"], {}),
    "a file per class, compressed": ({f"{n}.gz": gzip.compress(c) for n, c in BY_CLASS.items()}, ["in"], {}),
    "a file per class in splits": (
        {f"{split}/{name}": content for split in ("train", "test") for name, content in BY_CLASS.items()},
        ["in"],
        {"train": 18, "test": 20},
    ),
    "texts beside labels": (files_of(20, "{}.txt"), ["in"], {}),
    "texts beside labels in splits": (
        {**files_of(20, "train_{}.txt"), **files_of(4, "val_{}.txt"), **files_of(6, "test_{}.txt")},
        ["in"],
        {"train": 20, "validation": 4, "test": 6},
    ),
    "two files that are named": (files_of(20, "{}.txt"), ["in/text.txt", "in/labels.txt"], {}),
    "files in split folders": ({"train/seq.in": file_of(*TEXTS), "train/label": file_of(*LABELS)}, ["in"], {}),
    "several files": (HALVES, ["in/1.csv", "in/2.csv"], {}),
    "a pattern": (HALVES, ["in/*.csv"], {}),
    "files of several formats": ({"1.csv": delimited(ROWS[:10]), "2.jsonl": json_lines(ROWS[10:])}, ["in/*"], {}),
    "a pattern of splits": (
        {"train.csv": delimited(ROWS), "test.csv": delimited(ROWS[:6])},
        ["in/*.csv"],
        {"train": 18, "test": 6},
    ),
    "parts of splits": (
        {f"train-0000{n}-of-00002.csv": delimited(ROWS[n * 10 : n * 10 + 10]) for n in (0, 1)},
        ["in"],
        {},
    ),
    "splits by the ends of names": (
        {"cooking.train": fasttext(ROWS), "cooking.valid": fasttext(ROWS[:4])},
        ["in"],
        {"train": 18, "validation": 4},
    ),
    "a pattern for the test split": (
        {"1.csv": delimited(ROWS), "t1.jsonl": json_lines(ROWS[:4]), "t2.jsonl": json_lines(ROWS[4:6])},
        ["in/1.csv", "--test", "in/t*.jsonl"],
        {"test": 6},
    ),
    "two files for the test split": (
        {"1.csv": delimited(ROWS), "t1.csv": delimited(ROWS[:4]), "t2.csv": delimited(ROWS[4:6])},
        ["in/1.csv", "--test", "in/t1.csv", "--test", "in/t2.csv"],
        {"test": 6},
    ),
}


def lay(files: dict[str, bytes]) -> None:
    for name, content in files.items():
        path = Path("in") / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


@pytest.mark.parametrize("name", LAYOUTS)
def test_folders_and_several_files_are_read(name: str) -> None:
    files, (source, *options), sizes = LAYOUTS[name]
    lay(files)
    done = preprocess(source, *options)
    assert done.exit_code == 0, (done.output, done.exception)
    found = read_manifest(Path("data/made")).splits
    assert {split: found[split] for split in sizes} == sizes
    assert sizes or sum(found.values()) == len(ROWS)
    assert set(DataDirectory.open(Path("data/made")).documents.labels) == {"a", "b"}


UNCLEAR = {
    "a file per document": (
        {"one.txt": b"a text\n", "two.txt": b"another text\n"},
        ["in"],
        3,
        "into a folder with its name",
    ),
    "numbered files": ({"1.txt": b"a text\n" * 3, "2.txt": b"another text\n" * 3}, ["in"], 3, "no class folders"),
    "tables without a split": (HALVES, ["in"], 3, "name the files: textclf preprocess 'in/*.csv'"),
    "fewer labels": ({"text.txt": b"one\ntwo\n", "labels.txt": b"x\n"}, ["in"], 3, "labels.txt has no such line"),
    "a pattern of nothing": ({}, ["in/*.csv"], 2, "no file or folder is named like in/*.csv"),
    "a file twice": (HALVES, ["in/1.csv", "in/*.csv"], 2, "in/1.csv is named twice"),
    "a missing file": (HALVES, ["in/1.csv", "in/3.csv"], 2, "no such file or folder: in/3.csv"),
    "a folder among files": (HALVES, ["in/1.csv", "in"], 2, "in is a folder among several files"),
    "a file of no split": ({**HALVES, "train.csv": PLAIN.encode()}, ["in/*.csv"], 2, "in/1.csv is of no split"),
    "other columns": ({"1.csv": PLAIN.encode(), "2.csv": b"body,label\nx,a\n"}, ["in/*.csv"], 2, "--text-column"),
}


@pytest.mark.parametrize("name", UNCLEAR)
def test_what_is_not_clear_is_refused_with_what_to_do(name: str) -> None:
    files, arguments, code, part = UNCLEAR[name]
    lay(files)
    done = preprocess(*arguments)
    assert (done.exit_code, done.stdout) == (code, ""), done.output
    assert part in done.stderr
    assert done.stderr.count("\n") == 1


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


@pytest.mark.parametrize("run_dir", ["mlp"], indirect=True)
def test_several_files_are_answered_one_after_another(run_dir: Path) -> None:
    lay({**HALVES, "3.csv.gz": gzip.compress(delimited(ROWS[:2]))})
    whole = predict(run_dir, "--input", save("whole.csv", delimited([*ROWS, *ROWS[:2]])))
    for options in (
        ["--input", "in/*"],
        [word for n in ("1.csv", "2.csv", "3.csv.gz") for word in ("--input", f"in/{n}")],
    ):
        done = predict(run_dir, *options)
        assert (done.exit_code, done.stdout, done.stderr) == (0, whole.stdout, whole.stderr)
    for name, part in (
        ("in", "in is a folder"),
        ("in/*.tsv", "is named like in/*.tsv"),
        ("no.csv", "no such file: no.csv"),
    ):
        done = predict(run_dir, "--input", name)
        assert (done.exit_code, done.stdout) == (2, "")
        assert part in done.stderr


@pytest.mark.parametrize("run_dir", ["mlp"], indirect=True)
def test_names_of_files_are_not_answered_as_texts(run_dir: Path) -> None:
    lay({"a.csv": delimited(ROWS), "b.csv": delimited(ROWS), "the cat": b""})
    for words in (["--input", "in/a.csv", "in/b.csv"], ["in/a.csv"], ["--input", "in/a.csv", "in/the cat"]):
        done = predict(run_dir, *words)
        assert (done.exit_code, done.stdout) == (2, "")
        assert "is a file, and its name would be answered as a text: add --input before it" in done.stderr
    assert predict(run_dir, "in/the cat", "in/c.csv", "x" * 10_000).exit_code == 0
