"""Rows of Parquet files, damaged ones included."""

from datetime import date
from decimal import Decimal
from functools import partial

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from textclf.errors import DataError, UsageError
from textclf.sources import Columns
from textclf.sources.columns import find_columns
from textclf.sources.parquet import ROWS_IN_MEMORY, _rows_at_once, read_parquet


def parquet(path, columns=Columns(), **options):  # noqa: B008 (frozen)
    return read_parquet(path, partial(find_columns, columns, where=str(path), needs_label=False), **options)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "f.parquet"


def test_a_missing_text_is_an_error_in_its_place(path):
    table = pa.table({
        "text": ["a", None, "c", ""],
        "label": ["x", "y", None, "z"],
        "id": pa.array([1, 2, 3, 4]),
        "price": pa.array([Decimal("1.5"), None, None, None]),
    })  # fmt: skip
    pq.write_table(table, path, row_group_size=2)
    rows = list(parquet(path, Columns(id="id")))
    assert [row[:3] for row in rows] == [("a", "1", "x"), ("", "2", "y"), ("c", "3", None), ("", "4", "z")]
    assert [row.error for row in rows] == [None, f"{path}:2: no value in the column 'text'", None, None]
    assert next(parquet(path, Columns(("price",)))).text == "1.5"
    with pytest.raises(UsageError, match="no column 'body'"):
        next(parquet(path, Columns(("body",))))


@pytest.mark.parametrize(
    ("values", "spelled"),
    [
        (pa.array([1, -2]), ["1", "-2"]),
        (pa.array([1.0, 0.5]), ["1.0", "0.5"]),
        (pa.array([True, False]), ["true", "false"]),
        (pa.array([date(2020, 1, 2)] * 2), ["2020-01-02"] * 2),
        (pa.array(["NA", "b"]).dictionary_encode(), ["NA", "b"]),
        (pa.array(["NA", "b"], pa.large_string()), ["NA", "b"]),
    ],
    ids=lambda value: str(value.type) if isinstance(value, pa.Array) else "",
)
def test_values_become_strings(path, values, spelled):
    pq.write_table(pa.table({"text": values, "unused": [[1], None], "label": values}), path)
    assert [(row.text, row.label) for row in parquet(path)] == [(value, value) for value in spelled]


def test_a_damaged_file_is_refused(path):
    path.write_bytes(b"PAR1 something else PAR1")
    with pytest.raises(DataError, match=r"f\.parquet:1: not Parquet that can be read \("):
        list(parquet(path))
    not_utf8 = pa.array([b"\xff"]).view(pa.binary()).cast(pa.string(), safe=False)
    pq.write_table(pa.table({"text": not_utf8}), path)
    with pytest.raises(DataError, match=r"f\.parquet:1: not Parquet that can be read \('utf-8' codec"):
        list(parquet(path))


def test_repeated_columns_are_refused(path):
    pq.write_table(pa.table([["a"], ["b"]], ["text", "text"]), path)
    with pytest.raises(DataError, match="two columns are named 'text'"):
        list(parquet(path))


def test_a_small_file_of_much_text_is_refused(path):
    zeros = pa.DictionaryArray.from_arrays(pa.array([0] * 20, pa.int32()), pa.array(["0" * 100_000]))
    pq.write_table(pa.table({"text": zeros}), path, compression="zstd")
    assert path.stat().st_size < 10_000
    assert len(list(parquet(path))) == 20
    with pytest.raises(DataError, match=r"f\.parquet:3: more than 250,000 characters in so small a file"):
        list(parquet(path, allowance=250_000, ratio=1))
    assert len(list(parquet(path, allowance=250_000, ratio=2_000_000 // path.stat().st_size + 1))) == 20


NESTED = [
    {"data": {"text": "one", "n": 1}, "annotations": [{"label": "x"}, {"label": "y"}], "text": "no"},
    {"data": {"text": "two", "n": 2}, "annotations": [], "text": "no"},
    {"data": None, "annotations": [{"label": "z"}], "text": "no"},
]


def test_structs_and_lists_are_named_by_dotted_paths(path):
    pq.write_table(pa.Table.from_pylist(NESTED), path)
    rows = list(parquet(path, Columns(("data.text",), "annotations.0.label", "data.n")))
    assert [(row.text, row.label, row.id) for row in rows] == [("one", "x", "1"), ("two", None, "2"), ("", "z", None)]
    assert rows[2].error == f"{path}:3: no value in the column 'data.text'"
    with pytest.raises(
        UsageError, match=r"no column 'data.txt'; .*data, data.text, data.n, annotations, annotations.0"
    ):
        next(parquet(path, Columns(("data.txt",))))


def test_nested_texts_count_for_the_limit_of_a_small_file(path):
    pq.write_table(pa.table({"data": [{"text": "x" * 1_000}] * 100, "label": ["a"] * 100}), path)
    with pytest.raises(DataError, match=r"parquet:10: more than 10,000 characters in so small a file"):
        list(parquet(path, Columns(("data.text",)), ratio=0, allowance=10_000))


def test_a_list_of_one_text_many_times_is_counted_before_it_fills_the_memory(path):
    """As places in a dictionary: 1,200,000,000 characters in a file of a few kilobytes."""
    many = 60_000
    texts = pa.DictionaryArray.from_arrays(pa.array([0] * (2 * many), pa.int32()), pa.array(["x y z " * 1_666]))
    lists = pa.ListArray.from_arrays(pa.array([0, many, 2 * many], pa.int32()), texts)
    pq.write_table(pa.table({"text": lists, "label": ["a", "b"]}), path, store_schema=False)
    before = pa.total_allocated_bytes()
    with pytest.raises(DataError, match=r"parquet:1: more than 100,000,000 characters in so small a file"):
        list(parquet(path, Columns(("text.0",))))
    assert pa.total_allocated_bytes() - before < 10_000_000


def test_long_lists_are_read_as_others(path):
    texts = [[f"text {number} of {row}" for number in range(2_000)] for row in range(20)]
    pq.write_table(pa.table({"data": [{"text": text} for text in texts], "label": ["a"] * 20}), path)
    rows = list(parquet(path, Columns(("data.text.0",), "label")))
    assert [row.text for row in rows] == [f"text 0 of {row}" for row in range(20)]


@pytest.mark.parametrize(("characters", "expected"), [(10, ROWS_IN_MEMORY), (4_000_000, 5), (12_000_000, 1)])
def test_fewer_long_rows_are_in_memory_together(characters, expected, path):
    texts = [f"{number}{'x' * characters}" for number in range(3)]
    pq.write_table(pa.table({"text": texts, "label": ["a", "b", "c"]}), path, use_dictionary=False)
    assert abs(_rows_at_once(pq.read_metadata(path)) - expected) <= 1
    pq.write_table(pa.table({"text": pa.array([], pa.string())}), path)
    assert _rows_at_once(pq.read_metadata(path)) >= 1
