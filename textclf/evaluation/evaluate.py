"""Score a finished model on a split of the data it was trained from, as it will predict: in numpy, without torch."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from textclf import runs
from textclf.errors import UsageError
from textclf.evaluation.metrics import Metrics, measure, per_class
from textclf.inference import artefact
from textclf.inference.runtime import FORWARD
from textclf.store.directory import DataDirectory

BATCH: Final = 256  # documents


@dataclass(frozen=True, slots=True)
class Evaluation:
    """How well a run's model does on a split."""

    run: str
    corpus: str
    split: str
    metrics: Metrics
    classes: list[dict[str, Any]]
    """Label, precision, recall, f1 and documents of each class."""


def evaluate(run: Path, *, split: str) -> Evaluation:
    """Predict the documents of a split and compare with their labels.

    Raises UsageError if there is no such run or split, or if the data was made anew since; ArtefactError on damage.
    """
    found = runs.resolve(run)
    trained = artefact.load(found.model)
    root, fingerprint = runs.data_of(found)
    data = DataDirectory.open(root, fingerprint=fingerprint)
    rows = data.rows(split)
    if not len(rows):
        raise UsageError(f"{data.layout.root} has no {split} split")
    tokens = data.packed()
    batches = (tokens.gather(rows[start : start + BATCH]) for start in range(0, len(rows), BATCH))
    logits = np.concatenate([FORWARD[trained.model](trained.weights, trained.inputs(*batch)) for batch in batches])
    labels = data.classes()[rows]
    return Evaluation(
        found.root.name, data.manifest.name, split, measure(labels, logits), per_class(labels, logits, trained.labels)
    )
