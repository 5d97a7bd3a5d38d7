"""What a model makes of labelled documents, wherever they come from: logits, answers, and figures."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from textclf.artefacts.artefact import Artefact
from textclf.evaluation.metrics import Metrics, Resampled
from textclf.evaluation.multi_label import MultiMetrics
from textclf.evaluation.scoring import Calibrated, Confident, Scoring, SeveralLabels


@dataclass(frozen=True)
class Outcome:
    """Labels and logits of D documents, of a model of C classes; U labels of documents are not the model's."""

    trained: Artefact
    scoring: Scoring
    labels: NDArray[np.int64]
    """As ``scoring`` takes them, shape (D,)."""
    raw: NDArray[np.float32]
    """Logits before calibration, shape (D, C)."""

    @property
    def how(self) -> Calibrated:
        """How the model turns logits into answers."""
        return Calibrated.of(self.trained)

    @property
    def names(self) -> list[str]:
        """The model's labels."""
        return self.trained.labels

    @cached_property
    def probabilities(self) -> NDArray[np.float32]:
        """Calibrated probabilities, shape (D, C)."""
        return self.trained.probabilities(self.trained.calibrated(self.raw))

    @cached_property
    def truth(self) -> NDArray[np.bool_]:
        """Which document has which label, shape (D, C) or, of several labels, (D, C + U)."""
        if isinstance(self.scoring, SeveralLabels):
            return self.scoring.truth(self.labels)
        return _indicators(self.labels, len(self.names))

    @cached_property
    def given(self) -> NDArray[np.bool_]:
        """Which document is given which label, shape (D, C)."""
        if self.trained.is_multi:
            return self.trained.given(self.probabilities)
        return _indicators(self.raw.argmax(axis=1), len(self.names))

    def answer(self, place: int) -> str:
        """The label that a document is given, or its labels."""
        return ", ".join(self.names[found] for found in np.flatnonzero(self.given[place]).tolist())

    def sureness(self, place: int) -> float:
        """The probability of a document's answer; of several labels that of the least sure one, or that there is none.

        It is between 0 and 1.
        """
        given, probabilities = self.given[place], self.probabilities[place]
        return float(probabilities[given].min()) if given.any() else 1 - float(probabilities.max())

    def own_probability(self) -> NDArray[np.float32]:
        """The probability of each document's own label, or the mean of several, shape (D,); 0 without labels."""
        known = self.truth[:, : len(self.names)]
        own: NDArray[np.float32] = (self.probabilities * known).sum(axis=1) / np.maximum(known.sum(axis=1), 1)
        return own

    def measure(self) -> Metrics | MultiMetrics:
        """All figures."""
        return self.scoring.measure(self.labels, self.raw, self.how)

    def confident(self, how: Calibrated | None = None) -> Confident:
        """The probability of each answer, and whether it is right."""
        return self.scoring.confident(self.labels, self.raw, how or self.how)

    def is_right(self) -> NDArray[np.bool_]:
        """Which documents got their label or, of several, all of their labels and no other; shape (D,)."""
        return self.scoring.is_right(self.labels, self.raw, self.how)

    def resampled(self) -> dict[str, Resampled]:
        """Accuracy, macro-F1 and micro-F1 of resamples of the documents, for their intervals."""
        return self.scoring.resampled(self.labels, self.raw, self.how)

    def mistakes(self, most: int) -> list[int]:
        """Places of documents with a wrong answer, those with the surest wrong one first."""
        known, probabilities = self.truth[:, : len(self.names)], self.probabilities
        wrong = self.given & ~known  # a label that is given wrongly is as sure as it is probable
        sure = np.where(wrong, probabilities, 0).max(axis=1)
        if self.trained.is_multi:
            missed = known & ~self.given
            sure = np.maximum(sure, np.where(missed, 1 - probabilities, 0).max(axis=1))
        places: list[int] = np.argsort(-sure, kind="stable")[: min(most, int((sure > 0).sum()))].tolist()
        return places


def _indicators(places: NDArray[np.int64], classes: int) -> NDArray[np.bool_]:
    """One row per place, with a single true value there, shape (D, C); none for a negative place."""
    found: NDArray[np.bool_] = places[:, None] == np.arange(classes)
    return found
