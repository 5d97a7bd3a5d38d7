import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence
from torch.testing import assert_close

from tests.conftest import assemble, small_config
from tests.models.sequences.helpers import DOCUMENTS, padded
from textclf.dataset.directory import DataDirectory
from textclf.models.model import Examples
from textclf.models.sequences.batch import WordDropout, collate
from textclf.text.tokenizer import PAD_ID, UNK_ID


@pytest.fixture
def model(data_dir, tmp_path):
    return assemble(small_config("lstm", data_dir, tmp_path), DataDirectory.open(data_dir)).learner.model.eval()


def test_the_order_of_the_words_matters_to_the_first_view_alone(model):
    backwards = [document[::-1] for document in DOCUMENTS]
    ordered, unordered = (model(padded(DOCUMENTS)) - model(padded(backwards))).abs().amax(dim=2)
    assert ordered[0] > 1e-4
    assert ordered[1] == 0  # one word
    assert (unordered < 1e-6).all()


def test_logits_are_those_of_a_packed_bidirectional_lstm(model):
    size, hidden = model.forwards.input_size, model.forwards.hidden_size
    reference = nn.LSTM(size, hidden, batch_first=True, bidirectional=True)
    for ours, suffix in ((model.forwards, ""), (model.backwards, "_reverse")):
        reference.load_state_dict({f"{key}{suffix}": value for key, value in ours.state_dict().items()}, strict=False)
    batch = padded(DOCUMENTS)
    embedded = nn.functional.embedding(batch.tokens[:, :, 0], model.embedding.weight)
    packed = pack_padded_sequence(embedded, batch.lengths, batch_first=True, enforce_sorted=False)
    states, _ = pad_packed_sequence(reference(packed)[0], batch_first=True)
    pooled = torch.stack(
        [torch.cat((run[:n].amax(dim=0), run[:n].mean(dim=0))) for run, n in zip(states, batch.lengths, strict=True)]
    )
    expected = pooled @ model.output.weight.T + model.output.bias
    assert_close(model(batch)[0], expected, rtol=0, atol=1e-6)


def test_the_second_view_is_the_mean_of_the_embeddings(model):
    means = torch.stack([model.embedding.weight[document].mean(dim=0) for document in DOCUMENTS])
    expected = means @ model.output_of_mean.weight.T + model.output_of_mean.bias
    assert_close(model(padded(DOCUMENTS, columns=9, padding=14))[1], expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("view", [0, 1])
def test_both_views_train_the_embeddings(view, model):
    model(padded(DOCUMENTS))[view].sum().backward()
    learning = model.embedding.weight.grad.any(dim=1).nonzero().flatten().tolist()
    assert learning == sorted({token for document in DOCUMENTS for token in document})


def test_an_unknown_word_of_a_short_text_is_read_with_its_parts(data_dir, tmp_path):
    session = assemble(small_config("lstm", data_dir, tmp_path), DataDirectory.open(data_dir))
    vocabulary, model = session.setup.tokenizer, session.learner.model
    tokens = vocabulary.encode("catty qqq butterfly")
    batch = collate(
        Examples(tokens, np.array([len(tokens)]), np.zeros(1, dtype=np.int64)), inputs=session.setup.features
    )
    assert batch.tokens[0, :, 0].tolist() == [UNK_ID] * 3
    assert batch.tokens[batch.tokens != PAD_ID].tolist() == tokens.tolist()
    assert len(model.embedding.weight) == vocabulary.size + len(vocabulary.parts)


@pytest.mark.parametrize("direction", ["forwards", "backwards"])
def test_initial_recurrent_blocks_are_orthogonal_and_forget_gates_open(model, direction):
    lstm = getattr(model, direction)
    blocks = lstm.weight_hh_l0.chunk(4)
    for block in blocks:
        assert_close(block @ block.T, torch.eye(lstm.hidden_size), rtol=0, atol=1e-5)
    assert not torch.allclose(blocks[0], blocks[1])
    enter, forget, candidate, leave = (lstm.bias_ih_l0 + lstm.bias_hh_l0).chunk(4)
    assert (forget == 1).all()
    assert not torch.cat((enter, candidate, leave)).any()


def test_initial_embedding_of_padding_is_zero(model):
    assert not model.embedding.weight[PAD_ID].any()
    assert model.embedding.weight[1:].any(dim=1).all()


def test_both_directions_start_apart(model):
    assert not torch.equal(model.forwards.weight_ih_l0, model.backwards.weight_ih_l0)


def test_word_dropout_reads_words_as_unknown_in_training_alone(data_dir, tmp_path):
    config = small_config("lstm", data_dir, tmp_path, dropout=0.0)
    model = assemble(config, DataDirectory.open(data_dir)).learner.model
    model.word_dropout = WordDropout(1.0)
    batch = padded(DOCUMENTS)
    unknown = padded([[UNK_ID] * len(document) for document in DOCUMENTS])
    assert torch.equal(model.train()(batch), model.eval()(unknown))
    assert not torch.allclose(model(batch), model(unknown), atol=1e-4)


@pytest.mark.parametrize("share", [0.0, 0.3])
def test_word_dropout_drops_that_share(share, data_dir, tmp_path):
    model = assemble(
        small_config("lstm", data_dir, tmp_path, word_dropout=share), DataDirectory.open(data_dir)
    ).learner.model
    torch.manual_seed(0)
    read = []
    model.embedding.register_forward_pre_hook(lambda _layer, inputs: read.append(inputs[0]))
    model.train()(padded([[5] * 5000], columns=5000))
    (words,) = read  # by both directions
    assert (words == UNK_ID).float().mean() == pytest.approx(share, abs=0.02)


def test_dropout_acts_in_both_views_without_word_dropout(data_dir, tmp_path):
    config = small_config("lstm", data_dir, tmp_path, dropout=0.5, word_dropout=0.0)
    model = assemble(config, DataDirectory.open(data_dir)).learner.model.train()
    for one, other in zip(model(padded(DOCUMENTS)), model(padded(DOCUMENTS)), strict=True):
        assert not torch.allclose(one, other, atol=1e-4)
