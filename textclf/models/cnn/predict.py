"""What predicts without torch: the forward pass of `network.CNNClassifier` in numpy and as ONNX nodes.

Tests hold the three passes together.

B documents, T tokens, P pieces of a token, E embedding size, H filters of each width, C classes.
"""

import numpy as np
from numpy.typing import NDArray

from textclf.models.arithmetic import Floats, Weights, linear
from textclf.models.onnx_graph import LOWEST, Graph, inside_documents
from textclf.models.sequences.embedding import embed, onnx_embed
from textclf.models.sequences.features import SequenceInputs


def logits(weights: Weights, inputs: SequenceInputs) -> Floats:
    """Logits of `network.CNNClassifier`, shape (B, C)."""
    inside = np.arange(inputs.tokens.shape[1]) < inputs.lengths[:, None]  # (B, T)
    embedded = embed(weights, inputs.tokens) * inside[:, :, None]  # (B, T, E), 0 on padding
    kernels = sorted(name for name in weights if name.startswith("convolutions.") and name.endswith(".weight"))
    largest = [_largest(embedded, inside, weights[name], weights[name[:-6] + "bias"]) for name in kernels]
    return linear(weights, "output", np.maximum(np.concatenate(largest, axis=1), 0))


def _largest(embedded: Floats, inside: NDArray[np.bool_], kernel: Floats, bias: Floats) -> Floats:
    """The largest value of each filter of a kernel (H, E, width) over the windows of each document, shape (B, H)."""
    documents, tokens, _ = embedded.shape
    filters, _, width = kernel.shape
    maps = np.zeros((documents, tokens, filters), dtype=np.float32)
    for place in range(min(width, tokens)):  # in the window; after the last token it is empty
        maps[:, : tokens - place] += embedded[:, place:] @ kernel[:, :, place].T
    maps[~inside] = -np.inf
    largest: Floats = maps.max(axis=1) + bias
    return largest


def onnx_logits(graph: Graph, temperature: np.float32) -> str:
    """Calibrated logits, (B, C)."""
    inside = inside_documents(graph)  # (B, T, 1)
    embedded = graph.add("Where", inside, onnx_embed(graph), graph.constant(np.float32(0)))  # (B, T, E)
    channels = graph.add("Transpose", embedded, perm=[0, 2, 1])  # (B, E, T)
    is_window = graph.add("Transpose", inside, perm=[0, 2, 1])  # (B, 1, T)
    largest = []
    for name in graph.names("convolutions.", ".weight"):
        kernel = graph.weight(name)  # (H, E, width)
        arrays = graph.constant(kernel), graph.constant(graph.weight(f"{name.removesuffix('weight')}bias"))
        maps = graph.add("Conv", channels, *arrays, pads=[0, kernel.shape[2] - 1])  # (B, H, T)
        kept = graph.add("Where", is_window, maps, graph.constant(LOWEST))
        largest.append(graph.add("ReduceMax", kept, graph.constant([2]), keepdims=0))  # (B, H)
    pooled = graph.add("Relu", graph.add("Concat", *largest, axis=1))  # (B, 3H)
    return graph.mean([graph.linear("output", pooled)], temperature=temperature)
