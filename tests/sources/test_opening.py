"""Compressed files are read as what they hold, whole or not at all, and never fill the memory."""

import bz2
import gzip
import lzma
import random
from functools import partial
from pathlib import Path

import pyarrow as pa
import pytest

from textclf.errors import DataError
from textclf.sources.opening import ENDINGS, ending_of, opened, stem_of


def zstd(content):
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as stream:
        stream.write(content)
    return sink.getvalue().to_pybytes()


PACK = {".gz": partial(gzip.compress, mtime=0), ".bz2": bz2.compress, ".xz": lzma.compress, ".zst": zstd}
TEXT = b"".join(b"the %d. line\n" % number for number in range(10_000))


def save(path, content):
    path.write_bytes(content)
    return path


def test_every_ending_is_tried_here():
    assert set(PACK) == set(ENDINGS)


@pytest.mark.parametrize("ending", PACK)
def test_what_was_compressed_comes_out(ending, tmp_path):
    path = save(tmp_path / f"a.csv{ending}", PACK[ending](TEXT))
    with opened(path) as stream:
        assert stream.peek(4)[:4] == TEXT[:4]
        assert stream.read() == TEXT
    with opened(save(tmp_path / f"two.csv{ending}", PACK[ending](TEXT) + PACK[ending](b"more"))) as stream:
        assert stream.read() == TEXT + b"more"


def test_a_file_with_another_ending_is_as_it_is(tmp_path):
    with opened(save(tmp_path / "a.csv", PACK[".gz"](TEXT))) as stream:
        assert stream.read() == PACK[".gz"](TEXT)


@pytest.mark.parametrize("ending", PACK)
@pytest.mark.parametrize("damage", [lambda c: c[:-1], lambda c: c[: len(c) // 2], lambda _: TEXT])
def test_a_damaged_file_is_named_in_one_line(ending, damage, tmp_path):
    path = save(tmp_path / f"a.csv{ending}", damage(PACK[ending](TEXT)))
    with pytest.raises(DataError) as caught, opened(path) as stream:
        stream.read()
    assert str(caught.value).startswith(f"{path}: not {ENDINGS[ending]} that can be read (")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("ending", PACK)
def test_a_small_file_of_much_is_refused_before_it_fills_the_memory(ending, tmp_path):
    path = save(tmp_path / f"a.csv{ending}", PACK[ending](bytes(1_000_000)))
    with opened(path, ratio=0, allowance=200_000) as stream:
        assert stream.read(100_000) == bytes(100_000)
        with pytest.raises(DataError, match="more than 200,000 bytes in so small a file"):
            stream.read()


@pytest.mark.parametrize(
    ("name", "ending", "stem"),
    [
        ("a.csv", ".csv", "a"),
        ("a.CSV.GZ", ".csv", "a"),
        ("a.b.jsonl.zst", ".jsonl", "a.b"),
        ("a.gz", "", "a"),
        ("a", "", "a"),
        ("train.tar.gz", ".tar", "train"),
    ],
)
def test_the_ending_before_tells_what_is_inside(name, ending, stem):
    assert (ending_of(Path(name)), stem_of(Path(name))) == (ending, stem)


@pytest.mark.parametrize("ending", ["", *ENDINGS])
def test_all_bytes_of_a_file_are_said_as_they_are_read(ending, tmp_path):
    sizes = []
    content = random.Random(0).randbytes(2_000_000)
    path = save(tmp_path / f"f.csv{ending}", PACK.get(ending, bytes)(content))
    with opened(path, on_read=sizes.append) as stream:
        assert stream.read(100) == content[:100]
        assert sum(sizes) < path.stat().st_size / 2
        stream.read()
    assert sum(sizes) == path.stat().st_size
