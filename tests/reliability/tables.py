"""One table of labelled texts written in each format, and what `textclf preprocess` makes of a file."""

import csv
import io
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from click.testing import CliRunner, Result

from textclf.cli import main
from textclf.sources import Document

ROWS = [(f"the {number}th text of {number % 7} words", "ab"[number % 2]) for number in range(20)]
"""Rows before those of a case, so that there is something to split and to learn."""

ENDINGS = (".csv", ".tsv", ".jsonl", ".parquet", ".txt")

# A row is (text, label) or (text, label, id)


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


PLAIN = delimited(ROWS).decode().replace("\r\n", "\n")
LINES = json_lines(ROWS).decode()
FASTTEXT = fasttext(ROWS).decode()
CAFE = [*ROWS, ("café £5", "é")]
TEXTS, LABELS = [text for text, _ in ROWS], [label for _, label in ROWS]


def preprocess(source, *options) -> Result:
    arguments = ["preprocess", str(source), "--name", "made", "--num-workers", "1", *options]
    return CliRunner().invoke(main, arguments)


def refuses(done, code, *parts):
    """Assert that a command ended with one short line and this exit code, and left nothing behind."""
    assert done.exit_code == code, (done.output, done.exception)
    assert done.stdout == ""
    line = done.stderr.removesuffix("\n")
    assert line.startswith("textclf: ")
    assert "\n" not in line
    assert len(line) < 1_000
    for part in parts:
        assert part in line
    assert not Path("data").exists() or list(Path("data").iterdir()) == []
