"""The forward pass in numpy is that of torch."""

import unicodedata

import numpy as np
import pytest
import torch

from tests.conftest import assemble, small_config
from textclf.dataset.directory import DataDirectory
from textclf.inference.classifier import Classifier
from textclf.models import MODELS
from textclf.models.bag_mlp import network
from textclf.models.bag_mlp.features import BagInputs
from textclf.models.model import Examples
from textclf.training.loop import StepOptions, predict
from textclf.training.objective import Softmax

KNOWN = ["cat", "dog", "bread", "butter", "rain", "wind", "storm", ",", "number0"]
TEXTS = {
    "empty": "",
    "white space": " \t\n\u3000",
    "one word": "cat",
    "unknown words": "quantum chromodynamics",
    "known among unknown": "quantum cat chromodynamics",
    "unknown words with known parts": "catty buttered dogs, rainy nights",
    "one word over and over": "rain " * 300,
    "5,000 words": " ".join(KNOWN[i * i % len(KNOWN)] for i in range(5000)),
    "5,000 unknown words": " ".join(f"w{i}" for i in range(5000)),
    "a long word": "a" * 10_000,
    "capitals": "THE CAT SAT ON THE MAT",
    "emoji": "😀 cat 👨\u200d👩\u200d👧 🇫🇷",
    "decomposed": unicodedata.normalize("NFD", "café cat naïve"),
    "Hindi": "बिल्ली चटाई पर बैठी",
    "Chinese": "猫坐在垫子上",
    "Japanese": "猫がマットの上に座った",
    "Korean": "고양이가 매트 위에 앉았다",
    "Arabic": "جلست القطة على الحصيرة",
    "Thai": "แมวนั่งบนเสื่อ",
    "Greek": "ΓΆΤΑΣ ΧΑΛΊ, γάτα στο χαλί",
    "control characters": "cat\x00dog\x07\ufeff",
    "half a surrogate pair": "\ud83d cat",
    "100,000 characters": " ".join(["cat", "catty", "rain", "unheardof"] * 5_000),
    "100,000 characters without a space": "catty" * 20_000,
}


@pytest.fixture
def session(trained, data_dir, tmp_path):
    """The same model in torch."""
    made = assemble(small_config(trained.model, data_dir, tmp_path), DataDirectory.open(data_dir))
    weights = {name: torch.from_numpy(array.copy()) for name, array in trained.weights.items()}
    made.learner.model.load_state_dict(weights)
    made.learner.model.eval()
    return made


def logits_of_torch(session, trained, texts):
    ids = [trained.tokenizer.encode(text) for text in texts]
    lengths = np.array([len(run) for run in ids])
    examples = Examples(np.concatenate(ids), lengths, np.zeros(len(ids), dtype=np.int64))
    with torch.inference_mode():
        logits = session.learner.model(
            MODELS[trained.model].architecture().collate(examples, inputs=session.setup.features)
        )
    return logits.mean(dim=0).numpy() / trained.temperature


def logits_of_numpy(trained, texts):
    return Classifier(trained).logits(texts)


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_numpy_agrees_with_torch(text, trained, session):
    numpy, reference = logits_of_numpy(trained, [text]), logits_of_torch(session, trained, [text])
    assert numpy.dtype == np.float32
    np.testing.assert_allclose(numpy, reference, rtol=0, atol=1e-5)
    assert numpy.argmax() == reference.argmax()


def test_numpy_agrees_with_torch_on_a_batch_of_all_lengths(trained, session):
    texts = list(TEXTS.values())
    numpy, reference = logits_of_numpy(trained, texts), logits_of_torch(session, trained, texts)
    np.testing.assert_allclose(numpy, reference, rtol=0, atol=1e-5)
    assert (numpy.argmax(axis=1) == reference.argmax(axis=1)).all()
    assert len(np.unique(numpy.round(5), axis=0)) > 5  # they do differ


def test_numpy_agrees_with_torch_on_every_document_of_the_data(trained, session):
    data = session.setup.data
    tokens = data.packed()
    for split, loader in session.batches.items():
        if split in ("train", "refit"):
            continue
        reference, labels = predict(session.learner.model, loader, options=StepOptions(torch.device("cpu"), Softmax()))
        rows = data.rows(split)[loader.batch_sampler.order]
        numpy = trained.raw_logits(*tokens.gather(rows))
        np.testing.assert_allclose(numpy, reference, rtol=0, atol=1e-5)
        assert (data.classes()[rows] == labels).all()


@pytest.mark.parametrize("scale", [10, 1000])
def test_numpy_agrees_with_torch_where_gates_saturate(scale, trained, session):
    with torch.no_grad():
        for name, weight in session.learner.model.named_parameters():
            weight.mul_(scale)
            trained.weights[name][...] = weight
    texts = [text for text in TEXTS.values() if len(text) < 1000]
    numpy, reference = logits_of_numpy(trained, texts), logits_of_torch(session, trained, texts)
    assert np.isfinite(numpy).all()
    np.testing.assert_allclose(numpy, reference, rtol=1e-4, atol=1e-4 * np.abs(reference).max())


def test_neighbours_leave_the_logits_unchanged(trained):
    texts = list(TEXTS.values())
    alone = np.concatenate([logits_of_numpy(trained, [text]) for text in texts])
    np.testing.assert_allclose(logits_of_numpy(trained, texts), alone, rtol=0, atol=1e-5)
    np.testing.assert_allclose(logits_of_numpy(trained, texts[::-1])[::-1], alone, rtol=0, atol=1e-5)


@pytest.mark.parametrize("views", [1, 2, 11])
def test_numpy_agrees_with_torch_on_any_number_of_views(views):
    torch.manual_seed(views)
    model = network.BagMLP(features=50, views=views, classes=3, hidden_size=4, dropout=0.5).eval()
    for output in model.outputs:
        torch.nn.init.normal_(output.bias)
    random = np.random.default_rng(views)
    sizes = random.integers(1, 9, 5 * views)
    offsets = np.cumsum(sizes) - sizes
    features, weights = random.integers(0, 50, sizes.sum()), random.random(sizes.sum(), dtype=np.float32)
    bags = BagInputs(features, offsets, weights)
    nothing = Examples(np.zeros(0), np.zeros(0), np.zeros(5, dtype=np.int64))
    with torch.inference_mode():
        expected = model(network.collate(nothing, inputs=lambda *_: bags)).mean(dim=0)
    arrays = {name: weight.numpy() for name, weight in model.state_dict().items()}
    numpy = MODELS["mlp"].runtime().logits(arrays, bags)
    assert numpy.shape == (5, 3)
    np.testing.assert_allclose(numpy, expected.numpy(), rtol=0, atol=1e-5)
