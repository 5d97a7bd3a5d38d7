import pytest
import torch

from textclf.models.sequences.word_dropout import WordDropout
from textclf.text.tokenizer import UNK_ID

TOKENS = torch.arange(2, 10_002).reshape(100, 100)


@pytest.mark.parametrize("probability", [0.0, 0.3, 1.0])
def test_training_reads_that_share_of_the_tokens_as_unknown(probability):
    torch.manual_seed(0)
    read = WordDropout(probability).train()(TOKENS)
    assert (read == UNK_ID).float().mean() == pytest.approx(probability, abs=0.02)
    assert ((read == UNK_ID) | (read == TOKENS)).all()


def test_prediction_reads_every_token():
    assert WordDropout(1.0).eval()(TOKENS) is TOKENS
