"""Text to numbers, in numpy: training and prediction share every line of it."""

from collections.abc import Mapping
from typing import Final

from textclf.text.bag import Bag
from textclf.text.sequence import Sequences

Inputs = Bag | Sequences
"""Turns token ids into what a model reads. A frozen dataclass: its fields are all that an artefact must keep."""

INPUTS: Final[Mapping[str, type[Inputs]]] = {"mlp": Bag, "lstm": Sequences}
"""Model name to its kind of inputs."""
