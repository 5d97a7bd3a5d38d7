"""Texts to labels with a trained model. Knows nothing about torch, corpora or data directories."""

from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from textclf import runs
from textclf.errors import UsageError
from textclf.inference import artefact
from textclf.inference.artefact import Artefact
from textclf.inference.runtime import FORWARD, Floats, softmax

BATCH: Final = 64  # texts that go through the model together


class Score(NamedTuple):
    """A label and how sure the model is of it."""

    label: str
    probability: float
    """Between 0 and 1; those of all labels add up to 1."""


class Prediction(NamedTuple):
    """The answer for one text."""

    label: str
    probability: float
    top: tuple[Score, ...]
    """The most probable labels, best first."""


class Classifier:
    """A trained model, ready for texts."""

    def __init__(self, trained: Artefact) -> None:
        self.labels = trained.labels
        self._trained = trained

    def predict(self, texts: str | Iterable[str], *, top_k: int = 1) -> list[Prediction]:
        """Classify the texts (or the one text); one prediction each, in their order.

        An empty text, or one without any known word, is answered too: with what the model says when it sees nothing.
        """
        return list(self.stream([texts] if isinstance(texts, str) else texts, top_k=top_k))

    def stream(self, texts: Iterable[str], *, top_k: int = 1) -> Iterator[Prediction]:
        """Classify texts as they come, a batch at a time; raises UsageError if ``top_k`` is below 1."""
        if top_k < 1:
            raise UsageError(f"top_k must be at least 1, not {top_k}")
        for batch in _batched(texts, BATCH):
            for row in softmax(self.logits(batch)):
                best = np.argsort(-row, kind="stable")[:top_k]
                top = tuple(Score(self.labels[place], float(row[place])) for place in best)
                yield Prediction(*top[0], top)

    def logits(self, texts: list[str]) -> Floats:
        """Calibrated logits of each class, shape (texts, classes): their softmax says how often the model is right."""
        ids = [self._trained.tokenizer.encode(text) for text in texts]
        inputs = self._trained.inputs(np.concatenate(ids), np.array([len(run) for run in ids]))
        return FORWARD[self._trained.model](self._trained.weights, inputs) / np.float32(self._trained.temperature)


def _batched(texts: Iterable[str], size: int) -> Iterator[list[str]]:
    rest = iter(texts)
    while batch := list(islice(rest, size)):
        yield batch


def load_model(path: str | Path = "runs/latest") -> Classifier:
    """The classifier in a run directory or in its ``model/`` folder; ``runs/latest`` names the newest finished run.

    Raises UsageError if there is none, ArtefactError if it is damaged or of another format.
    """
    return Classifier(artefact.load(runs.model_dir(Path(path))))
