import numpy as np
import pytest

from textclf.text.sequence import Sequences
from textclf.text.tokenizer import PAD_ID


def end_to_end(documents):
    tokens = np.array([token for document in documents for token in document], dtype=np.int32)
    return tokens, np.array([len(document) for document in documents], dtype=np.int64)


def test_documents_are_cut_and_padded():
    tokens, lengths = Sequences(3)(*end_to_end([[5, 6], [7], [8, 9, 10, 11, 12]]))
    assert tokens.tolist() == [[5, 6, PAD_ID], [7, PAD_ID, PAD_ID], [8, 9, 10]]
    assert lengths.tolist() == [2, 1, 3]
    assert (tokens.dtype, lengths.dtype) == (np.int64, np.int64)


def test_a_batch_is_as_wide_as_its_longest_document():
    tokens, lengths = Sequences(256)(*end_to_end([[5, 6], [7]]))
    assert tokens.tolist() == [[5, 6], [7, PAD_ID]]
    assert lengths.tolist() == [2, 1]


@pytest.mark.parametrize("max_length", [1, 2, 10, 1_000])
@pytest.mark.parametrize("seed", range(3))
def test_a_row_is_the_start_of_its_document(seed, max_length):
    random = np.random.default_rng(seed)
    documents = [random.integers(1, 1_000, random.integers(1, 30)).tolist() for _ in range(20)]
    tokens, lengths = Sequences(max_length)(*end_to_end(documents))
    assert tokens.shape == (20, min(max_length, max(map(len, documents))))
    for row, length, document in zip(tokens.tolist(), lengths.tolist(), documents, strict=True):
        start = document[:max_length]
        assert length == len(start)
        assert row == start + [PAD_ID] * (len(row) - length)


def test_the_tokens_that_were_given_stay_as_they_are():
    tokens, lengths = end_to_end([[5, 6], [7], [8, 9, 10]])
    before = tokens.tolist(), lengths.tolist()
    Sequences(2)(tokens, lengths)
    assert (tokens.tolist(), lengths.tolist()) == before
