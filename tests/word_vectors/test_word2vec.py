import numpy as np
import pytest

from tests.word_vectors import writing
from textclf.word_vectors import word2vec
from textclf.word_vectors.found import Wanted


def read(content: bytes, *words: str, size: int = 11):
    return word2vec.read((content[start : start + size] for start in range(0, len(content), size)), Wanted(words))


@pytest.mark.parametrize("end", [b"", b"\n"])
def test_words_and_numbers_are_read_with_and_without_line_breaks(tmp_path, end):
    found = read(writing.word2vec(tmp_path / "x.bin", end=end).read_bytes(), "über", "river", "x")
    assert found.values.tolist() == [[-1, 0.5, 0.25], [4, 5, 6], [0, 0, 0]]
    assert (found.words, found.kind) == (3, "word2vec binary")


def test_damage_is_named(tmp_path):
    content = writing.word2vec(tmp_path / "x.bin").read_bytes()
    with pytest.raises(ValueError, match="it has 2 vectors in place of 3; is it cut off"):
        read(content[:-5], "bank")
    with pytest.raises(ValueError, match="no header line"):
        read(b"no header\n", "bank")
    with pytest.raises(ValueError, match="word 1 has no end"):
        read(b"2 3\n" + b"x" * 20_000, "bank", size=1_000)
    numbers = np.array([1, np.nan, 2], dtype="<f4").tobytes()
    with pytest.raises(ValueError, match="word 1 has a number that is not finite"):
        read(b"1 3\nbank " + numbers, "bank")
