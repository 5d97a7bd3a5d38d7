"""The forward pass of each model in numpy: predictions start without waiting for torch.

The arithmetic is that of `textclf.models`, line by line, and tests hold the two together. Letters as there: B
documents, V views, N features, T tokens, E embedding size, H hidden size, C classes.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from textclf.text.bag import BagInputs
from textclf.text.sequence import SequenceInputs

Floats = NDArray[np.float32]
Weights = Mapping[str, Floats]


def bag_mlp(weights: Weights, inputs: BagInputs) -> Floats:
    """Logits of `models.bag_mlp.BagMLP`, the mean over its views, shape (B, C)."""
    weighted = weights["embedding.weight"][inputs.features] * inputs.weights[:, None]  # (N, H)
    hidden = np.maximum(np.add.reduceat(weighted, inputs.offsets), 0)  # (V * B, H)
    views = sum(name.startswith("outputs.") and name.endswith(".weight") for name in weights)
    logits = [_linear(weights, f"outputs.{view}", part) for view, part in enumerate(np.split(hidden, views))]
    mean: Floats = np.mean(logits, axis=0)
    return mean


def lstm(weights: Weights, inputs: SequenceInputs) -> Floats:
    """Logits of `models.lstm.LSTMClassifier`, the mean of its two views, shape (B, C)."""
    place = np.arange(inputs.tokens.shape[1])  # (T,)
    inside = place < inputs.lengths[:, None]  # (B, T)
    mirrored = np.take_along_axis(inputs.tokens, np.maximum(inputs.lengths[:, None] - 1 - place, 0), axis=1)  # (B, T)
    directions = (("forwards", inputs.tokens), ("backwards", mirrored))
    states = np.concatenate([_states(weights, name, tokens) for name, tokens in directions], axis=2)  # (B, T, 2H)
    largest = np.where(inside[:, :, None], states, -np.inf).max(axis=1)  # (B, 2H)
    pooled = np.concatenate((largest, _mean(states, inside)), axis=1)  # (B, 4H)
    averaged = _mean(weights["embedding.weight"][inputs.tokens], inside)  # (B, E)
    views = _linear(weights, "output", pooled), _linear(weights, "output_of_mean", averaged)  # each (B, C)
    mean: Floats = np.mean(views, axis=0)
    return mean


FORWARD: Final[Mapping[str, Callable[[Weights, Any], Floats]]] = {"mlp": bag_mlp, "lstm": lstm}
"""Model name to its forward pass."""


def softmax(logits: Floats) -> Floats:
    """Probabilities of each class, rows that add up to 1; shape (B, C)."""
    exponentials: Floats = np.exp(logits - logits.max(axis=1, keepdims=True))
    probabilities: Floats = exponentials / exponentials.sum(axis=1, keepdims=True)
    return probabilities


def _mean(sequence: Floats, inside: NDArray[np.bool_]) -> Floats:
    mean: Floats = (sequence * inside[:, :, None]).sum(axis=1) / inside.sum(axis=1, dtype=np.float32)[:, None]
    return mean


def _linear(weights: Weights, name: str, x: Floats) -> Floats:
    return x @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]


def _states(weights: Weights, name: str, tokens: NDArray[np.int64]) -> Floats:
    """Hidden states of an LSTM that reads from left to right, shape (B, T, H)."""
    embedded = weights["embedding.weight"][tokens]  # (B, T, E)
    bias = weights[f"{name}.bias_ih_l0"] + weights[f"{name}.bias_hh_l0"]
    from_inputs = embedded @ weights[f"{name}.weight_ih_l0"].T + bias  # (B, T, 4H)
    recurrent = weights[f"{name}.weight_hh_l0"].T  # (H, 4H)
    hidden = cell = np.zeros((len(tokens), len(recurrent)), dtype=np.float32)
    states = []
    for step in range(tokens.shape[1]):
        enter, keep, candidate, leave = np.split(from_inputs[:, step] + hidden @ recurrent, 4, axis=1)  # each (B, H)
        cell = _sigmoid(keep) * cell + _sigmoid(enter) * np.tanh(candidate)
        hidden = _sigmoid(leave) * np.tanh(cell)
        states.append(hidden)
    return np.stack(states, axis=1)


def _sigmoid(x: Floats) -> Floats:
    y: Floats = 0.5 * np.tanh(0.5 * x) + 0.5  # unlike 1 / (1 + exp(-x)), never overflows
    return y
