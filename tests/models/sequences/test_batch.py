import numpy as np
import pytest
import torch

from textclf.models.model import Examples
from textclf.models.sequences.batch import WordDropout, collate
from textclf.models.sequences.features import Sequences
from textclf.text.tokenizer import UNK_ID


def test_documents_are_cut_and_padded_and_keep_their_labels():
    examples = Examples(np.array([5, 6, 7, 8, 2], dtype=np.int32), np.array([4, 1]), np.array([1, -1]))
    batch = collate(examples, inputs=Sequences(words=10, max_length=3))
    assert batch.tokens.tolist() == [[5, 6, 7], [2, 0, 0]]
    assert (batch.lengths.tolist(), batch.labels.tolist()) == ([3, 1], [1, -1])
    assert {tensor.dtype for tensor in batch} == {torch.int64}


TOKENS = torch.arange(2, 20_002).reshape(100, 100, 2)


@pytest.mark.parametrize("probability", [0.0, 0.3, 1.0])
def test_training_reads_that_share_of_the_words_as_unknown_with_their_parts(probability):
    torch.manual_seed(0)
    words, parts = WordDropout(probability).train()(TOKENS).split((1, 1), dim=2)
    assert (words == UNK_ID).float().mean() == pytest.approx(probability, abs=0.02)
    assert ((words == UNK_ID) | (words == TOKENS[:, :, :1])).all()
    assert torch.equal(parts, TOKENS[:, :, 1:])


def test_prediction_reads_every_token():
    assert WordDropout(1.0).eval()(TOKENS) is TOKENS
