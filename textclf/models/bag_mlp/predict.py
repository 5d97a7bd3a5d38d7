"""What predicts without torch: the forward pass of `network.BagMLP` in numpy and as ONNX nodes; contributions.

Tests hold the three passes together.

B documents, V views, N features, H hidden size, C classes.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from textclf.models.arithmetic import Doubles, Floats, Weights, linear
from textclf.models.bag_mlp.features import Bag, BagInputs
from textclf.models.model import EMBEDDING, LINEAR, LINEAR_BIAS, Contributions
from textclf.models.onnx_graph import Graph, zeros

ONNX_INPUTS: Final = (("features", "INT32", ("N",)), ("offsets", "INT64", ("bags",)), ("weights", "FLOAT", ("N",)))


def logits(weights: Weights, inputs: BagInputs) -> Floats:
    """Logits of `network.BagMLP`, the mean over its views and those of the linear classifier, shape (B, C).

    The output layers are computed in float64 and rounded: BLAS adds in another order for another B, and in float32 a
    text alone would have another probability than in a batch.
    """
    hidden = np.maximum(_weighted_sums(weights[EMBEDDING], inputs), 0).astype(np.float64)  # (V * B, H)
    views = sum(name.startswith("outputs.") and name.endswith(".weight") for name in weights)
    views_logits = [linear(weights, f"outputs.{view}", part) for view, part in enumerate(np.split(hidden, views))]
    mean = np.mean(views_logits, axis=0)
    if _has_linear(weights):
        sums = _weighted_sums(weights[LINEAR], inputs).astype(np.float64)  # (V * B, C)
        mean += sums.reshape(views, *mean.shape).sum(axis=0) + weights[LINEAR_BIAS]
    found: Floats = mean.astype(np.float32)
    return found


def _has_linear(weights: Weights) -> bool:
    """Whether there is a linear classifier beside the network: both of its arrays, or a file is damaged."""
    return LINEAR in weights or LINEAR_BIAS in weights


def _weighted_sums(embedding: Floats, inputs: BagInputs) -> Floats:
    """The weighted sum of the embeddings of each bag, shape (V * B, H).

    A bag at a time: its rows stay in the processor's cache, and BLAS weighs and adds them, five times as fast as
    `numpy.add.reduceat` over those of all bags.
    """
    ends = [*inputs.offsets[1:].tolist(), len(inputs.features)]
    sums = np.empty((len(ends), embedding.shape[1]), dtype=np.float32)
    for bag, (start, end) in enumerate(zip(inputs.offsets.tolist(), ends, strict=True)):
        rows = embedding.take(inputs.features[start:end], axis=0)
        np.dot(inputs.weights[start:end], rows, out=sums[bag])
    return sums


def contributions(weights: Weights, features: Bag, ids: NDArray[np.int32], against: Doubles) -> Contributions:
    """Take ``against @ logits`` of one document apart, exactly.

    With the hidden units that are active for this document the network is linear: each feature adds its weight times
    its embedding times the outputs of the active units, and its weight times its logits in the linear classifier. A
    word gets what it adds itself, its share of what its pairs and runs add, and what its subwords add; a feature that
    occurs several times is shared out evenly. The rest is the bias.
    """
    bags = features(ids, np.array([len(ids)]))
    added = np.zeros(len(features.rarity))  # by each feature of the text to the margin
    margin = rest = 0.0
    for view, (start, end) in enumerate(zip(bags.offsets, [*bags.offsets[1:], len(bags.features)], strict=True)):
        found, worth = bags.features[start:end], bags.weights[start:end]
        rows = weights[EMBEDDING][found].astype(np.float64)  # (N, H)
        hidden = worth @ rows  # (H,)
        output = against @ weights[f"outputs.{view}.weight"] / features.views  # (H,)
        added[found] = worth * (rows @ np.where(hidden > 0, output, 0))
        bias = float(against @ weights[f"outputs.{view}.bias"]) / features.views
        margin += float(np.maximum(hidden, 0) @ output) + bias
        rest += bias
        if _has_linear(weights):
            direct = worth * (weights[LINEAR][found] @ against)  # (N,)
            added[found] += direct
            margin += float(direct.sum())
    if _has_linear(weights):
        bias = float(against @ weights[LINEAR_BIAS])
        margin, rest = margin + bias, rest + bias
    occurrences = features.occurrences(ids)
    total = np.bincount(occurrences.features, occurrences.shares, minlength=len(added))
    shares = occurrences.shares * added[occurrences.features] / total[occurrences.features]
    tokens = int((ids < len(features.vocabulary)).sum())
    return Contributions(margin, rest, np.bincount(occurrences.tokens, shares, minlength=tokens).astype(np.float64))


def onnx_logits(graph: Graph, temperature: np.float32) -> str:
    """Calibrated logits, (B, C)."""
    views = len(graph.names("outputs.", ".weight"))
    width = graph.weight("outputs.0.weight").shape[1]
    last = graph.constant([1])
    begins = graph.add(
        "ScatterElements",
        zeros(graph, graph.add("Shape", "features"), np.int64),
        "offsets",
        graph.add("Expand", graph.constant([1]), graph.add("Shape", "offsets")),
    )  # (N,), 1 where a bag begins
    bag = graph.add("Sub", graph.add("CumSum", begins, graph.constant(np.int64(0))), graph.constant([1]))  # (N,)
    column = graph.add("Unsqueeze", bag, last)  # (N, 1)

    def sums(table: str, width: int) -> str:
        """The weighted sums of a table's rows, (V * B, width)."""
        weighted = graph.add("Mul", graph.embed("features", table), graph.add("Unsqueeze", "weights", last))
        where = graph.add("Expand", column, graph.add("Shape", weighted))  # (N, width)
        size = graph.add("Concat", graph.add("Shape", "offsets"), graph.constant([width]), axis=0)
        return graph.add("ScatterElements", zeros(graph, size, np.float32), where, weighted, axis=0, reduction="add")

    hidden = graph.add("Relu", sums(EMBEDDING, width))
    parts = [f"view_{view}" for view in range(views)]
    split = graph.add("Reshape", hidden, graph.constant([views, -1, width]))  # (V, B, H)
    for view, part in enumerate(parts):
        graph.add("Gather", split, graph.constant(np.int64(view)), output=part, axis=0)
    of_views = [graph.linear(f"outputs.{view}", part) for view, part in enumerate(parts)]
    if not graph.names("linear.", "bias"):
        return graph.mean(of_views, temperature=temperature)
    bias = graph.weight(LINEAR_BIAS)
    direct = graph.add("Reshape", sums(LINEAR, len(bias)), graph.constant([views, -1, len(bias)]))  # (V, B, C)
    own = graph.add("Add", graph.add("ReduceSum", direct, graph.constant([0]), keepdims=0), graph.constant(bias))
    mean = graph.mean(of_views, temperature=temperature)
    return graph.add("Add", mean, graph.add("Div", own, graph.constant(temperature)))
