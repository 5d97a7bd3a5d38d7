import random
import subprocess
import sys

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.dataset import tables
from textclf.dataset import table
from textclf.dataset.documents import DocumentNames
from textclf.dataset.parts import Parts
from textclf.errors import ArtefactError
from textclf.text.batch_encoder import ByteStrings

ODD = ["../../x", "CON", "/abs", ".", "", " x ", "NA", "null", "001", "a\nb", "\0", "é", "e\u0301", "👍🏽", "x" * 300]


def made(sources=("1", "2"), labels=("a", "b")):
    count = len(sources)
    crc32 = [0, *[2**32 - 1] * (count - 1)]
    splits = ["train"] * (count - 1) + ["validation"]
    return tables.made(splits, labels, source=sources, tokens=range(1, count + 1), crc32=crc32)


def write(path, documents, rows=None):
    rows = rows or slice(0, len(documents))
    table.write_table(path, documents, rows, ByteStrings.of(documents.source[rows]))


def read(path, rows=2):
    return table.read_table([path], Parts.of(rows), DocumentNames((rows - 1, 1, 0)))


def test_a_table_survives_the_disk_whatever_its_ids_and_labels_are(tmp_path):
    before = made(ODD, ODD[::-1])
    write(tmp_path / "part.parquet", before)
    after = read(tmp_path / "part.parquet", rows=len(ODD))
    assert tables.columns(after) == tables.columns(before)
    assert after.labels == before.labels
    for name in ("label", "tier", "tokens", "crc32"):
        assert getattr(after, name).dtype == getattr(before, name).dtype


@pytest.mark.parametrize("size", [1, 4, 15, 100])
def test_labels_are_the_same_however_documents_are_divided(tmp_path, size):
    before, parts = made(ODD, ODD[::-1]), Parts(len(ODD), size)
    paths = [tmp_path / f"{number}.parquet" for number in range(parts.count)]
    for path, rows in zip(paths, parts, strict=True):
        write(path, before, rows)
    after = table.read_table(paths, parts, before.names)
    assert tables.columns(after) == tables.columns(before)
    assert after.label.tolist() == before.label.tolist()
    assert after.source[3:5] == ODD[3:5]
    assert after.source[-1] == ODD[-1]
    with pytest.raises(IndexError):
        after.source[len(ODD)]


def test_several_labels_survive_the_disk(tmp_path):
    before = made(list("123456"), [("a", "b"), (), ("b",), ("a", "b"), ("c", "é"), ()])
    write(tmp_path / "part.parquet", before)
    assert tables.columns(read(tmp_path / "part.parquet", rows=6)) == tables.columns(before)
    assert pq.read_table(tmp_path / "part.parquet")["label"].to_pylist()[:3] == [["a", "b"], [], ["b"]]


def test_a_table_of_many_documents_survives_the_disk(tmp_path):
    before = made([str(number) for number in range(70_000)], ["ab"[number % 2] for number in range(70_000)])
    write(tmp_path / "part.parquet", before)
    assert tables.columns(read(tmp_path / "part.parquet", rows=70_000)) == tables.columns(before)


def test_other_programs_can_read_it(tmp_path):
    write(tmp_path / "part.parquet", made())
    assert pq.read_table(tmp_path / "part.parquet").to_pylist() == [
        {"id": "train-0000000", "source": "1", "label": "a", "split": "train", "tier": "tiny", "tokens": 1, "crc32": 0},
        {
            "id": "validation-0000000",
            "source": "2",
            "label": "b",
            "split": "validation",
            "tier": "",
            "tokens": 2,
            "crc32": 2**32 - 1,
        },
    ]


def test_equal_tables_give_equal_bytes(tmp_path):
    for name, content in (("1", made()), ("2", made()), ("3", made(labels=("a", "c")))):
        write(tmp_path / name, content)
    first, second, third = ((tmp_path / name).read_bytes() for name in "123")
    assert first == second
    assert first != third


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "part-00000.parquet"
    write(path, made())
    return path


def test_a_truncated_table_is_named(path):
    content = path.read_bytes()
    for length in (*range(0, len(content), 61), len(content) - 1):
        path.write_bytes(content[:length])
        with pytest.raises(ArtefactError, match=r"part-00000\.parquet is damaged .*preprocess SOURCE --overwrite"):
            read(path)


def test_a_damaged_table_is_read_or_named(path):
    content = path.read_bytes()
    rng = random.Random(0)
    refused = 0
    for bit in rng.sample(range(8 * len(content)), 150):
        damaged = bytearray(content)
        damaged[bit // 8] ^= 1 << bit % 8
        path.write_bytes(damaged)
        try:  # which bits are found is Arrow's affair: the manifest has the checksum of the whole file
            read(path)
        except ArtefactError as error:
            refused += str(path) in str(error)
    assert refused > 75


@pytest.mark.parametrize("left_out", ["label", "tier", "tokens", "crc32"])
def test_a_table_without_one_of_the_columns_is_named(path, left_out):
    pq.write_table(pq.read_table(path).drop_columns([left_out]), path)
    with pytest.raises(ArtefactError, match=left_out):
        read(path)


@pytest.mark.parametrize("content", [b"", b"id,label\n1,a\n", b"PAR1" + bytes(100) + b"PAR1"])
def test_a_file_of_another_kind_is_named(path, content):
    path.write_bytes(content)
    with pytest.raises(ArtefactError, match=r"part-00000\.parquet is damaged"):
        read(path)


def test_a_missing_table_is_named(tmp_path):
    with pytest.raises(ArtefactError, match=r"part-00000\.parquet"):
        read(tmp_path / "part-00000.parquet")


def test_more_columns_do_no_harm(path):
    more = pq.read_table(path).append_column("note", pa.array(["x", "y"]))
    pq.write_table(more, path)
    assert tables.columns(read(path)) == tables.columns(made())


def test_what_writing_needs_can_be_imported_in_the_background():
    code = (
        "import sys, time; from textclf.dataset import table; assert 'pyarrow' not in sys.modules; "
        "table.import_in_background(); deadline = time.time() + 30\n"
        "while 'pyarrow.parquet' not in sys.modules and time.time() < deadline: time.sleep(0.05)\n"
        "import pyarrow.parquet"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
