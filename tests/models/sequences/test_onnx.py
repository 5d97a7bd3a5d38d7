"""Which tokens are inside their document, run in ONNX Runtime; skipped where that is not installed."""

import numpy as np
import pytest

from textclf.models.onnx_graph import Graph
from textclf.models.sequences.onnx import INPUTS, inside_documents

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")


def test_padding_is_outside():
    graph = Graph({}, scale=None)
    found = inside_documents(graph)
    helper, types = onnx.helper, onnx.TensorProto
    read = [helper.make_tensor_value_info(name, getattr(types, kind), shape) for name, kind, shape in INPUTS]
    made = [helper.make_tensor_value_info(found, types.BOOL, None)]
    whole = helper.make_graph(graph.nodes, "test", read, made, graph.constants)
    model = helper.make_model(whole, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    inside = session.run([found], {"tokens": np.zeros((2, 3), dtype=np.int64), "lengths": np.array([3, 1])})[0]
    assert inside[:, :, 0].tolist() == [[True, True, True], [True, False, False]]
