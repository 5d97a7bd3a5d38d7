"""Lines, texts and files of any size end in one line, and memory stays bounded."""

import gzip
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest

from tests.reliability.tables import (
    LABELS,
    ROWS,
    delimited,
    fasttext,
    json_lines,
    parquet,
    parquet_rows,
    preprocess,
    refuses,
)
from textclf.sources.document import MAX_CHARACTERS

LINE = "x" * MAX_CHARACTERS
LINES = "line\n" * (MAX_CHARACTERS // 5 + 1)

TOO_LONG = {
    "a line of CSV": (".csv", lambda: delimited([*ROWS[:3], (LINE, "a")]), 5, "the line is longer than"),
    "a line of TSV": (".tsv", lambda: delimited([*ROWS[:3], (LINE, "a")], "\t"), 5, "the line is longer than"),
    "a text of CSV": (".csv", lambda: delimited([*ROWS[:3], (LINES, "a")]), 5, "a quote is not closed within"),
    "a text of TSV": (".tsv", lambda: delimited([*ROWS[:3], (LINES, "a")], "\t"), 5, "a quote is not closed within"),
    "a line of JSON": (".jsonl", lambda: json_lines([*ROWS[:4], (LINE, "a")]), 5, "the line is longer than"),
    "a line of fastText": (".txt", lambda: fasttext([*ROWS[:4], (LINE, "a")]), 5, "the line is longer than"),
    "a text of Parquet": (".parquet", lambda: parquet_rows([*ROWS[:4], (LINES, "a")]), 5, "the text has"),
}


@pytest.mark.parametrize("case", TOO_LONG)
def test_a_line_or_text_beyond_the_limit_is_named(case: str) -> None:
    ending, content, line, part = TOO_LONG[case]
    Path(f"bad{ending}").write_bytes(content())
    options = ("--quote", '"') if ending == ".tsv" else ()
    refuses(preprocess(f"bad{ending}", *options), 3, f"bad{ending}:{line}: ", part, "10,000,000")


def bomb(texts):
    """A Parquet file of this many texts of a million characters, which takes about as much room as two of them."""
    zeros = pa.DictionaryArray.from_arrays(pa.array([0] * texts, pa.int32()), pa.array(["0" * 1_000_000]))
    return parquet({"text": zeros, "label": pa.array(LABELS * (texts // 20))}, compression="zstd")


def in_little_memory(source):
    """Preprocess a file in a process that has two billion bytes."""
    limited = (
        "import os, resource; size = 2_000_000_000; resource.setrlimit(resource.RLIMIT_AS, (size, size)); "
        "from textclf.cli import main; main()"
    )
    return subprocess.run(
        [sys.executable, "-c", limited, "preprocess", source, "--num-workers", "1"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.slow
def test_ten_billion_characters_in_a_small_file_do_not_fill_the_memory() -> None:
    Path("bad.parquet").write_bytes(bomb(10_000))
    done = in_little_memory("bad.parquet")
    assert (done.returncode, done.stdout) == (3, "")
    assert "bad.parquet:10" in done.stderr.splitlines()[-1]


BOMBS = {
    "a line without end": (".csv.gz", lambda: b"text,label\n" + b"a" * 300_000_000),
    "lines without end": (".txt.gz", lambda: (b"__label__a b" + b" " * 1_000_000 + b"\n") * 300),
    "a JSON string": (".json.gz", lambda: b'[{"text": "' + b"a" * 300_000_000),
    "many empty values": (".json.gz", lambda: b"[" + b"[]," * 30_000_000),
}


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.long) if name == "lines without end" else name for name in BOMBS]
)
def test_a_compressed_file_of_much_text_does_not_fill_the_memory(name: str) -> None:
    ending, content = BOMBS[name]
    packed = gzip.compress(content(), compresslevel=1)
    Path(f"bad{ending}").write_bytes(packed)
    done = in_little_memory(f"bad{ending}")
    assert (done.returncode, done.stdout) == (3, "")
    assert "so small a file" in done.stderr.splitlines()[-1] or "JSON is read as a whole" in done.stderr
