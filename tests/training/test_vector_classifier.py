"""The classifier of vectors."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.conftest import small_config
from textclf.dataset.directory import DataDirectory
from textclf.dataset.vectors import Vectors
from textclf.training import vector_classifier
from textclf.training.loop import StepOptions
from textclf.training.setup import Encoded, set_up


class SomeEncoder:
    """Whatever made the vectors."""

    dimension = 6
    kind = "bert"


def set_up_with(data_dir, tmp_path, *, times=1.0, noise=0.3):
    """A run whose documents have vectors that tell their labels."""
    data = DataDirectory.open(data_dir)
    setup = set_up(small_config("mlp", data_dir, tmp_path), data)
    draw, classes = np.random.default_rng(0), data.classes()
    values = draw.normal(scale=noise, size=(len(classes), SomeEncoder.dimension))
    values[np.arange(len(classes)), classes] += 1
    vectors = Vectors(np.arange(len(classes), dtype=np.int32), (times * values).astype(np.float16))
    return replace(setup, encoded=Encoded(SomeEncoder(), vectors))


def learn(setup, part="train"):
    processor = torch.device("cpu")
    return vector_classifier.learn(setup, part, options=StepOptions(processor, setup.objective(processor)))


def test_it_learns_what_vectors_tell(data_dir, tmp_path):
    setup = set_up_with(data_dir, tmp_path)
    answers = vector_classifier.answers(setup, learn(setup), "validation")
    assert (answers.argmax(axis=1) == setup.parts["validation"].labels).all()


def test_it_repeats_to_the_bit_and_learns_from_the_part(data_dir, tmp_path):
    setup = set_up_with(data_dir, tmp_path)
    first, second, refit = learn(setup).arrays(), learn(setup).arrays(), learn(setup, "refit").arrays()
    assert all(np.array_equal(first[name], second[name]) for name in first)
    assert not np.array_equal(first["hidden.weight"], refit["hidden.weight"])


@pytest.mark.parametrize("times", [1 / 16, 64])
def test_the_size_of_vectors_does_not_matter(times, data_dir, tmp_path):
    """Powers of two: they change no bit of a float."""
    one, other = (set_up_with(data_dir, tmp_path, times=each) for each in (1, times))
    expected = vector_classifier.answers(one, learn(one), "test")
    found = vector_classifier.answers(other, learn(other), "test")
    np.testing.assert_allclose(found, expected, rtol=0.02, atol=0.02)


def test_the_artefact_computes_what_torch_does(data_dir, tmp_path):
    setup = set_up_with(data_dir, tmp_path, times=3)
    made, vectors = learn(setup), setup.encoded.vectors.of(np.arange(20))
    labels = torch.zeros(20, dtype=torch.int64)
    with torch.inference_mode():
        expected = made(vector_classifier.VectorBatch(torch.from_numpy(vectors.astype(np.float32)), labels)).numpy()
    view = vector_classifier.as_view(setup, made, share=0.5)
    np.testing.assert_allclose(view.logits(vectors), expected, rtol=1e-4, atol=1e-4)
    assert view.parameters == sum(parameter.numel() for parameter in made.parameters())
    assert view.is_bundled


def test_of_word_vectors_the_nearest_class_mean_counts_as_much(data_dir, tmp_path, monkeypatch):
    setup = set_up_with(data_dir, tmp_path)
    alone, vectors = learn(setup), setup.encoded.vectors.of(np.arange(20))
    monkeypatch.setattr(SomeEncoder, "kind", "words")
    made = learn(setup)
    assert made.centroids is not None
    of_network = vector_classifier.as_view(setup, alone, share=0.5).logits(vectors)
    of_means = vectors.astype(np.float64) @ made.centroids.weight.T + made.centroids.bias
    found = vector_classifier.as_view(setup, made, share=0.5).logits(vectors)
    np.testing.assert_allclose(found, (of_network + of_means) / 2, rtol=1e-4, atol=1e-4)


def test_a_batch_names_its_first_document(data_dir, tmp_path):
    setup = set_up_with(data_dir, tmp_path)
    batches = vector_classifier.VectorBatches(setup.encoded, setup.parts["train"], setup)
    assert batches.names(0).startswith("train-")
    assert sum(len(batch.labels) for batch in batches) == len(setup.parts["train"])
    assert len(list(batches)) == len(batches)
