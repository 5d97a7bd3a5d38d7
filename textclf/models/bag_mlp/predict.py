"""The forward pass of `network.BagMLP` in numpy, and what each token contributes. Tests hold the two passes together.

B documents, V views, N features, H hidden size, C classes.
"""

import numpy as np
from numpy.typing import NDArray

from textclf.models.arithmetic import Doubles, Floats, Weights, linear
from textclf.models.bag_mlp.features import Bag, BagInputs
from textclf.models.model import Contributions


def logits(weights: Weights, inputs: BagInputs) -> Floats:
    """Logits of `network.BagMLP`, the mean over its views, shape (B, C)."""
    hidden = np.maximum(_weighted_sums(weights["embedding.weight"], inputs), 0)  # (V * B, H)
    views = sum(name.startswith("outputs.") and name.endswith(".weight") for name in weights)
    views_logits = [linear(weights, f"outputs.{view}", part) for view, part in enumerate(np.split(hidden, views))]
    mean: Floats = np.mean(views_logits, axis=0)
    return mean


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
    its embedding times the outputs of the active units. A word gets what it adds itself, half of what its pairs add,
    and what its subwords add; a feature that occurs several times is shared out evenly. The rest is the bias.
    """
    bags = features(ids, np.array([len(ids)]))
    added = np.zeros(len(features.rarity))  # by each feature of the text to the margin
    margin = rest = 0.0
    for view, (start, end) in enumerate(zip(bags.offsets, [*bags.offsets[1:], len(bags.features)], strict=True)):
        found, worth = bags.features[start:end], bags.weights[start:end]
        rows = weights["embedding.weight"][found].astype(np.float64)  # (N, H)
        hidden = worth @ rows  # (H,)
        output = against @ weights[f"outputs.{view}.weight"] / features.views  # (H,)
        added[found] = worth * (rows @ np.where(hidden > 0, output, 0))
        bias = float(against @ weights[f"outputs.{view}.bias"]) / features.views
        margin += float(np.maximum(hidden, 0) @ output) + bias
        rest += bias
    occurrences = features.occurrences(ids)
    total = np.bincount(occurrences.features, occurrences.shares, minlength=len(added))
    shares = occurrences.shares * added[occurrences.features] / total[occurrences.features]
    tokens = int((ids < len(features.vocabulary)).sum())
    return Contributions(margin, rest, np.bincount(occurrences.tokens, shares, minlength=tokens).astype(np.float64))
