"""Rows of a sheet of an .xlsx workbook, read with openpyxl, of which one row is in memory at a time."""

import warnings
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import chain, islice
from pathlib import Path
from typing import Any, Final

from textclf.errors import DataError, UsageError
from textclf.sources.columns import SAMPLED_RECORDS, FindColumns, listed, refuse_repeated, to_row, told_apart
from textclf.sources.document import Row
from textclf.sources.opening import ALLOWANCE, RATIO
from textclf.system import requirements
from textclf.system.wording import counted

MOST_EMPTY: Final = 100_000
"""Rows without a value after which no other is looked for."""

NO_VALUE: Final = (
    "; a formula has one once a spreadsheet program has saved the workbook, and of merged cells the first has it"
)

_DAMAGE: Final = (
    zipfile.BadZipFile, zlib.error, OSError, EOFError, KeyError, ValueError, TypeError, IndexError, AttributeError,
    SyntaxError, NotImplementedError, RuntimeError, AssertionError,
)  # fmt: skip
"""What openpyxl and the libraries below it raise at a damaged workbook."""


def read_workbook(
    path: Path, find: FindColumns, *, part: str | None = None, names: Sequence[str] = ()
) -> Iterator[Row]:
    """Yield a row per row of the sheet `part`, or of the one that is not empty.

    The first row names the columns, unless `names` does.

    Raises UsageError if it is not clear which sheet, or if there are no such columns, DataError if it cannot be read.
    """
    with _opened(path) as book:
        sheet = part or _only_sheet(path, book)
        if sheet not in book.sheetnames:
            raise UsageError(f"{path} has no sheet {sheet!r}; it has {listed(book.sheetnames)}")
        rows = _rows(path, book, sheet)
        number, first = (0, names) if names else next(rows, (0, ()))
        if not first:
            return
        header = [_name(value) for value in first]
        refuse_repeated(f"{path}:{number}", header)
        header = told_apart(header)
        sample = list(islice(rows, SAMPLED_RECORDS))
        try:
            roles = find(header, sample=lambda: [dict(zip(header, row, strict=False)) for _, row in sample if any(row)])
        except UsageError as error:
            raise _later_header(path, sample, find) or error from None
        for number, row in chain(sample, rows):
            place = f"{path}:{number}"
            if not any(value is not None for value in row):
                yield Row("", error=f"{place}: the row is blank", is_blank=True)
            elif any(value is not None for value in row[len(header) :]):
                problem = (
                    f"{counted(len(row), 'cell')}, but only {counted(len(header), 'column has', 'columns have')} names"
                )
                yield Row("", error=f"{place}: {problem}", place=place)
            else:
                values = dict(zip(header, row, strict=False))
                read = to_row(place, values, roles)
                yield read if all(values.get(name) is not None for name in roles.names()) else _hinted(read)


def _hinted(row: Row) -> Row:
    """A row without a value, with why there may be none."""
    error, training_error = (problem and f"{problem}{NO_VALUE}" for problem in (row.error, row.training_error))
    return row._replace(error=error, training_error=training_error)


def _later_header(
    path: Path, rows: Sequence[tuple[int, Sequence[Any]]], find: FindColumns, *, most: int = 10
) -> DataError | None:
    """What to do if one of the next rows names the columns."""
    for number, row in rows[:most]:
        try:
            find([_name(value) for value in row])
        except UsageError:
            continue
        return DataError(f"{path}: the first row names no columns; row {number} does: remove the rows before it")
    return None


def sheets_of(path: Path) -> list[str]:
    """Return the names of the sheets that are not empty; raises DataError if the workbook cannot be read."""
    with _opened(path) as book:
        return [sheet for sheet in book.sheetnames if next(_rows(path, book, sheet), None)]


def _only_sheet(path: Path, book: Any) -> str:
    sheets = [sheet for sheet in book.sheetnames if next(_rows(path, book, sheet), None)]
    if len(sheets) > 1:
        raise UsageError(f"{path} has several sheets, {listed(sheets)}; name one, as in --part {sheets[0]!r}")
    return sheets[0] if sheets else str(book.sheetnames[0])


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """Open a workbook; raises UsageError if openpyxl is not installed, DataError if it would fill the memory."""
    requirements.need(str(path), requirements.WORKBOOKS)
    import openpyxl

    with path.open("rb") as file:
        with _explained(path):
            with zipfile.ZipFile(file) as archive:
                size = sum(member.file_size for member in archive.infolist())
            if size > (limit := max(ALLOWANCE, RATIO * path.stat().st_size)):
                raise DataError(f"{path}: more than {limit:,} bytes in so small a file; if it is right, save it as CSV")
            book = openpyxl.load_workbook(file, read_only=True, data_only=True, keep_links=False)
        try:
            yield book
        finally:
            book.close()


def _rows(path: Path, book: Any, sheet: str) -> Iterator[tuple[int, Sequence[Any]]]:
    """The rows of a sheet from the first that is not empty to the last, with their numbers."""
    with _explained(path):
        worksheet = book[sheet]
        worksheet.reset_dimensions()  # which some programs write wrongly
        rows = enumerate(worksheet.iter_rows(values_only=True), start=1)
    blank: list[tuple[int, Sequence[Any]]] = []
    started = False
    while True:
        with _explained(path):
            number, row = next(rows, (0, ()))
        if not number or len(blank) > MOST_EMPTY:
            return
        if any(value is not None for value in row):
            yield from blank if started else ()
            yield number, row
            blank, started = [], True
        else:
            blank.append((number, ()))


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Turn what is raised at a damaged workbook into one line."""
    try:
        with warnings.catch_warnings(action="ignore"):
            yield
    except _DAMAGE as error:
        reason = str(error).partition("\n")[0]
        raise DataError(f"{path}: not a workbook that can be read ({type(error).__name__}: {reason})") from error


def _name(value: object) -> str:
    return "" if value is None else str(value)
