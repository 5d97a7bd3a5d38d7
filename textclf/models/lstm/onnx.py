"""The forward pass of `network.LSTMClassifier` as ONNX nodes.

B documents, T tokens, E embedding size, H hidden size of each direction, C classes.
"""

import numpy as np
from numpy.typing import NDArray

from textclf.models.lstm.predict import DIRECTIONS
from textclf.models.onnx_graph import LOWEST, Graph, inside_documents


def logits(graph: Graph, temperature: np.float32) -> str:
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
    inside = inside_documents(graph)  # (B, T, 1)
    length = graph.add("Unsqueeze", graph.add("Cast", "lengths", to=TensorProto.FLOAT), last)  # (B, 1)

    def mean(sequence: str) -> str:
        kept = graph.add("Where", inside, sequence, graph.constant(np.float32(0)))
        return graph.add("Div", graph.add("ReduceSum", kept, time, keepdims=0), length)

    known = graph.add("Where", inside, states, graph.constant(LOWEST))
    largest = graph.add("ReduceMax", known, time, keepdims=0)  # (B, 2H)
    pooled = graph.add("Concat", largest, mean(states), axis=1)  # (B, 4H)
    of_views = [graph.linear("output", pooled), graph.linear("output_of_mean", mean(embedded))]
    return graph.mean(of_views, temperature=temperature)


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
