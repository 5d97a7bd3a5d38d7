"""Rows as CSV and as JSON lines."""

import json
from pathlib import Path

import pytest

from textclf.errors import UsageError
from textclf.system import listing

ROWS = [
    {"id": "a", "labels": ("x", "y"), "score": 0.25, "text": 'two\nlines, "quoted"', "left": "out"},
    {"id": "b", "labels": (), "score": 1e-7, "text": None, "left": "out"},
]
COLUMNS = ("id", "labels", "score", "text")
CSV = 'id,labels,score,text\na,x;y,0.250000,"two\nlines, ""quoted"""\nb,,0.000000,\n'


def test_the_ending_says_the_format(capsys: pytest.CaptureFixture[str]) -> None:
    for path in (Path("rows.csv"), Path("ROWS.CSV"), None):
        listing.write(ROWS, COLUMNS, path, separator=";")
        assert (capsys.readouterr().out if path is None else path.read_text(encoding="utf-8")) == CSV
    listing.write(ROWS, COLUMNS, Path("rows.jsonl"), separator=";")
    read = [json.loads(line) for line in Path("rows.jsonl").read_text(encoding="utf-8").splitlines()]
    assert read == [{name: list(row[name]) if name == "labels" else row[name] for name in COLUMNS} for row in ROWS]


def test_a_link_stays_a_link() -> None:
    Path("target.csv").write_text("before")
    Path("link.csv").symlink_to("target.csv")
    listing.write(ROWS, COLUMNS, Path("link.csv"), separator=";")
    assert Path("link.csv").is_symlink()
    assert Path("target.csv").read_text(encoding="utf-8") == CSV


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("rows.txt", r"^rows\.txt: name a file that ends in \.csv or \.jsonl$"),
        ("nowhere/rows.csv", r"^nowhere/rows\.csv: there is no folder nowhere$"),
        ("folder.csv", r"^folder\.csv is not a file; name another$"),
    ],
)
def test_files_that_cannot_be_written(name: str, message: str) -> None:
    Path("folder.csv").mkdir()
    with pytest.raises(UsageError, match=message):
        listing.write(ROWS, COLUMNS, Path(name), separator=";")
