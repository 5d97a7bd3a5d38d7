"""The weight of each class in the training loss, for classes of unequal size."""

import json
from collections.abc import Mapping
from math import isfinite
from typing import Final

import numpy as np
from numpy.typing import NDArray

from textclf.config import BALANCED
from textclf.errors import UsageError
from textclf.settings import shown

LARGEST: Final = 1e6


def weigh(given: str, counts: Mapping[str, int], *, documents: int, is_multi: bool) -> NDArray[np.float32]:
    """The weights of C classes with these numbers of training documents, shape (C,).

    "balanced" is scikit-learn's formula: documents / (C * documents of the class); where a document may have several
    labels, each class is balanced against its absence, so that those with it weigh documents without / documents with.
    A JSON object has the weight of each label; labels that it leaves out weigh 1. Raises UsageError for anything else.
    """
    if given != BALANCED:
        return _named(given, list(counts))
    found = np.array(list(counts.values()), dtype=np.float64)
    present = np.maximum(found, 1)  # a label that this tier does not have
    balanced = (documents - found) / present if is_multi else documents / (len(found) * present)
    return np.clip(balanced, 1 / LARGEST, LARGEST).astype(np.float32)


def logit_shift(weights: NDArray[np.float32] | None) -> tuple[float, ...]:
    """What class weights, shape (C,), add to each logit: they multiply the odds that a model learns. None: nothing."""
    return () if weights is None else tuple(np.log(weights).tolist())


def _named(given: str, labels: list[str]) -> NDArray[np.float32]:
    try:
        weights = json.loads(given)
    except ValueError:
        weights = None
    if not isinstance(weights, dict):
        example = f"{{{json.dumps(labels[0])}: 2}}"
        raise UsageError(f"--class-weights {shown(given)}: give none, balanced, or a JSON file such as {example}")
    for label, weight in weights.items():
        if label not in labels:
            raise UsageError(f"--class-weights: no training document has the label {shown(label)}")
        is_number = isinstance(weight, int | float) and not isinstance(weight, bool)
        if not is_number or not isfinite(weight) or not 0 < weight <= LARGEST:
            raise UsageError(f"--class-weights: the weight of {shown(label)} is {shown(weight)}, not a number above 0")
    return np.array([weights.get(label, 1) for label in labels], dtype=np.float32)
