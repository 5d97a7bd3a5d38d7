"""Lines, texts and files of any size end in one line, and memory stays bounded."""

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
    refuses(preprocess(f"bad{ending}"), 3, f"bad{ending}:{line}: ", part, "10,000,000")


def bomb(texts):
    """A Parquet file of this many texts of a million characters, which takes about as much room as two of them."""
    zeros = pa.DictionaryArray.from_arrays(pa.array([0] * texts, pa.int32()), pa.array(["0" * 1_000_000]))
    return parquet({"text": zeros, "label": pa.array(LABELS * (texts // 20))}, compression="zstd")


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
