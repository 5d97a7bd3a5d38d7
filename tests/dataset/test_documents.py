import random
import subprocess
import sys
from dataclasses import fields, replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from textclf.dataset import documents
from textclf.dataset.documents import Documents
from textclf.errors import ArtefactError

ODD = ["../../x", "CON", "/abs", ".", "", " x ", "NA", "null", "001", "a\nb", "\0", "é", "e\u0301", "👍🏽", "x" * 300]


def table(sources=("1", "2"), labels=("a", "b")):
    count = len(sources)
    return Documents(
        id=np.array([f"train-{number:07}" for number in range(count)]),
        source=np.array(sources, dtype=object),
        label=np.array(labels, dtype=object),
        split=np.array(["train"] * (count - 1) + ["validation"]),
        tier=np.array(["tiny"] * (count - 1) + [""]),
        tokens=np.arange(1, count + 1, dtype=np.int32),
        crc32=np.array([0, *[2**32 - 1] * (count - 1)], dtype=np.uint32),
    )


def columns(of):
    return {field.name: getattr(of, field.name).tolist() for field in fields(of)}


def test_a_table_survives_the_disk_whatever_its_ids_and_labels_are(tmp_path):
    before = table(ODD, ODD[::-1])
    documents.write_documents(tmp_path / "documents.parquet", before)
    after = documents.read_documents(tmp_path / "documents.parquet", rows=len(ODD))
    assert columns(after) == columns(before)
    assert len(after) == len(ODD)
    for field in fields(Documents):
        assert getattr(after, field.name).dtype.kind == getattr(before, field.name).dtype.kind
    assert (after.tokens.dtype, after.crc32.dtype) == (np.int32, np.uint32)


def test_a_table_of_many_documents_survives_the_disk(tmp_path):
    before = table([str(number) for number in range(70_000)], ["ab"[number % 2] for number in range(70_000)])
    documents.write_documents(tmp_path / "documents.parquet", before)
    assert columns(documents.read_documents(tmp_path / "documents.parquet", rows=70_000)) == columns(before)


def test_other_programs_can_read_it(tmp_path):
    documents.write_documents(tmp_path / "documents.parquet", table())
    assert pq.read_table(tmp_path / "documents.parquet").to_pylist()[1] == {
        "id": "train-0000001",
        "source": "2",
        "label": "b",
        "split": "validation",
        "tier": "",
        "tokens": 2,
        "crc32": 2**32 - 1,
    }


def test_equal_tables_give_equal_bytes(tmp_path):
    for name, content in (("1", table()), ("2", table()), ("3", replace(table(), label=np.array(["a", "c"], object)))):
        documents.write_documents(tmp_path / name, content)
    first, second, third = ((tmp_path / name).read_bytes() for name in "123")
    assert first == second
    assert first != third


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "documents.parquet"
    documents.write_documents(path, table())
    return path


def test_a_truncated_table_is_named(path):
    content = path.read_bytes()
    for length in (*range(0, len(content), 61), len(content) - 1):
        path.write_bytes(content[:length])
        with pytest.raises(ArtefactError, match=r"documents\.parquet is damaged .*textclf preprocess --overwrite"):
            documents.read_documents(path, rows=2)


def test_a_damaged_table_is_read_or_named(path):
    content = path.read_bytes()
    rng = random.Random(0)
    refused = 0
    for bit in rng.sample(range(8 * len(content)), 150):
        damaged = bytearray(content)
        damaged[bit // 8] ^= 1 << bit % 8
        path.write_bytes(damaged)
        try:  # which bits are found is Arrow's affair: the manifest has the checksum of the whole file
            documents.read_documents(path, rows=2)
        except ArtefactError as error:
            refused += str(path) in str(error)
    assert refused > 75


@pytest.mark.parametrize("left_out", [field.name for field in fields(Documents)])
def test_a_table_without_one_of_the_columns_is_named(path, left_out):
    pq.write_table(pq.read_table(path).drop_columns([left_out]), path)
    with pytest.raises(ArtefactError, match=left_out):
        documents.read_documents(path, rows=2)


@pytest.mark.parametrize("content", [b"", b"id,label\n1,a\n", b"PAR1" + bytes(100) + b"PAR1"])
def test_a_file_of_another_kind_is_named(path, content):
    path.write_bytes(content)
    with pytest.raises(ArtefactError, match=r"documents\.parquet is damaged"):
        documents.read_documents(path, rows=2)


def test_a_missing_table_is_named(tmp_path):
    with pytest.raises(ArtefactError, match=r"documents\.parquet"):
        documents.read_documents(tmp_path / "documents.parquet", rows=2)


def test_more_columns_do_no_harm(path):
    more = pq.read_table(path).append_column("note", pa.array(["x", "y"]))
    pq.write_table(more, path)
    assert columns(documents.read_documents(path, rows=2)) == columns(table())


def test_what_writing_needs_can_be_imported_in_the_background():
    code = (
        "import sys, time; from textclf.dataset import documents; assert 'pyarrow' not in sys.modules; "
        "documents.import_in_background(); deadline = time.time() + 30\n"
        "while 'pyarrow.parquet' not in sys.modules and time.time() < deadline: time.sleep(0.05)\n"
        "import pyarrow.parquet"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
