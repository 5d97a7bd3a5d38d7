import pytest
import torch
from torch.testing import assert_close

from tests.models.sequences.helpers import DOCUMENTS, padded
from textclf.models.cnn.network import WIDTHS, CNNClassifier


@pytest.fixture
def model():
    torch.manual_seed(0)
    made = CNNClassifier(vocabulary=20, classes=4, embedding_size=8, hidden_size=6, dropout=0.5, word_dropout=0.0)
    for convolution in made.convolutions:
        torch.nn.init.normal_(convolution[1].bias)
    return made.eval()


def test_logits_are_those_of_windows_that_are_looked_at_one_by_one(model):
    """Zeros follow a document, and each filter keeps its largest value over the windows that begin in it."""
    expected = []
    for document in DOCUMENTS:
        pooled = []
        for width, convolution in zip(WIDTHS, model.convolutions, strict=True):
            kernel, bias = convolution[1].weight, convolution[1].bias  # (H, E, width), (H,)
            rows = torch.cat((model.embedding.weight[document], torch.zeros(width - 1, kernel.shape[1])))
            windows = [rows[start : start + width].T for start in range(len(document))]  # each (E, width)
            values = torch.stack([(kernel * window).sum(dim=(1, 2)) + bias for window in windows])
            pooled.append(values.amax(dim=0).clamp(min=0))
        expected.append(model.output(torch.cat(pooled)))
    assert_close(model(padded(DOCUMENTS))[0], torch.stack(expected), rtol=0, atol=1e-5)


def test_the_order_of_the_words_matters_and_where_they_stand_does_not(model):
    phrase, before, after = [5, 6, 7, 8, 9], [2, 2, 2, 2, 2, 2], [3, 3, 3, 3, 3, 3]
    one, other, mirrored = model(padded([before + phrase + after, phrase + after, phrase[::-1] + after], columns=17))[0]
    assert not torch.allclose(other, mirrored, atol=1e-4)
    features = {}
    model.output.register_forward_hook(lambda _module, inputs, _output: features.update(pooled=inputs[0]))
    model(padded([phrase + after, after + phrase + after], columns=17))
    shorter, longer = features["pooled"]
    assert (longer >= shorter - 1e-6).all()  # every window of the one is a window of the other
    assert one.shape == (4,)


def test_dropout_acts_in_training_alone(model):
    batch = padded(DOCUMENTS)
    assert_close(model(batch), model(batch), rtol=0, atol=0)
    model.train()
    assert not torch.allclose(model(batch), model(batch), atol=1e-4)
