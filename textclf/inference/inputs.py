"""The rows to label: texts of the command line, lines of stdin, or rows of a file."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from textclf import sources
from textclf.errors import DataError
from textclf.sources import Columns, Row

Warn = Callable[[str], None]
"""Shows a message, once."""


def rows(
    texts: Iterable[str], file: Path | None, *, kind: str, columns: Columns, strict: bool, warn: Warn
) -> Iterator[Row]:
    """The rows of texts, then those of a file; ``-`` is stdin, both as a text and as a file.

    Raises DataError at a line of stdin that is not text and, if strict, at a row of the file that cannot be read.
    """
    yield from _rows_of_texts(texts, warn)
    if file is None:
        return
    for row in sources.rows(file, kind=kind, columns=columns, warn=warn):
        if row.error and strict:
            raise DataError(row.error)
        yield row


def _rows_of_texts(texts: Iterable[str], warn: Warn) -> Iterator[Row]:
    number = 0
    for text in texts:
        for row in sources.rows(Path("-"), kind="lines") if text == "-" else [Row(text)]:
            number += 1
            if row.error:
                raise DataError(row.error)
            if not row.text or row.text.isspace():
                warn(f"text {number} is empty; its label is what the model gives without any word")
            yield row


def texts_of(rows: Iterable[Row]) -> Iterator[str]:
    """The texts of rows; raises DataError at a row that could not be read."""
    for row in rows:
        if row.error:
            raise DataError(row.error)
        yield row.text
