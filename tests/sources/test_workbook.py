"""Rows of a sheet of a workbook."""

import sys
import zipfile
from datetime import date
from functools import partial

import openpyxl
import pytest

from textclf.errors import DataError, UsageError
from textclf.sources import Columns
from textclf.sources.columns import find_columns
from textclf.sources.workbook import NO_VALUE, read_workbook, sheets_of

ROWS = [("text", "label", "n"), ("one", "x", 1), ("two", "y", 2.5)]


def save(path, **sheets):
    book = openpyxl.Workbook()
    book.remove(book.active)
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
    book.save(path)
    return path


def rows(path, columns=Columns(), **options):  # noqa: B008 (frozen)
    return list(read_workbook(path, partial(find_columns, columns, where=str(path), needs_label=False), **options))


def test_rows_are_those_of_the_sheet_that_is_not_empty(tmp_path):
    path = save(tmp_path / "a.xlsx", Sheet1=ROWS, Sheet2=[], Sheet3=[(None,)])
    found = rows(path, Columns(id="n"))
    assert [row[:3] for row in found] == [("one", "1", "x"), ("two", "2.5", "y")]
    assert [row.place for row in found] == [f"{path}:2", f"{path}:3"]
    assert sheets_of(path) == ["Sheet1"]


def test_values_are_spelled_as_in_other_formats(tmp_path):
    path = save(tmp_path / "a.xlsx", S=[("text", "label"), (1, True), (2.0, date(2026, 1, 2)), ("é\nz", "NA")])
    assert [(row.text, row.label) for row in rows(path)] == [
        ("1", "true"),
        ("2", "2026-01-02 00:00:00"),
        ("é\nz", "NA"),
    ]


def test_empty_rows_and_cells_are_where_they_are(tmp_path):
    path = save(tmp_path / "a.xlsx", S=[(), *ROWS, (), (None, "z", 3), ("three", None, 4), (), ()])
    found = rows(path)
    assert [row.is_blank for row in found] == [False, False, True, False, False]
    assert found[3].error == f"{path}:6: no value in the column 'text'{NO_VALUE}"
    assert found[4].training_error == f"{path}:7: no value in the column 'label'{NO_VALUE}"


def test_a_formula_without_a_value_and_merged_cells_are_said_to_have_none(tmp_path):
    path = save(tmp_path / "a.xlsx", S=[*ROWS, ('=A2&"x"', "y", 1)])
    book = openpyxl.load_workbook(path)
    book.active.merge_cells("B2:B3")
    book.save(path)
    found = rows(path)
    assert found[1].training_error.endswith(NO_VALUE)
    assert found[2].error.endswith(NO_VALUE)


def test_a_title_above_the_header_is_named_with_what_to_do(tmp_path):
    path = save(tmp_path / "a.xlsx", S=[("Survey",), (), *ROWS])
    with pytest.raises(DataError, match="the first row names no columns; row 3 does: remove the rows before it"):
        rows(path)


def test_several_sheets_are_named_and_one_is_chosen(tmp_path):
    path = save(tmp_path / "a.xlsx", Train=ROWS, Test=ROWS[:2])
    assert sheets_of(path) == ["Train", "Test"]
    with pytest.raises(UsageError, match="several sheets, Train, Test; name one, as in --part 'Train'"):
        rows(path)
    assert [row.text for row in rows(path, part="Test")] == ["one"]
    with pytest.raises(UsageError, match="no sheet 'Dev'; it has Train, Test"):
        rows(path, part="Dev")


def test_columns_without_a_header_are_named(tmp_path):
    path = save(tmp_path / "a.xlsx", S=[("x", "one", 1), ("y", "two", None)])
    found = rows(path, names=("label", "text", "n"))
    assert [(row.text, row.label, row.place) for row in found] == [("one", "x", f"{path}:1"), ("two", "y", f"{path}:2")]


def test_a_cell_beyond_the_names_is_an_error_of_its_row(tmp_path):
    path = save(tmp_path / "a.xlsx", S=[("text", "label"), ("one", "x", None), ("two", "y", "more")])
    assert [row.error for row in rows(path)] == [None, f"{path}:3: 3 cells, but only 2 columns have names"]


def test_an_empty_workbook_has_no_rows(tmp_path):
    path = save(tmp_path / "a.xlsx", S=[])
    assert rows(path) == []


def test_columns_that_cannot_be_used_are_refused(tmp_path):
    path = save(tmp_path / "a.xlsx", S=[("text", "text"), ("a", "b")])
    with pytest.raises(DataError, match=r"a\.xlsx:1: two columns are named 'text'"):
        rows(path)
    with pytest.raises(UsageError, match="no column 'body'"):
        rows(save(tmp_path / "b.xlsx", S=ROWS), Columns(("body",)))


def test_without_openpyxl_it_says_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "openpyxl", None)
    with pytest.raises(UsageError, match="pip install openpyxl"):
        rows(tmp_path / "a.xlsx")


def changed(path, change):
    """Change the content of each member."""
    with zipfile.ZipFile(path) as archive:
        members = {info.filename: archive.read(info) for info in archive.infolist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, change(name, content))
    return path


DAMAGE = {
    "no archive": lambda path: path.write_bytes(b"text,label\na,b\n"),
    "cut off": lambda path: path.write_bytes(path.read_bytes()[:-100]),
    "empty": lambda path: path.write_bytes(b""),
    "no workbook": lambda path: zipfile.ZipFile(path, "w").close(),
    "no XML": lambda path: changed(path, lambda _name, _content: b"<"),
    "sheet cut off": lambda path: changed(path, lambda name, content: content[:-30] if "sheet1" in name else content),
    "cell of no string": lambda path: changed(path, lambda _name, content: content.replace(b"<v>1</v>", b"<v>99</v>")),
    "entities": lambda path: changed(
        path, lambda name, content: LAUGHS + content.partition(b"?>")[2] if "sheet1" in name else content
    ),
}
HARMLESS = {"entities", "cell of no string"}
LAUGHS = b"<?xml version='1.0'?><!DOCTYPE x [<!ENTITY a0 'ha'>" + b"".join(
    b"<!ENTITY a%d '%s'>" % (level, b"&a%d;" % (level - 1) * 10) for level in range(1, 12)
) + b"]>"  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_workbook_is_rows_or_one_line(damage, tmp_path):
    path = save(tmp_path / "a.xlsx", S=ROWS)
    DAMAGE[damage](path)
    try:
        said = [row.error for row in rows(path)]
    except DataError as error:
        said = [str(error)]
    assert all(line is None or "\n" not in line for line in said)
    assert damage in HARMLESS or said[0].startswith(f"{path}: not a workbook that can be read (")


def test_a_small_workbook_of_much_is_refused(tmp_path):
    path = save(tmp_path / "a.xlsx", S=ROWS)
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive, archive.open("xl/more.xml", "w") as member:
        for _ in range(101):
            member.write(bytes(1_000_000))
    assert path.stat().st_size < 200_000
    with pytest.raises(DataError, match=r"more than 100,000,000 bytes in so small a file; .* save it as CSV"):
        rows(path)
