"""Rows to predict, out of a file or a stream: each holds a text, or says why it has none. No row is ever lost.

A row that cannot be read stands in its place, with its error; only what cannot be read at all is refused. Knows nothing
about models.
"""

import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from textclf.errors import DataError, UsageError
from textclf.sources import lines
from textclf.sources.lines import Row

if TYPE_CHECKING:
    from textclf.sources.columns import Columns

STDIN: Final = Path("-")

BY_NAME: Final = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
    **dict.fromkeys((".ft", ".fasttext", ".train", ".valid", ".test"), "fasttext"),
}
"""What the other endings, and stdin, hold is lines."""

Tell = Callable[[str], None]
"""Where something is said that concerns many rows, once."""

Reader = Callable[[Iterator[lines.Line], str], Iterator[Row]]


def read(path: Path, *, kind: str = "auto", columns: "Columns", tell: Tell) -> Iterator[Row]:
    """Yield a row for each row of the input, in order; ``-`` is stdin.

    Raises UsageError if the options do not fit together or there are no such columns, DataError if the input is not of
    this format at all or cannot be read.
    """
    from textclf.sources import tables  # which needs what reads corpora: 50 ms that a text of the command line spares
    from textclf.sources.columns import Columns

    if kind == "auto":
        kind = BY_NAME.get(path.suffix.lower(), "lines")
    if kind in ("lines", "fasttext") and columns != Columns():
        raise UsageError(f"{kind} have no columns: leave out --text-column, --label-column and --id-column")
    if kind != "parquet":
        return _of_text(path, kind, columns, tell)
    if path == STDIN:
        raise UsageError("Parquet is not read from a pipe, as it begins with its end: name a file")
    return tables.parquet(path, columns)


def _of_text(path: Path, kind: str, columns: "Columns", tell: Tell) -> Iterator[Row]:
    from textclf.sources.formats import BINARY

    if path == STDIN:
        yield from _reader(kind, columns, tell)(lines.lines(sys.stdin.buffer, "stdin", refused=BINARY), "stdin")
        return
    try:
        with path.open("rb") as file:
            yield from _reader(kind, columns, tell)(lines.lines(file, str(path), refused=BINARY), str(path))
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}") from error


def _reader(kind: str, columns: "Columns", tell: Tell) -> Reader:
    from textclf.sources import tables

    readers: dict[str, Reader] = {
        "lines": lines.plain,
        "fasttext": partial(lines.fasttext, tell=tell),
        "csv": partial(tables.delimited, columns=columns, delimiter=","),
        "tsv": partial(tables.delimited, columns=columns, delimiter="\t"),
        "jsonl": partial(tables.json_lines, columns=columns),
    }
    return readers[kind]
