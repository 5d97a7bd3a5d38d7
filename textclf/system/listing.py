"""Rows for people to look through, as CSV or as JSON lines: by the ending of the file, and CSV on stdout."""

import csv
import sys
from collections.abc import Iterable, Mapping, Sequence
from io import TextIOWrapper
from pathlib import Path
from typing import IO, Any, Final

from textclf.errors import UsageError
from textclf.system import escaping, failures, files

ENDINGS: Final = (".csv", ".jsonl")


def check(output: Path | None) -> None:
    """Raise UsageError for a file of another ending, before the work for its rows begins."""
    if output is not None and output.suffix.lower() not in ENDINGS:
        raise UsageError(f"{output}: name a file that ends in {' or '.join(ENDINGS)}")
    if output is not None and not output.parent.is_dir():
        raise UsageError(f"{output}: there is no folder {output.parent}")
    if output is not None and output.exists() and not output.is_file():  # it would be replaced, not written to
        raise UsageError(f"{output} is not a file; name another")


def write(rows: Iterable[Mapping[str, Any]], columns: Sequence[str], output: Path | None, *, separator: str) -> None:
    """Write rows to a file, which appears when it is complete, or to stdout.

    In CSV, None is an empty cell, several labels have a ``separator`` between them, and on a terminal control
    characters are escaped. Raises what `check` and `failures.naming` raise.
    """
    check(output)
    if output is None:
        with failures.naming(Path("stdout")):
            _write_csv(rows, columns, sys.stdout, separator)
            sys.stdout.flush()
        return
    with files.replacing(output.resolve()) as file:  # a link stays a link
        text = TextIOWrapper(file, encoding="utf-8", newline="")
        if output.suffix.lower() == ".jsonl":
            text.writelines(f"{escaping.to_json({name: row[name] for name in columns})}\n" for row in rows)
        else:
            _write_csv(rows, columns, text, separator)
        text.detach()


def _write_csv(rows: Iterable[Mapping[str, Any]], columns: Sequence[str], out: IO[str], separator: str) -> None:
    shown = escaping.line if out.isatty() else str
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([shown(_cell(row[name], separator)) for name in columns] for row in rows)


def _cell(value: Any, separator: str) -> str:
    if isinstance(value, float):
        return f"{value:.6f}"
    if isinstance(value, list | tuple):
        return separator.join(map(str, value))
    return "" if value is None else str(value)
