import numpy as np
import pytest
import torch

from textclf.models.sequences.batch import PieceEmbedding
from textclf.models.sequences.features import MOST_PIECES, Sequences
from textclf.models.sequences.pretrained import SIZE, initial_columns
from textclf.models.sequences.spelling import Spelling
from textclf.text.tokenizer import PAD_ID, UNK_ID, Tokenizer

TOKENIZER = Tokenizer.fit(["reading reader reads read ready x"] * 3, max_parts=100)
KNOWN = ("reading", "reads", "x")
IS_FOUND = np.array([word in KNOWN for word in TOKENIZER.words])
VECTORS = np.where(IS_FOUND[:, None], np.random.default_rng(0).normal(size=(TOKENIZER.size, 3)), 0).astype(np.float32)


def scaled() -> np.ndarray:
    """The vectors as large as embeddings are."""
    return VECTORS * SIZE / np.sqrt(np.square(VECTORS[IS_FOUND]).mean())


def embedded(features: Sequences, words: list[str]) -> np.ndarray:
    """What the network reads of some words before its first step, shape (words, 3)."""
    embedding = PieceEmbedding(features.rows, 3)
    embedding.weight.data = torch.from_numpy(initial_columns(features, VECTORS, IS_FOUND))
    tokens, lengths = TOKENIZER.encode_all([" ".join(words)])
    return embedding(torch.from_numpy(features(tokens, lengths).tokens))[0].detach().numpy()


def test_words_without_parts_are_their_vectors_and_others_the_mean():
    columns = initial_columns(Sequences.of(TOKENIZER, pieces=1), VECTORS, IS_FOUND)
    np.testing.assert_allclose(columns[IS_FOUND], scaled()[IS_FOUND], rtol=1e-5)
    others = ~IS_FOUND
    others[PAD_ID] = False
    np.testing.assert_allclose(columns[others], np.tile(scaled()[IS_FOUND].mean(axis=0), (others.sum(), 1)), rtol=1e-4)
    assert not columns[PAD_ID].any()
    assert np.sqrt(np.square(columns[IS_FOUND]).mean()) == pytest.approx(SIZE, rel=1e-5)


def test_a_word_with_its_parts_is_its_vector_once_they_are_added():
    spelling = Spelling.of(TOKENIZER, words=TOKENIZER.size, shortest=False)
    features = Sequences.of(TOKENIZER, pieces=MOST_PIECES, spelling=spelling)
    for word in KNOWN:
        place = TOKENIZER.words.index(word)
        np.testing.assert_allclose(embedded(features, [word])[0], scaled()[place], rtol=1e-4, atol=1e-6)


def test_a_word_that_the_file_lacks_resembles_those_that_share_its_parts():
    spelling = Spelling.of(TOKENIZER, words=TOKENIZER.size, shortest=False)
    features = Sequences.of(TOKENIZER, pieces=MOST_PIECES, spelling=spelling)
    mean = scaled()[IS_FOUND].mean(axis=0)
    reader, alone = embedded(features, ["reader", "zzz"])
    family = scaled()[[TOKENIZER.words.index(word) for word in ("reading", "reads")]].mean(axis=0)
    assert np.linalg.norm(reader - family) < np.linalg.norm(mean - family)
    np.testing.assert_allclose(alone, mean, rtol=1e-4, atol=1e-6)


def test_a_word_that_is_spelled_is_read_as_parts_with_vectors():
    spelling = Spelling.of(TOKENIZER, words=UNK_ID + 2)
    features = Sequences.of(TOKENIZER, pieces=1, spelling=spelling)
    columns = initial_columns(features, VECTORS, IS_FOUND)
    assert columns.shape == (features.rows, 3)
    assert np.isfinite(columns).all()
    first = UNK_ID + 1
    assert np.allclose(
        columns[first], scaled()[first] if IS_FOUND[first] else scaled()[IS_FOUND].mean(axis=0), rtol=1e-4
    )
