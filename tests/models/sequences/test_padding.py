"""What every network that reads padded batches promises."""

import pytest
import torch
from torch.testing import assert_close

from tests.models.sequences.helpers import DOCUMENTS, padded
from textclf.models import MODELS
from textclf.text.tokenizer import PAD_ID

SIZES = {"embedding_size": 8, "hidden_size": 6, "dropout": 0.5, "word_dropout": 0.0}


@pytest.fixture(params=["lstm", "cnn"])
def model(request):
    torch.manual_seed(0)
    made = MODELS[request.param].architecture().network(vocabulary=20, classes=4, **SIZES)
    for name, parameter in made.named_parameters():
        if name.endswith("bias"):
            torch.nn.init.normal_(parameter)
    return made.eval()


@pytest.mark.parametrize("columns", [7, 30])
@pytest.mark.parametrize("padding", [PAD_ID, 14])
def test_padding_leaves_the_logits_unchanged(model, columns, padding):
    expected = model(padded(DOCUMENTS))
    assert_close(model(padded(DOCUMENTS, columns=columns, padding=padding)), expected, rtol=0, atol=1e-6)


def test_padding_gets_no_gradient(model):
    model(padded(DOCUMENTS, columns=9)).sum().backward()
    assert not model.embedding.weight.grad[PAD_ID].any()
