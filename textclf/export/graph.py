"""A model as an ONNX graph, for any ONNX Runtime: from what `textclf.text` makes of a text to probabilities.

The arithmetic is that of `textclf.models.arithmetic`. Weights stand in the file in few bits, and are float32 again when
they have been looked up. https://onnx.ai/onnx/operators says what each operator does.

Letters: B documents, V views, N features in all bags, T tokens, E embedding size, H hidden size, C classes.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from textclf import __version__
from textclf.artefacts.artefact import Artefact
from textclf.artefacts.quantised import EMBEDDING, SCALE, quantise
from textclf.artefacts.safetensors import Arrays
from textclf.errors import UsageError
from textclf.models.arithmetic import DIRECTIONS

OPSET: Final = 18
IR_VERSION: Final = 9  # the first ONNX Runtime that reads it is 1.14, of 2023
INPUTS: Final[Mapping[str, tuple[tuple[str, str, tuple[str, ...]], ...]]] = {
    "mlp": (("features", "INT32", ("N",)), ("offsets", "INT64", ("bags",)), ("weights", "FLOAT", ("N",))),
    "lstm": (("tokens", "INT64", ("B", "T")), ("lengths", "INT64", ("B",))),
}
"""Name, type and shape of what a graph reads: the fields of `BagInputs` and of `SequenceInputs`."""
_LOWEST: Final = np.float32(-3e38)


def need_packages() -> None:
    """Raise UsageError if the extra is not installed."""
    try:
        import onnx  # noqa: F401
        import onnxruntime  # noqa: F401
    except ImportError as error:
        raise UsageError("ONNX needs packages that are not installed: pip install 'textclf[onnx]'") from error


def serialise(trained: Artefact, *, precision: str) -> bytes:
    """The ``.onnx`` file of a model: the inputs of `INPUTS` to ``logits``, which are calibrated, and ``probabilities``.

    Raises what `quantise` raises.
    """
    from onnx import TensorProto, checker, helper

    graph = Graph(quantise(trained.weights, precision))
    logits = FORWARD[trained.model](graph, np.float32(trained.temperature))
    graph.add("Identity", logits, output="logits")
    graph.add("Softmax", logits, output="probabilities", axis=1)
    inputs = [
        helper.make_tensor_value_info(name, getattr(TensorProto, kind), shape)
        for name, kind, shape in INPUTS[trained.model]
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


class Graph:
    """Nodes and constants in the order in which they are computed; each is named for what makes it."""

    def __init__(self, stored: Arrays) -> None:
        self._stored = stored
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def add(self, operator: str, *inputs: str, output: str | None = None, **attributes: Any) -> str:
        """Compute something; returns the name of what comes out."""
        from onnx import helper

        name = output or f"{operator}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, inputs, [name], **attributes))
        return name

    def constant(self, array: NDArray[Any] | np.generic | list[int]) -> str:
        """An array; a list is of int64."""
        from onnx import numpy_helper

        name = f"constant_{len(self.constants)}"
        values = np.array(array, dtype=np.int64) if isinstance(array, list) else np.ascontiguousarray(array)
        if np.ndim(array) == 0:
            values = np.reshape(values, ())
        self.constants.append(numpy_helper.from_array(values, name))
        return name

    def weight(self, name: str) -> NDArray[np.float32]:
        """A weight other than the embeddings, as it is used."""
        return self._stored[name].astype(np.float32)

    def embed(self, ids: str) -> str:
        """The embeddings of some ids, in float32, with one axis more."""
        from onnx import TensorProto

        stored = self._stored[EMBEDDING]
        rows = self.add("Gather", self.constant(stored), ids)
        if stored.dtype == np.uint8:
            rows = self._halves(rows)
        if stored.dtype != np.float32:
            rows = self.add("Cast", rows, to=TensorProto.FLOAT)
        if SCALE not in self._stored:
            return rows
        if stored.dtype == np.uint8:
            rows = self.add("Sub", rows, self.constant(np.float32(8)))
        scale = self.add("Gather", self.constant(self._stored[SCALE].astype(np.float32)), ids)
        return self.add("Mul", rows, self.add("Unsqueeze", scale, self.constant([-1])))

    def _halves(self, rows: str) -> str:
        """The halves of each byte, the low one first, on the last axis; not the last of all where that is no number."""
        low = self.add("BitwiseAnd", rows, self.constant(np.uint8(15)))
        high = self.add("BitShift", rows, self.constant(np.uint8(4)), direction="RIGHT")
        last = self.constant([-1])
        both = self.add("Concat", self.add("Unsqueeze", low, last), self.add("Unsqueeze", high, last), axis=-1)
        width = 2 * self._stored[EMBEDDING].shape[1]
        kept = self.add("Shape", rows, end=-1)
        flat = self.add("Reshape", both, self.add("Concat", kept, self.constant([width]), axis=0))
        is_odd = not (self._stored[EMBEDDING][:, -1] >> 4).any()
        if not is_odd:
            return flat
        return self.add("Slice", flat, self.constant([0]), self.constant([width - 1]), last)

    def linear(self, name: str, x: str) -> str:
        """A linear layer."""
        weights = self.constant(self.weight(f"{name}.weight")), self.constant(self.weight(f"{name}.bias"))
        return self.add("Gemm", x, *weights, transB=1)

    def mean(self, logits: list[str], *, temperature: np.float32) -> str:
        """The mean over the views, calibrated."""
        return self.add("Div", self.add("Sum", *logits), self.constant(np.float32(len(logits)) * temperature))

    def names(self, beginning: str, end: str) -> list[str]:
        """Weights that begin and end so."""
        return [name for name in self._stored if name.startswith(beginning) and name.endswith(end)]


def _bag_mlp(graph: Graph, temperature: np.float32) -> str:
    """Calibrated logits, (B, C)."""
    views = len(graph.names("outputs.", ".weight"))
    width = graph.weight("outputs.0.weight").shape[1]
    last = graph.constant([1])
    weighted = graph.add("Mul", graph.embed("features"), graph.add("Unsqueeze", "weights", last))  # (N, H)
    begins = graph.add(
        "ScatterElements",
        _zeros(graph, graph.add("Shape", "features"), np.int64),
        "offsets",
        graph.add("Expand", graph.constant([1]), graph.add("Shape", "offsets")),
    )  # (N,), 1 where a bag begins
    bag = graph.add("Sub", graph.add("CumSum", begins, graph.constant(np.int64(0))), graph.constant([1]))  # (N,)
    where = graph.add("Expand", graph.add("Unsqueeze", bag, last), graph.add("Shape", weighted))  # (N, H)
    size = graph.add("Concat", graph.add("Shape", "offsets"), graph.constant([width]), axis=0)
    empty = _zeros(graph, size, np.float32)
    sums = graph.add("ScatterElements", empty, where, weighted, axis=0, reduction="add")  # (V * B, H)
    hidden = graph.add("Relu", sums)
    parts = [f"view_{view}" for view in range(views)]
    split = graph.add("Reshape", hidden, graph.constant([views, -1, width]))  # (V, B, H)
    for view, part in enumerate(parts):
        graph.add("Gather", split, graph.constant(np.int64(view)), output=part, axis=0)
    logits = [graph.linear(f"outputs.{view}", part) for view, part in enumerate(parts)]
    return graph.mean(logits, temperature=temperature)


def _zeros(graph: Graph, shape: str, dtype: type) -> str:
    from onnx import numpy_helper

    return graph.add("ConstantOfShape", shape, value=numpy_helper.from_array(np.zeros(1, dtype=dtype)))


def _lstm(graph: Graph, temperature: np.float32) -> str:
    """Calibrated logits, (B, C)."""
    from onnx import TensorProto

    hidden = graph.weight(f"{DIRECTIONS[0]}.weight_hh_l0").shape[1]
    last, time = graph.constant([-1]), graph.constant([1])
    embedded = graph.embed("tokens")  # (B, T, E)
    kernels = (graph.constant(np.stack([kernel(graph, name) for name in DIRECTIONS])) for kernel in (_input, _state))
    states = graph.add(
        "LSTM",
        graph.add("Transpose", embedded, perm=[1, 0, 2]),
        *kernels,
        graph.constant(np.stack([_bias(graph, name) for name in DIRECTIONS])),
        graph.add("Cast", "lengths", to=TensorProto.INT32),
        direction="bidirectional",
        hidden_size=hidden,
    )  # (T, 2, B, H)
    states = graph.add("Transpose", states, perm=[2, 0, 1, 3])
    states = graph.add("Reshape", states, graph.constant([0, 0, 2 * hidden]))  # (B, T, 2H)
    count = graph.add("Gather", graph.add("Shape", "tokens"), graph.constant(np.int64(1)))
    place = graph.add("Range", graph.constant(np.int64(0)), count, graph.constant(np.int64(1)))  # (T,)
    is_inside = graph.add("Less", place, graph.add("Unsqueeze", "lengths", last))  # (B, T)
    inside = graph.add("Unsqueeze", is_inside, last)
    length = graph.add("Unsqueeze", graph.add("Cast", "lengths", to=TensorProto.FLOAT), last)  # (B, 1)

    def mean(sequence: str) -> str:
        kept = graph.add("Where", inside, sequence, graph.constant(np.float32(0)))
        return graph.add("Div", graph.add("ReduceSum", kept, time, keepdims=0), length)

    known = graph.add("Where", inside, states, graph.constant(_LOWEST))
    largest = graph.add("ReduceMax", known, time, keepdims=0)  # (B, 2H)
    pooled = graph.add("Concat", largest, mean(states), axis=1)  # (B, 4H)
    logits = [graph.linear("output", pooled), graph.linear("output_of_mean", mean(embedded))]
    return graph.mean(logits, temperature=temperature)


def _gates(array: NDArray[np.float32]) -> NDArray[np.float32]:
    """The gates enter, keep, candidate, leave in ONNX's order: enter, leave, keep, candidate."""
    enter, keep, candidate, leave = np.split(array, 4)
    return np.concatenate((enter, leave, keep, candidate))


def _input(graph: Graph, name: str) -> NDArray[np.float32]:
    return _gates(graph.weight(f"{name}.weight_ih_l0"))


def _state(graph: Graph, name: str) -> NDArray[np.float32]:
    return _gates(graph.weight(f"{name}.weight_hh_l0"))


def _bias(graph: Graph, name: str) -> NDArray[np.float32]:
    return np.concatenate([_gates(graph.weight(f"{name}.bias_{which}_l0")) for which in ("ih", "hh")])


FORWARD: Final[Mapping[str, Callable[[Graph, np.float32], str]]] = {"mlp": _bag_mlp, "lstm": _lstm}
"""Model name to its forward pass."""
