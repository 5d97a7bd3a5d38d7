"""What a finished model says of every document of a split, as it will predict: in numpy, without torch."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from textclf import runs
from textclf.errors import UsageError
from textclf.inference import artefact
from textclf.inference.artefact import Artefact
from textclf.inference.runtime import FORWARD, softmax
from textclf.store import tensors
from textclf.store.directory import DataDirectory

BATCH: Final = 256  # documents
SHOWN: Final = 60  # tokens of a document that are shown


@dataclass(frozen=True, slots=True)
class Predictions:
    """D documents of a split, and what a run's model says of them."""

    run: str
    data: DataDirectory
    split: str
    rows: NDArray[np.int64]
    """Shape (D,), places in documents.parquet."""
    labels: NDArray[np.int64]
    """Shape (D,), class indices; negative for a label that the training split does not have."""
    raw: NDArray[np.float32]
    """Logits as the model gives them, shape (D, C)."""
    trained: Artefact

    @property
    def logits(self) -> NDArray[np.float32]:
        """Logits that are calibrated: divided by the temperature."""
        calibrated: NDArray[np.float32] = self.raw / np.float32(self.trained.temperature)
        return calibrated

    @property
    def probabilities(self) -> NDArray[np.float32]:
        """Calibrated probabilities, shape (D, C)."""
        return softmax(self.logits)

    @property
    def names(self) -> list[str]:
        """Label names by class index."""
        return self.trained.labels

    @property
    def answers(self) -> NDArray[np.int64]:
        """Shape (D,), the class that the model finds most probable."""
        answers: NDArray[np.int64] = self.raw.argmax(axis=1)
        return answers

    def label(self, place: int) -> str:
        """The name of a document's own label."""
        return str(self.data.documents.label[self.rows[place]])

    def document(self, place: int) -> str:
        """The id of a document."""
        return str(self.data.documents.id[self.rows[place]])

    def text(self, place: int, *, most: int = SHOWN) -> str:
        """The words of a document as the model reads them; the data directory does not keep texts."""
        words = self.trained.tokenizer.words
        tokens = tensors.read(self.data.layout.tensor(self.document(place)))
        known = [words[token] for token in tokens.tolist() if token < len(words)]
        return " ".join(known[:most]) + (" …" if len(known) > most else "")

    def mistakes(self, most: int) -> list[int]:
        """Places of the documents that the model gets wrong, those first that it is surest of."""
        wrong = np.flatnonzero(self.answers != self.labels)
        sure = self.probabilities.max(axis=1)
        places: list[int] = wrong[np.argsort(-sure[wrong], kind="stable")][:most].tolist()
        return places


def predict(run: Path, *, split: str) -> Predictions:
    """Predict every document of a split.

    Raises UsageError if there is no such run or split, or if the data was made anew since; ArtefactError on damage.
    """
    found = runs.resolve(run)
    trained = artefact.load(found.model)
    made = runs.data_of(found)
    data = DataDirectory.open(made.path, fingerprint=made.fingerprint, described=made.described)
    rows = data.rows(split)
    if not len(rows):
        raise UsageError(f"{data.layout.root} has no {split} split")
    tokens = data.packed()
    batches = (tokens.gather(rows[start : start + BATCH]) for start in range(0, len(rows), BATCH))
    raw = np.concatenate([FORWARD[trained.model](trained.weights, trained.inputs(*batch)) for batch in batches])
    return Predictions(found.root.name, data, split, rows, data.classes()[rows], raw, trained)
