"""What the ONNX graphs of models that read tokens in order share. B documents, T tokens."""

from typing import Final

import numpy as np

from textclf.models.onnx_graph import Graph

INPUTS: Final = (("tokens", "INT64", ("B", "T")), ("lengths", "INT64", ("B",)))


def inside_documents(graph: Graph) -> str:
    """Whether a token is one of its document and no padding, shape (B, T, 1)."""
    last = graph.constant([-1])
    count = graph.add("Gather", graph.add("Shape", "tokens"), graph.constant(np.int64(1)))
    place = graph.add("Range", graph.constant(np.int64(0)), count, graph.constant(np.int64(1)))  # (T,)
    return graph.add("Unsqueeze", graph.add("Less", place, graph.add("Unsqueeze", "lengths", last)), last)
