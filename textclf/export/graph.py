"""A model as an ONNX graph, for any ONNX Runtime: from token ids to probabilities.

The arithmetic is that of the numpy forward pass; weights stand in the file in few bits.
"""

import json
from typing import Final

import numpy as np

from textclf import __version__
from textclf.artefacts.artefact import Artefact
from textclf.artefacts.quantised import SCALE, quantise
from textclf.errors import UsageError
from textclf.models.onnx_graph import Graph

OPSET: Final = 18
IR_VERSION: Final = 9  # the first ONNX Runtime that reads it is 1.14, of 2023


def need_packages() -> None:
    """Raise UsageError if the extra is not installed."""
    try:
        import onnx  # noqa: F401
        import onnxruntime  # noqa: F401
    except ImportError as error:
        raise UsageError("ONNX needs packages that are not installed: pip install 'textclf[onnx]'") from error


def serialise(trained: Artefact, *, precision: str) -> bytes:
    """The ``.onnx`` file of a model: what the model reads to calibrated ``logits`` and ``probabilities``.

    Raises what `quantise` raises.
    """
    from onnx import TensorProto, checker, helper

    form = trained.kind.onnx_graph()
    if form is None:
        raise UsageError(f"the model {trained.model} has no ONNX graph; export it with --format safetensors")
    stored = quantise(trained.weights, precision)
    graph = Graph(stored, scale=stored.get(SCALE))
    logits = form.logits(graph, np.float32(trained.temperature))
    graph.add("Identity", logits, output="logits")
    graph.add("Softmax", logits, output="probabilities", axis=1)
    inputs = [
        helper.make_tensor_value_info(name, getattr(TensorProto, kind), shape) for name, kind, shape in form.inputs
    ]
    shape = ("B", len(trained.labels))
    outputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in ("logits", "probabilities")]
    whole = helper.make_graph(graph.nodes, f"textclf {trained.model}", inputs, outputs, graph.constants)
    model = helper.make_model(
        whole,
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="textclf",
        producer_version=__version__,
    )
    helper.set_model_props(model, {"labels": json.dumps(trained.labels, ensure_ascii=False)})
    checker.check_model(model)
    content: bytes = model.SerializeToString(deterministic=True)
    return content
