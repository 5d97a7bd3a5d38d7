"""What every model promises, whichever it is."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy
from torch.testing import assert_close

from tests.conftest import assemble, small_config
from textclf import models
from textclf.dataset.directory import DataDirectory
from textclf.models import MODELS, parameters, summary
from textclf.models.model import Examples
from textclf.text.tokenizer import UNK_ID

TEXTS = [
    "the cat sat on",
    "bread",
    "rain and wind wind wind",
    "snow fell all day",
    "qqq cat",
    "catty butterfly dog",
    "qqq",
]


@pytest.fixture(params=sorted(MODELS))
def name(request):
    return request.param


@pytest.fixture
def session(name, data_dir, tmp_path):
    """A model with fresh weights, as it predicts, and what belongs to it."""
    made = assemble(small_config(name, data_dir, tmp_path), DataDirectory.open(data_dir))
    made.learner.model.eval()
    return made


@pytest.fixture
def model(session):
    return session.learner.model


def collate(session, texts, inputs=None):
    ids = [session.setup.tokenizer.encode(text) for text in texts]
    labels = np.arange(len(texts)) % len(session.setup.data.manifest.labels)
    examples = Examples(np.concatenate(ids), np.array([len(run) for run in ids]), labels)
    return MODELS[session.setup.config.model].architecture().collate(examples, inputs=inputs or session.setup.features)


def loss(model, batch):
    """Of all views, as training has it."""
    logits = model(batch)
    return cross_entropy(logits.mT, batch.labels.expand(len(logits), -1))


def dense(weight):
    return weight.grad.to_dense() if weight.grad.is_sparse else weight.grad


def test_a_model_is_its_folder():
    folders = {path.parent.name for path in Path(models.__file__).parent.glob("*/network.py")}
    assert {model.__name__.rpartition(".")[2] for model in MODELS.values()} == folders


def test_logits_have_a_row_for_each_document_and_a_column_for_each_class_in_each_view(session, model):
    logits = model(collate(session, TEXTS))
    assert logits.shape[1:] == (len(TEXTS), len(session.setup.data.manifest.labels))
    assert logits.dtype == torch.float32
    assert len(torch.unique(logits[:, 0].round(decimals=4), dim=0)) == len(logits)  # the views do differ


def test_every_parameter_gets_a_gradient(session, model):
    loss(model, collate(session, TEXTS)).backward()
    without = [name for name, weight in model.named_parameters() if weight.grad is None or not dense(weight).any()]
    assert without == []


def test_every_word_of_the_batch_gets_a_gradient(session, model):
    loss(model, collate(session, TEXTS)).backward()
    learning = set(dense(model.embedding.weight).any(dim=1).nonzero().flatten().tolist())
    words = {token for text in TEXTS for token in session.setup.tokenizer.encode(text).tolist()}
    known = {token for token in words if UNK_ID < token < session.setup.tokenizer.size}
    assert len(known) > 10
    assert known <= learning
    assert len(learning) < len(model.embedding.weight)


def test_neighbours_in_the_batch_leave_the_logits_unchanged(session, model):
    together = model(collate(session, TEXTS))
    alone = torch.cat([model(collate(session, [text])) for text in TEXTS], dim=1)
    turned = model(collate(session, TEXTS[::-1])).flip(1)
    assert_close(together, alone, rtol=0, atol=1e-6)
    assert_close(together, turned, rtol=0, atol=1e-6)
    assert not torch.allclose(together[:, 0], together[:, 2], atol=1e-4)  # the documents do differ


def test_documents_of_unknown_words_only_are_answered_and_trained_on(session, model):
    batch = collate(session, ["qqq", "", "qqq zzz"])
    for _ in range(2):
        session.learner.optimizer.zero_grad()
        logits = model(batch)
        assert logits.isfinite().all()
        loss(model, batch).backward()
        session.learner.optimizer.step()
    assert all(weight.isfinite().all() for weight in model.parameters())
    assert not torch.equal(model(batch), logits)


@pytest.mark.parametrize("training", [True, False])
def test_dropout_acts_in_training_alone_and_in_each_view(training, session, model):
    batch = collate(session, TEXTS)
    model.train(training)
    for one, other in zip(model(batch), model(batch), strict=True):
        assert torch.equal(one, other) is not training


def test_initial_biases_are_zero(model):
    biases = {name: bias for name, bias in model.named_parameters() if name.split(".")[-1] == "bias"}
    assert biases
    assert not any(bias.any() for bias in biases.values())


def test_initial_embeddings_are_small(model):
    deviation = model.embedding.weight.std()
    assert 0.01 < deviation < 0.8  # torch draws them with 1


def test_summary_names_every_layer_of_the_models(model):
    *layers, total = summary(model).splitlines()
    owners = {weight.rpartition(".")[0] for weight, _ in model.named_parameters()}
    assert {line.split()[0] for line in layers} == owners
    assert total.split() == ["total", f"{parameters(model):,}"]
    assert sum(int(line.split()[-1].replace(",", "")) for line in layers) == parameters(model)
