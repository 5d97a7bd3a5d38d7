"""What the numpy forward passes share: array types, softmax, sigmoid, a linear layer."""

from collections.abc import Mapping
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
Number = TypeVar("Number", np.float32, np.float64)
Weights = Mapping[str, Floats]


def softmax(logits: Floats) -> Floats:
    """Probabilities of each class, rows that add up to 1; shape (B, C)."""
    exponentials: Floats = np.exp(logits - logits.max(axis=1, keepdims=True))
    probabilities: Floats = exponentials / exponentials.sum(axis=1, keepdims=True)
    return probabilities


def sigmoid(logits: NDArray[Number]) -> NDArray[Number]:
    """The probability of each class by itself, between 0 and 1, without overflow; of the same shape and type."""
    probabilities: NDArray[Number] = np.exp(-np.logaddexp(logits.dtype.type(0), -logits))
    return probabilities


def linear(weights: Weights, name: str, x: NDArray[Number]) -> NDArray[Number]:
    """A linear layer: x (B, I) to (B, O), computed in the type of x."""
    return x @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]
