"""The forward pass of `network.BagMLP` as ONNX nodes.

B documents, V views, N features in all bags, H hidden size, C classes.
"""

from typing import Final

import numpy as np

from textclf.models.onnx_graph import Graph, zeros

INPUTS: Final = (("features", "INT32", ("N",)), ("offsets", "INT64", ("bags",)), ("weights", "FLOAT", ("N",)))


def logits(graph: Graph, temperature: np.float32) -> str:
    """Calibrated logits, (B, C)."""
    views = len(graph.names("outputs.", ".weight"))
    width = graph.weight("outputs.0.weight").shape[1]
    last = graph.constant([1])
    weighted = graph.add("Mul", graph.embed("features"), graph.add("Unsqueeze", "weights", last))  # (N, H)
    begins = graph.add(
        "ScatterElements",
        zeros(graph, graph.add("Shape", "features"), np.int64),
        "offsets",
        graph.add("Expand", graph.constant([1]), graph.add("Shape", "offsets")),
    )  # (N,), 1 where a bag begins
    bag = graph.add("Sub", graph.add("CumSum", begins, graph.constant(np.int64(0))), graph.constant([1]))  # (N,)
    where = graph.add("Expand", graph.add("Unsqueeze", bag, last), graph.add("Shape", weighted))  # (N, H)
    size = graph.add("Concat", graph.add("Shape", "offsets"), graph.constant([width]), axis=0)
    empty = zeros(graph, size, np.float32)
    sums = graph.add("ScatterElements", empty, where, weighted, axis=0, reduction="add")  # (V * B, H)
    hidden = graph.add("Relu", sums)
    parts = [f"view_{view}" for view in range(views)]
    split = graph.add("Reshape", hidden, graph.constant([views, -1, width]))  # (V, B, H)
    for view, part in enumerate(parts):
        graph.add("Gather", split, graph.constant(np.int64(view)), output=part, axis=0)
    of_views = [graph.linear(f"outputs.{view}", part) for view, part in enumerate(parts)]
    return graph.mean(of_views, temperature=temperature)
