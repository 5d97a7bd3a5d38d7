import numpy as np
import pytest

from tests.word_vectors import writing
from textclf.word_vectors import fasttext
from textclf.word_vectors.found import Wanted

WORDS = ["the", "bank", "für"]
MATRIX = np.random.default_rng(0).normal(size=(len(WORDS) + 50, 4)).astype(np.float32)


@pytest.fixture
def path(tmp_path):
    return writing.fasttext(tmp_path / "model.bin", WORDS, MATRIX)


def read(path, *words: str):
    return fasttext.read(path, Wanted(words), lambda items, _title, _total: items)


def rows_of(*ngrams: str) -> list[int]:
    """FNV-1a of 32 bits, where bytes are signed, written down a second time."""
    rows = []
    for ngram in ngrams:
        value = np.uint32(2166136261)
        with np.errstate(over="ignore"):
            for byte in np.frombuffer(ngram.encode(), dtype=np.int8):
                value = (value ^ np.uint32(int(byte) & 0xFFFFFFFF)) * np.uint32(16777619)
        rows.append(len(WORDS) + int(value) % 50)
    return rows


def test_a_word_is_the_mean_of_its_row_and_its_ngrams(path):
    found = read(path, "für")
    expected = MATRIX[[2, *rows_of("<f", "<fü", "fü", "für", "ür", "ür>", "r>")]].mean(axis=0)
    np.testing.assert_allclose(found.values[0], expected, rtol=1e-6)
    assert (found.words, found.kind, found.dimension) == (3, "fastText binary", 4)


def test_an_unknown_word_is_the_mean_of_its_ngrams(path):
    found = read(path, "ab", "Bank")
    np.testing.assert_allclose(found.values[0], MATRIX[rows_of("<a", "<ab", "ab", "ab>", "b>")].mean(axis=0), rtol=1e-6)
    np.testing.assert_array_equal(found.values[1], read(path, "bank").values[0])
    assert found.is_found.all()


def test_a_model_without_ngrams_has_its_own_words_alone(tmp_path):
    path = writing.fasttext(tmp_path / "model.bin", WORDS, MATRIX[: len(WORDS)], shortest=0, longest=0)
    found = read(path, "the", "ab")
    assert found.is_found.tolist() == [True, False]
    np.testing.assert_array_equal(found.values[0], MATRIX[0])


def test_words_are_read_in_chunks(path, monkeypatch):
    whole = read(path, *WORDS)
    monkeypatch.setattr(fasttext, "_CHUNK", 14)
    np.testing.assert_array_equal(read(path, *WORDS).values, whole.values)


@pytest.mark.parametrize("size", [5, 40, 70, 100, 150, -1])
def test_a_model_that_is_cut_off_is_refused(path, size):
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(ValueError, match="cut off"):
        read(path, "the")


def test_other_kinds_are_refused(path):
    content = bytearray(path.read_bytes())
    content[4] = 9
    path.write_bytes(content)
    with pytest.raises(ValueError, match="version 9"):
        read(path, "the")
    content[4] = 12
    content[8 + 56 + 20 : 8 + 56 + 28] = (0).to_bytes(8, "little")  # quantised models have been pruned
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"quantised model \(\.ftz\)"):
        read(path, "the")
