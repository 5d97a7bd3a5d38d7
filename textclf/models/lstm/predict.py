"""What predicts without torch: the forward pass of `network.LSTMClassifier` in numpy and as ONNX nodes.

Tests hold the three passes together.

B documents, T tokens, P pieces of a token, E embedding size, H hidden size of each direction, C classes.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from textclf.models.arithmetic import Floats, Weights, linear
from textclf.models.model import EMBEDDING
from textclf.models.onnx_graph import LOWEST, Graph, inside_documents
from textclf.models.sequences.embedding import embed, onnx_embed
from textclf.models.sequences.features import SequenceInputs

DIRECTIONS: Final = ("forwards", "backwards")
"""Names of the two LSTMs."""


def logits(weights: Weights, inputs: SequenceInputs) -> Floats:
    """Logits of `network.LSTMClassifier`, the mean of its two views, shape (B, C)."""
    order = np.argsort(-inputs.lengths, kind="stable")  # longest first: those not yet at their end are the first rows
    tokens, lengths = inputs.tokens[order], inputs.lengths[order]
    largest, states, embedded = _read_both_ways(weights, tokens, lengths)
    pooled = np.concatenate((largest, states / lengths[:, None]), axis=1, dtype=np.float32)  # (B, 4H)
    averaged = (embedded / lengths[:, None]).astype(np.float32)  # (B, E)
    views = linear(weights, "output", pooled), linear(weights, "output_of_mean", averaged)  # each (B, C)
    mean = np.empty_like(views[0])
    mean[order] = np.mean(views, axis=0)
    return mean


def _read_both_ways(
    weights: Weights, tokens: NDArray[np.int64], lengths: NDArray[np.int64]
) -> tuple[Floats, Floats, Floats]:
    """Read documents, the longest first, from left to right and from right to left, a token a step.

    Returns over the steps of each document: the largest and the sum of its states, each of shape (B, 2H), and the sum
    of its embeddings, shape (B, E).
    """
    kernels = np.stack([_kernel(weights, name) for name in DIRECTIONS])
    documents, sizes = len(tokens), (weights[EMBEDDING].shape[1], kernels.shape[2] // 4)  # E, H
    place = np.arange(tokens.shape[1])  # (T,)
    mirrored = np.take_along_axis(tokens, np.maximum(lengths[:, None] - 1 - place, 0)[:, :, None], axis=1)
    both = np.stack((tokens, mirrored)).transpose(2, 0, 1, 3)  # (T, 2, B, P)
    enters = np.ones((2, documents, sum(sizes) + 1), dtype=np.float32)  # a token's embedding, the last state, and 1
    enters[..., sizes[0] : -1] = 0
    gates = np.empty((2, documents, kernels.shape[2]), dtype=np.float32)
    cells, total = np.zeros((2, 2, documents, sizes[1]), dtype=np.float32)
    largest, embedded = np.full_like(total, -np.inf), np.zeros((documents, sizes[0]), dtype=np.float32)
    for step, reading in enumerate((lengths[:, None] > place).sum(axis=0).tolist()):
        entering = enters[:, :reading]
        entering[..., : sizes[0]] = embed(weights, both[step, :, :reading])
        embedded[:reading] += entering[0, :, : sizes[0]]
        states = _step(np.matmul(entering, kernels, out=gates[:, :reading]), cells[:, :reading])
        entering[..., sizes[0] : -1] = states
        np.maximum(largest[:, :reading], states, out=largest[:, :reading])
        total[:, :reading] += states
    return np.concatenate(largest, axis=1), np.concatenate(total, axis=1), embedded


def _kernel(weights: Weights, name: str) -> Floats:
    """What makes the gates of an LSTM from an embedding, a state and a 1, shape (E + H + 1, 4H).

    They stand in the order enter, keep, leave, candidate. What makes the first three is halved, since ``sigmoid(x) =
    tanh(x / 2) / 2 + 1 / 2``, which unlike ``1 / (1 + exp(-x))`` never overflows.
    """
    bias = weights[f"{name}.bias_ih_l0"] + weights[f"{name}.bias_hh_l0"]
    whole = np.concatenate((weights[f"{name}.weight_ih_l0"], weights[f"{name}.weight_hh_l0"], bias[:, None]), axis=1)
    enter, keep, candidate, leave = np.split(whole, 4)
    return np.ascontiguousarray(np.concatenate((enter / 2, keep / 2, leave / 2, candidate)).T)


def _step(gates: Floats, cells: Floats) -> Floats:
    """The next states of an LSTM, shape (2, B, H); changes both of its arguments."""
    np.tanh(gates, out=gates)
    size = cells.shape[2]
    gates[..., : 3 * size] *= 0.5
    gates[..., : 3 * size] += 0.5
    enter, keep, leave, candidate = np.split(gates, 4, axis=2)
    cells *= keep
    cells += np.multiply(enter, candidate, out=enter)
    states = np.tanh(cells)
    states *= leave
    return states


def onnx_logits(graph: Graph, temperature: np.float32) -> str:
    """Calibrated logits, (B, C)."""
    from onnx import TensorProto

    hidden = graph.weight(f"{DIRECTIONS[0]}.weight_hh_l0").shape[1]
    last, time = graph.constant([-1]), graph.constant([1])
    embedded = onnx_embed(graph)  # (B, T, E)
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
