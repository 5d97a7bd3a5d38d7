"""The nodes that the graphs of the models share, run in ONNX Runtime; skipped where that is not installed."""

import numpy as np
import pytest

from textclf.artefacts.weight_files import PRECISIONS, SCALES, quantise, restore
from textclf.models.model import EMBEDDING
from textclf.models.onnx_graph import Graph, inside_documents, zeros

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")


def run(graph, output, kind=None, **inputs):
    helper, types = onnx.helper, onnx.TensorProto
    read = [helper.make_tensor_value_info(name, types.INT64, array.shape) for name, array in inputs.items()]
    made = [helper.make_tensor_value_info(output, kind or types.FLOAT, None)]
    whole = helper.make_graph(graph.nodes, "test", read, made, graph.constants)
    model = helper.make_model(whole, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run([output], inputs)[0]


@pytest.mark.parametrize("width", [1, 4, 5])
@pytest.mark.parametrize("precision", PRECISIONS)
def test_embeddings_are_those_of_the_stored_weights(precision, width):
    weights = {EMBEDDING: np.random.default_rng(0).normal(0, 1, (6, width)).astype(np.float32)}
    stored = quantise(weights, precision)
    graph = Graph(stored, scales={EMBEDDING: stored[SCALES[EMBEDDING]]} if SCALES[EMBEDDING] in stored else {})
    ids = np.array([[5, 0], [2, 2]])
    found = run(graph, graph.embed("ids"), ids=ids)
    np.testing.assert_allclose(found, restore(stored)[EMBEDDING][ids], rtol=1e-6)


def test_zeros_have_the_shape_that_is_computed():
    graph = Graph({})
    assert run(graph, zeros(graph, "shape", np.float32), shape=np.array([2, 3])).shape == (2, 3)


def test_the_mean_over_views_is_calibrated():
    graph = Graph({})
    ones, threes = (graph.constant(np.full((1, 2), value, dtype=np.float32)) for value in (1, 3))
    assert run(graph, graph.mean([ones, threes], temperature=np.float32(4))).tolist() == [[0.5, 0.5]]


def test_padding_is_outside_a_document():
    graph = Graph({})
    tokens, lengths = np.zeros((2, 3), dtype=np.int64), np.array([3, 1])
    inside = run(graph, inside_documents(graph), onnx.TensorProto.BOOL, tokens=tokens, lengths=lengths)
    assert inside[:, :, 0].tolist() == [[True, True, True], [True, False, False]]
