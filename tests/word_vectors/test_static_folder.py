import json

import numpy as np
import pytest

from tests.word_vectors import writing
from textclf.word_vectors import static_folder
from textclf.word_vectors.found import Wanted

PIECES = ["[UNK]", "bank", "##ing", "▁river", "x"]
TABLE = np.arange(10, dtype=np.float32).reshape(5, 2)


def read(folder, *words: str):
    return static_folder.read(folder, Wanted(words))


def test_words_are_pieces_or_their_mean(tmp_path):
    found = read(writing.static_folder(tmp_path / "m", PIECES, TABLE), "bank", "Banking", "river", "y", "xy")
    assert found.values.tolist() == [[2, 3], [3, 4], [6, 7], [0, 0], [0, 0]]
    assert found.is_found.tolist() == [True, True, True, False, False]
    assert (found.words, found.kind, found.dimension) == (5, "static model", 2)


def test_weights_and_a_mapping_of_model2vec_count(tmp_path):
    factors, mapping = np.array([1, 2, 1, 1, 1], dtype=np.float32), np.array([0, 4, 4, 0, 0])
    folder = writing.static_folder(tmp_path / "m", PIECES, TABLE, weights=factors, mapping=mapping)
    assert read(folder, "bank").values.tolist() == [[16, 18]]


def test_a_unigram_vocabulary_is_a_list(tmp_path):
    folder = writing.static_folder(tmp_path / "m", PIECES, TABLE)
    vocabulary = [[piece, -1.0] for piece in PIECES]
    (folder / "tokenizer.json").write_text(json.dumps({"model": {"vocab": vocabulary}}))
    assert read(folder, "river").values.tolist() == [[6, 7]]


def test_other_folders_are_refused(tmp_path):
    with pytest.raises(ValueError, match="has more pieces"):
        read(writing.static_folder(tmp_path / "short", PIECES, TABLE[:1]), "bank")
    with pytest.raises(ValueError, match="not finite"):
        read(writing.static_folder(tmp_path / "nan", PIECES, TABLE * np.nan), "bank")
    with pytest.raises(ValueError, match="has no table of vectors"):
        read(writing.static_folder(tmp_path / "int", PIECES, TABLE.astype(np.int8)), "bank")
