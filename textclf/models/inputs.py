"""What each model reads, in numpy: training and prediction share every line of it."""

from collections.abc import Iterable, Mapping
from typing import Final

from textclf.models.bag_mlp.feature_cache import Batch, Remembered
from textclf.models.bag_mlp.features import Bag
from textclf.models.sequences import Sequences
from textclf.text.tokenizer import Tokenizer

Inputs = Bag | Sequences
"""Turns token ids into what a model reads. A frozen dataclass: its fields are all that an artefact must keep."""

INPUTS: Final[Mapping[str, type[Inputs]]] = {"mlp": Bag, "lstm": Sequences}
"""Model name to its kind of inputs."""


def learn(
    model: str, batches: Iterable[Batch], *, tokenizer: Tokenizer, max_length: int | None
) -> tuple[Inputs, Remembered | Sequences]:
    """Inputs that have learnt from the training documents, and the same for training.

    Those are quicker where a document is read many times: what takes long to make is kept.
    """
    if INPUTS[model] is Bag:
        remembered = Remembered.fit(batches, tokenizer=tokenizer)
        return remembered.bag, remembered
    sequences = Sequences.of(tokenizer, max_length=max_length)
    return sequences, sequences
