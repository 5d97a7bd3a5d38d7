import gzip

import numpy as np
import pytest

from tests.word_vectors import writing
from textclf.errors import DataError, UsageError
from textclf.word_vectors import kept, read, stream

WORDS = ["river", "nothing", "über"]


def test_every_format_is_known_by_its_content(tmp_path):
    table = np.array(list(writing.VECTORS.values()), dtype=np.float32)
    packed = tmp_path / "packed"
    packed.write_bytes(gzip.compress(writing.word2vec(tmp_path / "d").read_bytes()))
    (tmp_path / "kept").mkdir()
    words = "".join(f"{word}\n" for word in writing.VECTORS).encode()
    kept.write(tmp_path / "kept", words, table, about={"name": "x"}, texts={})
    places = [
        writing.text(tmp_path / "a"),
        writing.text(tmp_path / "b", header=True, end=" \n"),
        writing.word2vec(tmp_path / "c", end=b""),
        packed,
        writing.static_folder(tmp_path / "static", ["bank", "river", "über"], table),
        tmp_path / "kept",
        writing.fasttext(tmp_path / "e", list(writing.VECTORS), table, shortest=0, longest=0),
    ]
    for path in places:
        found = read(path, WORDS)
        assert found.values.tolist() == [[4, 5, 6], [0, 0, 0], [-1, 0.5, 0.25]], path
        assert found.is_found.tolist() == [True, False, True]


def test_progress_is_by_bytes(tmp_path, monkeypatch):
    monkeypatch.setattr(stream, "BLOCK", 10)
    path, seen = writing.text(tmp_path / "a"), []
    read(path, WORDS, progress=lambda items, title, total: seen.append((title, total)) or items)
    assert seen == [("reading a", -(-path.stat().st_size // 10))]


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "it has no vectors"),
        (b"a 1 2\nb 1\n", "line 2 has 1 number"),
        (b"other 1 2\n", "has 1 word, and none of the 3 words of the data; is it of another language?"),
        (b"\x80\x02}q\x00.", "line 1 is no word with numbers"),
    ],
)
def test_what_cannot_be_used_is_said_in_one_line(tmp_path, content, why):
    path = tmp_path / "vectors"
    path.write_bytes(content)
    with pytest.raises(DataError) as caught:
        read(path, WORDS)
    assert why in str(caught.value)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_is_not_there_is_a_usage_error(tmp_path):
    with pytest.raises(UsageError, match="no vectors"):
        read(tmp_path / "none", WORDS)
    (tmp_path / "folder").mkdir()
    with pytest.raises(DataError, match="cannot read vectors from"):
        read(tmp_path / "folder", WORDS)


def test_a_compressed_model_of_fasttext_must_be_unpacked(tmp_path):
    made = writing.fasttext(tmp_path / "e", ["a"], np.ones((1, 2), dtype=np.float32), shortest=0, longest=0)
    path = tmp_path / "packed"
    path.write_bytes(gzip.compress(made.read_bytes()))
    with pytest.raises(DataError, match="must be unpacked first"):
        read(path, WORDS)
