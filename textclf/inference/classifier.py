"""Texts to labels with a trained model. Knows nothing about torch, corpora or data directories."""

from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from textclf.artefacts import artefact, runs
from textclf.artefacts.artefact import Artefact
from textclf.errors import UsageError
from textclf.models.arithmetic import Floats, softmax

BATCH: Final = 64  # texts that go through the model together
MOST_CHARACTERS: Final = 500_000  # of a batch, not counting its last text


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
    unknown: float
    """Share of the text's words that no training text has, between 0 and 1; 1 for an empty text."""
    truncated: bool
    """Whether the model read only the beginning of the text."""
    unlike: bool
    """Whether most of its words are unknown, and more than in nearly all validation texts: the answer says little."""


class Answers(NamedTuple):
    """Predictions for B texts: the K most probable classes of each, best first."""

    places: NDArray[np.int64]
    """Shape (B, K), class indices."""
    probabilities: Floats
    """Shape (B, K)."""
    unknown: NDArray[np.float64]
    """Share of unknown words, shape (B,), like the rest."""
    truncated: NDArray[np.bool_]
    unlike: NDArray[np.bool_]


class Classifier:
    """A trained model, ready for texts."""

    def __init__(self, trained: Artefact) -> None:
        self.labels = trained.labels
        self.trained = trained

    def predict(self, texts: str | Iterable[str], *, top_k: int = 1) -> list[Prediction]:
        """Classify texts, or one text; returns one prediction per text, in order.

        An empty text, or one without a known word, also gets a label: the one that the model gives without any feature.
        """
        return list(self.stream([texts] if isinstance(texts, str) else texts, top_k=top_k))

    def stream(self, texts: Iterable[str], *, top_k: int = 1) -> Iterator[Prediction]:
        """Classify texts as they come, a batch at a time; raises UsageError if ``top_k`` is below 1."""
        answers = (self.answer(batch, top_k=top_k) for batch in batched(texts))
        return chain.from_iterable(map(self.name, answers))

    def answer(self, texts: list[str], *, top_k: int) -> Answers:
        """Classify texts at once; raises UsageError if ``top_k`` is below 1."""
        if top_k < 1:
            raise UsageError(f"top_k must be at least 1, not {top_k}")
        tokens, lengths = self.trained.tokenizer.encode_all(texts)
        probabilities = softmax(self.trained.logits(tokens, lengths))
        words, unknown = self.trained.tokenizer.words_and_unknown(tokens, lengths)
        share = unknown / words
        return Answers(
            *most_probable(probabilities, top_k),
            share,
            words > self.trained.inputs.max_length,
            share >= self.trained.abstention.unlike,
        )

    def name(self, answers: Answers) -> list[Prediction]:
        """The answers with label names instead of class indices."""
        named = []
        for places, probabilities, *about in zip(*(column.tolist() for column in answers), strict=True):
            top = tuple(map(Score, map(self.labels.__getitem__, places), probabilities))
            named.append(Prediction(*top[0], top, *about))
        return named

    def logits(self, texts: list[str]) -> Floats:
        """Calibrated logits of each class, shape (texts, classes): their softmax says how often the model is right."""
        return self.trained.logits(*self.trained.tokenizer.encode_all(texts))


def most_probable(probabilities: Floats, top_k: int) -> tuple[NDArray[np.int64], Floats]:
    """The K most probable classes of B texts and their probabilities, best first; both of shape (B, K)."""
    if top_k == 1:
        places = probabilities.argmax(axis=1, keepdims=True)
    else:
        places = np.argsort(-probabilities, axis=1, kind="stable")[:, :top_k]
    return places, np.take_along_axis(probabilities, places, axis=1)


def batched(texts: Iterable[str]) -> Iterator[list[str]]:
    """Batches of BATCH texts, or fewer if they are long."""
    batch: list[str] = []
    characters = 0
    for text in texts:
        batch.append(text)
        characters += len(text)
        if len(batch) == BATCH or characters >= MOST_CHARACTERS:
            yield batch
            batch, characters = [], 0
    if batch:
        yield batch


def load_model(path: str | Path = "runs/latest", *, code: str | Path | Iterable[str | Path] = ()) -> Classifier:
    """The classifier in a run directory or in its ``model/`` folder; ``runs/latest`` names the newest finished run.

    A model of your own needs its ``code``, the Python file that it was trained with, which is run. Raises UsageError if
    there is no model or not that file, ArtefactError if the model is damaged or of another format.
    """
    paths = [code] if isinstance(code, str | Path) else code
    return Classifier(artefact.load(runs.model_dir(Path(path)), code=[Path(path) for path in paths]))
