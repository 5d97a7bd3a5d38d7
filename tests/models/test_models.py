"""What every model promises, whichever it is."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy
from torch.testing import assert_close

from tests.conftest import small_config
from textclf.config import PRESETS
from textclf.inference.runtime import FORWARD
from textclf.loading import Examples
from textclf.models import ARCHITECTURES, parameters, summary
from textclf.store.directory import DataDirectory
from textclf.text import INPUTS
from textclf.text.tokenizer import UNK_ID
from textclf.training.session import assemble

DOCUMENTS = [[5, 6, 7, 8], [9], [10, 11, 5, 5, 5, 12, 13, 14, 15], [UNK_ID, 6], [16, 17, 18]]


@pytest.fixture(params=sorted(ARCHITECTURES))
def name(request):
    return request.param


@pytest.fixture
def session(name, data_dir, tmp_path):
    """A model with fresh weights, as it predicts, and what belongs to it."""
    made = assemble(small_config(name, data_dir, tmp_path), DataDirectory.open(data_dir))
    made.model.eval()
    return made


def collate(session, documents):
    tokens = np.concatenate(documents).astype(np.int32)
    labels = np.arange(len(documents)) % len(session.data.manifest.labels)
    examples = Examples(tokens, np.array([len(document) for document in documents]), labels)
    return ARCHITECTURES[session.config.model].collate(examples, inputs=session.inputs)


def test_every_table_has_the_same_models():
    assert set(ARCHITECTURES) == set(INPUTS) == set(FORWARD) == set(PRESETS)


def test_prepare_makes_the_inputs_that_an_artefact_reads(name, session):
    assert type(session.inputs) is INPUTS[name]


def test_logits_have_a_row_for_each_document_and_a_column_for_each_class(session):
    logits = session.model(collate(session, DOCUMENTS))
    assert logits.shape == (len(DOCUMENTS), len(session.data.manifest.labels))
    assert logits.dtype == torch.float32


def test_every_parameter_gets_a_gradient(session):
    batch = collate(session, DOCUMENTS)
    cross_entropy(session.model(batch), batch.labels).backward()
    without = [
        name for name, weight in session.model.named_parameters() if weight.grad is None or not weight.grad.any()
    ]
    assert without == []


def test_every_word_of_the_batch_gets_a_gradient(session):
    batch = collate(session, DOCUMENTS)
    cross_entropy(session.model(batch), batch.labels).backward()
    learning = set(session.model.embedding.weight.grad.any(dim=1).nonzero().flatten().tolist())
    assert {token for document in DOCUMENTS for token in document} - {UNK_ID} <= learning


def test_neighbours_in_the_batch_leave_the_logits_unchanged(session):
    together = session.model(collate(session, DOCUMENTS))
    alone = torch.cat([session.model(collate(session, [document])) for document in DOCUMENTS])
    turned = session.model(collate(session, DOCUMENTS[::-1])).flip(0)
    assert_close(together, alone, rtol=0, atol=1e-6)
    assert_close(together, turned, rtol=0, atol=1e-6)
    assert not torch.allclose(together[0], together[2], atol=1e-4)  # the documents do differ


def test_documents_of_unknown_words_only_are_answered_and_trained_on(session):
    batch = collate(session, [[UNK_ID], [UNK_ID] * 5])
    for _ in range(2):
        session.optimizer.zero_grad()
        logits = session.model(batch)
        assert logits.isfinite().all()
        cross_entropy(logits, batch.labels).backward()
        session.optimizer.step()
    assert all(weight.isfinite().all() for weight in session.model.parameters())
    assert not torch.equal(session.model(batch), logits)


@pytest.mark.parametrize("training", [True, False])
def test_dropout_acts_in_training_alone(training, session):
    batch = collate(session, DOCUMENTS)
    session.model.train(training)
    assert torch.equal(session.model(batch), session.model(batch)) is not training


def test_initial_biases_are_zero(session):
    biases = {name: bias for name, bias in session.model.named_parameters() if name.split(".")[-1] == "bias"}
    assert biases
    assert not any(bias.any() for bias in biases.values())


def test_initial_embeddings_are_small(session):
    deviation = session.model.embedding.weight.std()
    assert 0.01 < deviation < 0.5  # torch draws them with 1


def test_parameters_counts_all():
    model = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1, bias=False))
    assert parameters(model) == 2 * 3 + 3 + 3


def test_summary_shows_each_layer_with_its_shapes_and_the_total():
    model = nn.Sequential()
    model.add_module("embedding", nn.Embedding(1000, 3))
    model.add_module("dropout", nn.Dropout())
    model.add_module("inner", nn.Sequential(nn.Linear(3, 2)))
    expected = [
        "embedding  Embedding  (1000, 3)    3,000",
        "inner.0    Linear     (2, 3) (2,)      8",
        "total                              3,008",
    ]
    assert summary(model).splitlines() == expected


def test_summary_names_every_layer_of_the_models(session):
    *layers, total = summary(session.model).splitlines()
    owners = {weight.rpartition(".")[0] for weight, _ in session.model.named_parameters()}
    assert {line.split()[0] for line in layers} == owners
    assert total.split() == ["total", f"{parameters(session.model):,}"]
    assert sum(int(line.split()[-1].replace(",", "")) for line in layers) == parameters(session.model)
