"""Random tables, bytes and damaged files: each is read the same from every format, or ends in one line."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.reliability.tables import (
    CAFE,
    ENDINGS,
    delimited,
    fasttext,
    in_every_format,
    in_three_formats,
    numbered,
)
from textclf.errors import DataError, UsageError
from textclf.sources import Columns, Document
from textclf.sources.formats import Reading
from textclf.sources.layouts import FILES, Part
from textclf.sources.parts import read_documents

ANY = Columns()
REPEATED = settings(
    deadline=None, derandomize=True, database=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
a_text = st.text(max_size=30)
a_label = st.text(min_size=1, max_size=8).filter(str.strip)


def read(path, columns=ANY, encoding=None):
    return list(read_documents(Part(FILES, (path,)), Reading(replace(columns, encoding=encoding))))


def outcome(path, encoding=None):
    """The documents of a file, or the message that refuses it; any other exception is a bug."""
    message = ""
    try:
        return read(path, encoding=encoding)
    except (DataError, UsageError) as error:
        message = str(error)
    assert path.name in message
    assert len(message) < 1_000
    return message


@pytest.mark.parametrize("count", [60, pytest.param(5_000, marks=[pytest.mark.slow, pytest.mark.long])])
def test_any_table_gives_the_same_documents_from_every_format(count: int, tmp_path: Path) -> None:
    @settings(REPEATED, max_examples=count)
    @given(st.lists(st.tuples(a_text, a_label, a_text), min_size=1, max_size=5, unique_by=lambda row: row[2]))
    def holds(rows) -> None:
        expected = [Document(key, text, label) for text, label, key in rows]
        for ending, content in {**in_three_formats(rows), ".tsv": delimited(rows, "\t")}.items():
            path = tmp_path / f"any{ending}"
            path.write_bytes(content)
            assert read(path, Columns(id="key", quote='"' if ending in (".csv", ".tsv") else None)) == expected, ending

    holds()


@pytest.mark.parametrize("count", [60, pytest.param(5_000, marks=[pytest.mark.slow, pytest.mark.long])])
def test_any_lines_give_the_same_documents_from_fasttext(count: int, tmp_path: Path) -> None:
    in_a_line = st.text(st.characters(codec="utf-8", exclude_characters="\r\n"), max_size=30).filter(
        lambda text: "__label__" not in text
    )
    in_a_word = in_a_line.filter(lambda text: text and not set(text) & set(" \t\v\f\x1c\x1d\x1e\x1f") and text.strip())

    @settings(REPEATED, max_examples=count)
    @given(st.lists(st.tuples(in_a_line, in_a_word), min_size=1, max_size=5))
    def holds(rows) -> None:
        (tmp_path / "any.txt").write_bytes(fasttext(rows))
        (tmp_path / "any.csv").write_bytes(delimited(rows))
        assert read(tmp_path / "any.txt") == read(tmp_path / "any.csv") == numbered(rows)

    holds()


a_piece = st.one_of(
    st.binary(max_size=40),
    st.sampled_from(
        [
            b"text,label\n",
            b"text\tlabel\n",
            b'{"text": "a", "label": "b"}\n',
            b'{"text": ',
            b"__label__a b\n",
            b'"',
            b"\r",
            b"PAR1",
            b"\n",
            b",",
            b"\x00",
            b"\xff\xfe",
            b"\xef\xbb\xbf",
            b"[" * 3_000,
            b"1" * 5_000,
            b"\\ud800",
            b"NaN",
        ]
    ),
)


@pytest.mark.parametrize("count", [100, pytest.param(10_000, marks=[pytest.mark.slow, pytest.mark.long])])
@pytest.mark.parametrize("ending", ENDINGS)
def test_any_bytes_are_documents_or_one_line(ending: str, count: int, tmp_path: Path) -> None:
    path = tmp_path / f"any{ending}"

    @settings(REPEATED, max_examples=count)
    @given(
        st.lists(a_piece, max_size=8).map(b"".join), st.sampled_from([None, "cp1252", "utf-16", "utf-7", "utf-32-be"])
    )
    def holds(content: bytes, encoding: str | None) -> None:
        path.write_bytes(content)
        outcome(path, encoding)

    holds()


a_change = st.tuples(
    st.sampled_from(["cut", "flip", "insert", "delete"]),
    st.floats(0, 1, exclude_max=True),
    st.binary(min_size=1, max_size=4),
)


def changed(content, how, where, by):
    at = int(where * len(content))
    if how == "cut":
        return content[:at]
    if how == "flip":
        return (
            content[:at]
            + bytes(a ^ b for a, b in zip(content[at : at + 4], by, strict=False))
            + content[at + len(by) :]
        )
    return content[:at] + (by if how == "insert" else b"") + content[at + (0 if how == "insert" else len(by)) :]


@pytest.mark.parametrize("count", [100, pytest.param(10_000, marks=[pytest.mark.slow, pytest.mark.long])])
@pytest.mark.parametrize("ending", ENDINGS)
def test_a_changed_file_is_documents_or_one_line(ending: str, count: int, tmp_path: Path) -> None:
    path = tmp_path / f"any{ending}"
    whole = in_every_format(CAFE)[ending]
    path.write_bytes(whole)
    assert outcome(path) == numbered(CAFE)

    @settings(REPEATED, max_examples=count)
    @given(st.lists(a_change, min_size=1, max_size=3))
    def holds(changes) -> None:
        content = whole
        for change in changes:
            content = changed(content, *change)
        path.write_bytes(content)
        outcome(path)

    holds()
