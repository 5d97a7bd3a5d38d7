"""Texts to labels with a trained model. Knows nothing about torch, corpora or data directories."""

from collections.abc import Iterable, Iterator, Mapping, Set
from itertools import chain
from math import isnan
from os import PathLike
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from textclf.artefacts import loading, runs
from textclf.artefacts.artefact import Artefact
from textclf.errors import UsageError
from textclf.models.arithmetic import Floats
from textclf.settings import Range, Rule, checked, paths, shown
from textclf.system.wording import counted

BATCH: Final = 64  # texts that go through the model together
MOST_CHARACTERS: Final = 500_000  # of a batch, not counting its last text
MOST_NAMED: Final = 5  # labels that `repr` names
TOP_K: Final = Rule(int, Range(1))


class Score(NamedTuple):
    """A label and how sure the model is of it."""

    label: str
    probability: float
    """Between 0 and 1; those of all labels add up to 1, unless a text may have several labels."""


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
    given: tuple[Score, ...] | None = None
    """Where a text may have several labels, those that it gets, the most probable first, perhaps none; else None."""

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels that the text gets: one, unless a text may have several or none."""
        return (self.label,) if self.given is None else tuple(score.label for score in self.given)

    def __repr__(self) -> str:
        scores = ", ".join(f"{label!r} {probability:.4f}" for label, probability in self.top)
        marks = "".join(f", {name}=True" for name in ("truncated", "unlike") if getattr(self, name))
        return f"Prediction({scores}, unknown={self.unknown:.2f}{marks})"


class Scores(NamedTuple):
    """What the model computes for B texts."""

    logits: Floats
    """Calibrated, shape (B, C)."""
    probabilities: Floats
    """Shape (B, C)."""
    unknown: NDArray[np.float64]
    """Share of unknown words, shape (B,), like the rest; 1 for a text without words."""
    truncated: NDArray[np.bool_]
    unlike: NDArray[np.bool_]
    words: NDArray[np.int64]
    """Number of words that were counted for this share, shape (B,)."""


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
    given: Floats | None = None
    """Where a text may have several labels: the probabilities of those that it gets, else 0, shape (B, C)."""


class Classifier:
    """A trained model, ready for texts."""

    def __init__(self, trained: Artefact) -> None:
        self.labels = trained.labels
        self.trained = trained

    def __repr__(self) -> str:
        labels = ", ".join(map(repr, self.labels[:MOST_NAMED])) + (", …" if len(self.labels) > MOST_NAMED else "")
        return f"Classifier({self.trained.model!r}, {counted(len(self.labels), 'label')}: {labels})"

    def predict(self, texts: str | Iterable[str], *, top_k: int = 1) -> list[Prediction]:
        """Classify texts, or one text; returns one prediction per text, in order.

        Texts are strings in any iterable with an order: a list, a generator, an array, a column of a data frame. An
        empty text, or one without a known word, also gets a label: the one that the model gives without any feature.
        Raises UsageError for anything else, which names the place of an element that is no string.
        """
        return list(self.stream(texts, top_k=top_k))

    def stream(self, texts: str | Iterable[str], *, top_k: int = 1) -> Iterator[Prediction]:
        """Classify texts as they come, a batch at a time; raises what `predict` raises."""
        top_k = checked("top_k", top_k, TOP_K)  # now, not with the first answer
        answers = (self.answer(batch, top_k=top_k) for batch in batched(strings(texts)))
        return chain.from_iterable(map(self.name, answers))

    def answer(self, texts: list[str], *, top_k: int) -> Answers:
        """Classify texts at once; raises what `predict` raises."""
        top_k = checked("top_k", top_k, TOP_K)
        return self.best_of(self.scores(list(strings(texts))), top_k=top_k)

    def best_of(self, scores: Scores, *, top_k: int) -> Answers:
        """The most probable classes and, where a text may have several labels, those that it gets."""
        places, probabilities = most_probable(scores.probabilities, top_k, order=self.trained.order(scores.logits))
        about = (scores.unknown, scores.truncated, scores.unlike)
        if not self.trained.is_multi:
            return Answers(places, probabilities, *about)
        is_given = self.trained.given(scores.probabilities)
        return Answers(places, probabilities, *about, np.where(is_given, scores.probabilities, np.float32(0)))

    def scores(self, texts: list[str]) -> Scores:
        """The probabilities of all classes for texts that are classified at once."""
        tokens, lengths, vectors = self.trained.read(texts)
        logits = self.trained.logits(tokens, lengths, vectors)
        words, unknown = self.trained.tokenizer.words_and_unknown(tokens, lengths)
        share = unknown / words
        return Scores(
            logits,
            self.trained.probabilities(logits),
            share,
            self.trained.inputs.cuts(tokens, lengths),
            self.trained.abstention.is_unlike(share),
            words,
        )

    def name(self, answers: Answers) -> list[Prediction]:
        """The answers with label names instead of class indices."""
        named = []
        columns = (column.tolist() for column in answers if column is not None)
        for places, probabilities, unknown, truncated, unlike, *given in zip(*columns, strict=True):
            top = tuple(map(Score, map(self.labels.__getitem__, places), probabilities))
            several = self._given(given[0]) if given else None
            named.append(Prediction(*top[0], top, unknown, truncated, unlike, several))
        return named

    def _given(self, probabilities: list[float]) -> tuple[Score, ...]:
        """The labels with a probability above 0, the most probable first."""
        found = [Score(label, score) for label, score in zip(self.labels, probabilities, strict=True) if score > 0]
        return tuple(sorted(found, key=lambda score: -score.probability))

    def logits(self, texts: list[str]) -> Floats:
        """Calibrated logits of each class, shape (texts, classes): their softmax says how often the model is right."""
        return self.trained.logits(*self.trained.read(list(strings(texts))))


def most_probable(
    probabilities: Floats, top_k: int, *, order: Floats | None = None
) -> tuple[NDArray[np.int64], Floats]:
    """The K most probable classes of B texts and their probabilities, best first; both of shape (B, K).

    order: shape (B, C), what to rank by in place of the probabilities.
    """
    ranked = probabilities if order is None else order
    if top_k == 1:
        places = ranked.argmax(axis=1, keepdims=True)
    else:
        places = np.argsort(-ranked, axis=1, kind="stable")[:, :top_k]
    return places, np.take_along_axis(probabilities, places, axis=1)


def strings(texts: str | Iterable[str]) -> Iterator[str]:
    """The texts one by one, or one text; raises UsageError unless they are strings in an order."""
    if isinstance(texts, str):
        return iter([texts])
    if isinstance(texts, Mapping) or hasattr(texts, "columns"):
        raise UsageError(f"texts is a {type(texts).__name__}; give one column of it, such as texts['text']")
    if isinstance(texts, bytes | bytearray | memoryview | Set) or not isinstance(texts, Iterable):
        raise UsageError(f"texts is {_named(texts)}; give a string or a list of strings")
    try:
        return _checked(iter(texts))
    except TypeError:  # such as an array without dimensions
        raise UsageError(f"texts is {_named(texts)}; give a string or a list of strings") from None


def _checked(texts: Iterator[str]) -> Iterator[str]:
    """Pass strings on; raises UsageError at anything else."""
    for place, text in enumerate(texts):
        if not isinstance(text, str):
            raise UsageError(f"texts[{place}] is {_named(text)}, not a string; leave it out or put '' in its place")
        yield text


def _named(value: object) -> str:
    """A value in a message: the usual signs of a missing text as they are, others by their type."""
    kind = type(value).__name__
    is_missing = value is None or kind in ("NAType", "NaTType") or (isinstance(value, float) and isnan(value))
    return shown(value) if is_missing else f"{'an' if kind[0] in 'aeiouAEIOU' else 'a'} {kind}"


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


def load_model(
    path: str | PathLike[str] = "runs/latest", *, code: str | PathLike[str] | Iterable[str | PathLike[str]] = ()
) -> Classifier:
    """The classifier of a run: its path, its name under runs/, a unique beginning of that, or a ``model/`` folder.

    ``latest`` is the newest finished run. A model in one file, of `textclf export --format pyz`, is given by its path.

    A model of your own needs its ``code``, the Python file that it was trained with, which is run. Raises UsageError if
    there is no model or not that file, ArtefactError if the model is damaged or of another format.
    """
    folder = runs.model_dir(checked("path", path, Rule(Path)))
    return Classifier(loading.load(folder, code=paths("code", code)))
