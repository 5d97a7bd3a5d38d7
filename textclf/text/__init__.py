"""Text to numbers, in numpy: training and prediction share every line of it."""

from collections.abc import Mapping
from typing import Final

from textclf.text.bag import Bag
from textclf.text.remembered import Remembered
from textclf.text.sequence import Sequences

Inputs = Bag | Sequences
"""Turns token ids into what a model reads. A frozen dataclass: its fields are all that an artefact must keep.

``fit`` learns it from the training documents.
"""

INPUTS: Final[Mapping[str, type[Inputs]]] = {"mlp": Bag, "lstm": Sequences}
"""Model name to its kind of inputs."""


def remembering(inputs: Inputs) -> Remembered | Sequences:
    """The same inputs, for training, where each document is read many times: those that take long are kept."""
    return Remembered(inputs) if isinstance(inputs, Bag) else inputs
