"""The forward pass of `network.CNNClassifier` as ONNX nodes.

B documents, T tokens, E embedding size, H filters of each width, C classes.
"""

import numpy as np

from textclf.models.onnx_graph import LOWEST, Graph, inside_documents


def logits(graph: Graph, temperature: np.float32) -> str:
    """Calibrated logits, (B, C)."""
    inside = inside_documents(graph)  # (B, T, 1)
    embedded = graph.add("Where", inside, graph.embed("tokens"), graph.constant(np.float32(0)))  # (B, T, E)
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
