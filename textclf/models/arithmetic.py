"""What the numpy forward passes share: array types, softmax, a linear layer."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
Weights = Mapping[str, Floats]


def softmax(logits: Floats) -> Floats:
    """Probabilities of each class, rows that add up to 1; shape (B, C)."""
    exponentials: Floats = np.exp(logits - logits.max(axis=1, keepdims=True))
    probabilities: Floats = exponentials / exponentials.sum(axis=1, keepdims=True)
    return probabilities


def linear(weights: Weights, name: str, x: Floats) -> Floats:
    """A linear layer: x (B, I) to (B, O)."""
    return x @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]
