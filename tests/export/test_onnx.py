"""The ONNX graphs, run in ONNX Runtime; skipped where that is not installed."""

import json
import sys
from dataclasses import replace

import numpy as np
import pytest

from textclf.artefacts.weight_files import PRECISIONS, quantise, restore
from textclf.errors import UsageError
from textclf.export import onnx as export
from textclf.models.arithmetic import softmax
from textclf.models.model import EMBEDDING, LINEAR

TEXTS = ["the cat sat on the mat number3", "bread with butter and jam", "", "unheardof catty", "wind " * 50, "a dog"]


def logits_of(trained, texts):
    return trained.logits(*trained.tokenizer.encode_all(texts))


def inputs_of(trained, texts):
    ids = [trained.tokenizer.encode(text) for text in texts]
    return trained.inputs(np.concatenate(ids), np.array([len(run) for run in ids]))


@pytest.fixture
def onnx():
    pytest.importorskip("onnxruntime")
    return pytest.importorskip("onnx")


def run(content, inputs):
    import onnxruntime

    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    return session.run(["logits", "probabilities"], inputs._asdict())


@pytest.mark.parametrize("precision", PRECISIONS)
def test_it_is_equal_to_the_numpy_runtime(precision, trained, onnx):
    rounded = replace(trained, weights=restore(quantise(trained.weights, precision)))
    content = export.serialise(trained, precision=precision)
    for texts in (TEXTS, TEXTS[:1], [""]):
        inputs = inputs_of(trained, texts)
        expected = logits_of(rounded, texts)
        logits, probabilities = run(content, inputs)
        assert logits.shape == (len(texts), len(trained.labels))
        np.testing.assert_allclose(logits, expected, atol=1e-4)
        np.testing.assert_allclose(probabilities, softmax(expected), atol=1e-4)


def test_an_odd_width_of_int4_is_equal_too(run_dir, trained, onnx):
    if trained.model != "mlp":
        pytest.skip("the width of the lstm's embeddings is in its kernels")
    narrow = {
        name: array if name.endswith("bias") or name == LINEAR else np.ascontiguousarray(array[:, :-1])
        for name, array in trained.weights.items()
    }
    odd = replace(trained, weights=narrow)
    assert odd.weights[EMBEDDING].shape[1] % 2 == 1
    expected = logits_of(replace(odd, weights=restore(quantise(narrow, "int4"))), TEXTS)
    logits, _ = run(export.serialise(odd, precision="int4"), inputs_of(odd, TEXTS))
    np.testing.assert_allclose(logits, expected, atol=1e-4)


def test_random_weights_are_equal(trained, onnx):
    """Those of two epochs are small; these let each gate open and shut."""
    random = np.random.default_rng(0)
    weights = {name: random.normal(0, 1, array.shape).astype(np.float32) for name, array in trained.weights.items()}
    wild = replace(trained, weights=weights)
    texts = [" ".join(random.choice(trained.tokenizer.words[2:], count)) for count in random.integers(1, 40, 30)]
    inputs = inputs_of(wild, texts)
    expected = logits_of(wild, texts)
    logits, _ = run(export.serialise(wild, precision="float32"), inputs)
    np.testing.assert_allclose(logits, expected, atol=1e-4, rtol=1e-5)


def test_the_file_says_what_it_reads_and_gives_and_is_the_same_twice(trained, onnx):
    content = export.serialise(trained, precision="int8")
    assert content == export.serialise(trained, precision="int8")
    model = onnx.load_model_from_string(content)
    assert [each.name for each in model.graph.input] == [name for name, _, _ in trained.kind.onnx_graph().inputs]
    assert [each.name for each in model.graph.output] == ["logits", "probabilities"]
    assert {each.key: json.loads(each.value) for each in model.metadata_props} == {"labels": trained.labels}


@pytest.mark.parametrize("package", ["onnx", "onnxruntime"])
def test_without_the_extra_one_line_says_how_to_install_it(package, monkeypatch):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(UsageError, match=f"ONNX needs {package}, which is not installed: pip install {package}$"):
        export.need_packages()
