"""The forward pass of `network.CNNClassifier` in numpy. Tests hold the two together.

B documents, T tokens, E embedding size, H filters of each width, C classes.
"""

import numpy as np

from textclf.models.arithmetic import Floats, Weights, linear
from textclf.models.sequences.features import SequenceInputs


def logits(weights: Weights, inputs: SequenceInputs) -> Floats:
    """Logits of `network.CNNClassifier`, shape (B, C)."""
    inside = np.arange(inputs.tokens.shape[1]) < inputs.lengths[:, None]  # (B, T)
    embedded = weights["embedding.weight"][inputs.tokens] * inside[:, :, None]  # (B, T, E), 0 on padding
    kernels = sorted(name for name in weights if name.startswith("convolutions.") and name.endswith(".weight"))
    largest = [_largest(embedded, inside, weights[name], weights[name[:-6] + "bias"]) for name in kernels]
    return linear(weights, "output", np.maximum(np.concatenate(largest, axis=1), 0))


def _largest(embedded: Floats, inside: np.ndarray, kernel: Floats, bias: Floats) -> Floats:
    """The largest value of each filter of a kernel (H, E, width) over the windows of each document, shape (B, H)."""
    documents, tokens, _ = embedded.shape
    filters, _, width = kernel.shape
    maps = np.zeros((documents, tokens, filters), dtype=np.float32)
    for place in range(min(width, tokens)):  # in the window; after the last token it is empty
        maps[:, : tokens - place] += embedded[:, place:] @ kernel[:, :, place].T
    maps[~inside] = -np.inf
    largest: Floats = maps.max(axis=1) + bias
    return largest
