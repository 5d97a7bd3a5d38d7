"""From a model's logits to answers and figures, for one label per document and for several. D documents, C classes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from textclf.artefacts.artefact import Artefact
from textclf.dataset.directory import DataDirectory
from textclf.dataset.label_sets import LabelSets
from textclf.evaluation import calibration, metrics, multi_label
from textclf.evaluation.metrics import Metrics, Resampled, accuracies
from textclf.evaluation.multi_label import MultiMetrics
from textclf.models.arithmetic import sigmoid

Logits = NDArray[np.float32]
Labels = NDArray[np.int64]
Confident = tuple[NDArray[np.float32], NDArray[np.bool_]]
"""The probability of each answer, and whether it is right."""


class Calibrated(NamedTuple):
    """How logits become probabilities, and probabilities answers."""

    temperature: float
    """Logits are divided by it."""
    shift: tuple[float, ...] = ()
    """Length C, what class weights have added to each logit: answers keep it, probabilities do not. Empty: nothing."""
    thresholds: tuple[float, ...] = ()
    """Length C, the probability from which on each label is given. Empty: each document gets one label."""

    @classmethod
    def of(cls, trained: Artefact) -> "Calibrated":
        """As a model does it."""
        return cls(trained.temperature, trained.shift, trained.thresholds)

    def logits(self, raw: Logits) -> Logits:
        """Calibrated logits, shape (D, C)."""
        unshifted = raw - np.array(self.shift, dtype=np.float32) if self.shift else raw
        calibrated: Logits = unshifted / np.float32(self.temperature)
        return calibrated


class Scoring(Protocol):
    """What the figures of a model need to know about labels; ``labels``, shape (D,), are `DataDirectory.classes`."""

    def calibrate(self, labels: Labels, raw: Logits, *, shift: tuple[float, ...]) -> Calibrated:
        """Learn the temperature, and thresholds where there may be several labels, from validation documents."""

    def loss(self, labels: Labels, raw: NDArray[Any]) -> float:
        """The mean cross-entropy of the documents, in nats, as the logits are."""

    def measure(self, labels: Labels, raw: Logits, how: Calibrated) -> Metrics | MultiMetrics:
        """All figures."""

    def by_label(self, labels: Labels, raw: Logits, how: Calibrated, *, names: list[str]) -> list[dict[str, Any]]:
        """The figures of each of the model's labels, in the order of their names."""

    def confident(self, labels: Labels, raw: Logits, how: Calibrated) -> Confident:
        """How sure each answer is, and whether it is right."""

    def is_right(self, labels: Labels, raw: Logits, how: Calibrated) -> NDArray[np.bool_]:
        """Which documents got their label or, of several, all of their labels and no other; shape (D,)."""

    def resampled(self, labels: Labels, raw: Logits, how: Calibrated) -> dict[str, Resampled]:
        """Accuracy, macro-F1 and micro-F1 of resamples of the documents, for their intervals."""


class OneLabel:
    """Each document has one label."""

    def calibrate(self, labels: Labels, raw: Logits, *, shift: tuple[float, ...]) -> Calibrated:
        """Learn the temperature."""
        unscaled = Calibrated(1.0, shift)
        return unscaled._replace(temperature=calibration.fit_temperature(labels, unscaled.logits(raw)))

    def loss(self, labels: Labels, raw: NDArray[Any]) -> float:
        """Of the documents whose label the model knows."""
        return metrics.cross_entropy(labels, raw)

    def measure(self, labels: Labels, raw: Logits, how: Calibrated) -> Metrics:
        """Accuracy, F1 and loss."""
        return metrics.measure(labels, how.logits(raw), raw.argmax(axis=1))

    def by_label(self, labels: Labels, raw: Logits, how: Calibrated, *, names: list[str]) -> list[dict[str, Any]]:
        """Precision, recall, F1 and documents."""
        return metrics.per_class(labels, raw, names)

    def confident(self, labels: Labels, raw: Logits, how: Calibrated) -> Confident:
        """One answer per document."""
        return calibration.answers(labels, how.logits(raw), raw.argmax(axis=1))

    def is_right(self, labels: Labels, raw: Logits, how: Calibrated) -> NDArray[np.bool_]:
        """Whether the highest logit is that of the label."""
        right: NDArray[np.bool_] = raw.argmax(axis=1) == labels
        return right

    def resampled(self, labels: Labels, raw: Logits, how: Calibrated) -> dict[str, Resampled]:
        """With one label per document, micro-F1 is accuracy."""
        accuracy, macro = accuracies(labels, raw.argmax(axis=1)), metrics.macro_f1s(labels, raw.argmax(axis=1))
        return {"accuracy": accuracy, "macro_f1": macro, "micro_f1": accuracy}


@dataclass(frozen=True, slots=True)
class SeveralLabels:
    """A document may have several labels, or none."""

    sets: NDArray[np.bool_]
    """Shape (S, C + U): the labels of each set, first those of the model, then those that no training document has."""

    @classmethod
    def of(cls, labelled: LabelSets, known: Sequence[str]) -> "SeveralLabels":
        """The labels of documents; known: those of the model."""
        return cls(labelled.matrix([*known, *sorted({*labelled.names()} - {*known})]))

    def truth(self, labels: Labels) -> NDArray[np.bool_]:
        """Which document has which label, shape (D, C + U)."""
        return self.sets[labels]

    def calibrate(self, labels: Labels, raw: Logits, *, shift: tuple[float, ...]) -> Calibrated:
        """Learn the temperature, then thresholds of the probabilities."""
        truth, unscaled = self.truth(labels), Calibrated(1.0, shift)
        how = unscaled._replace(temperature=multi_label.fit_temperature(truth, unscaled.logits(raw)))
        return how._replace(thresholds=tuple(multi_label.learn_thresholds(truth, sigmoid(how.logits(raw)))))

    def given(self, raw: Logits, how: Calibrated) -> NDArray[np.bool_]:
        """Which document is given which of the C labels."""
        found: NDArray[np.bool_] = sigmoid(how.logits(raw)) >= np.array(how.thresholds, dtype=np.float32)
        return found

    def loss(self, labels: Labels, raw: NDArray[Any]) -> float:
        """The sum over the labels that the model knows."""
        return multi_label.cross_entropy(self.truth(labels), raw)

    def measure(self, labels: Labels, raw: Logits, how: Calibrated) -> MultiMetrics:
        """F1 of several kinds, ranking and loss."""
        return multi_label.measure(self.truth(labels), how.logits(raw), self.given(raw, how))

    def by_label(self, labels: Labels, raw: Logits, how: Calibrated, *, names: list[str]) -> list[dict[str, Any]]:
        """The same, with thresholds and average precision."""
        probabilities = sigmoid(how.logits(raw))
        given = self.given(raw, how)
        return multi_label.per_label(
            self.truth(labels), probabilities, given, names=names, thresholds=list(how.thresholds)
        )

    def confident(self, labels: Labels, raw: Logits, how: Calibrated) -> Confident:
        """One answer per document and class."""
        return multi_label.confident(self.truth(labels), how.logits(raw))

    def is_right(self, labels: Labels, raw: Logits, how: Calibrated) -> NDArray[np.bool_]:
        """Whether the sets are the same."""
        exact: NDArray[np.bool_] = (self.truth(labels) == self._widely_given(raw, how)).all(axis=1)
        return exact

    def resampled(self, labels: Labels, raw: Logits, how: Calibrated) -> dict[str, Resampled]:
        """Of the same sets of labels."""
        truth, given = self.truth(labels), self._widely_given(raw, how)
        right = self.is_right(labels, raw, how)
        return {
            "accuracy": lambda places: right[places].mean(axis=1),
            "macro_f1": multi_label.macro_f1s(truth, given),
            "micro_f1": multi_label.micro_f1s(truth, given),
        }

    def _widely_given(self, raw: Logits, how: Calibrated) -> NDArray[np.bool_]:
        """Which document is given which of the C + U labels."""
        given = self.given(raw, how)
        return np.pad(given, ((0, 0), (0, self.sets.shape[1] - given.shape[1])))


def scoring_of(data: DataDirectory) -> Scoring:
    """The figures that fit the labels of a data directory."""
    return SeveralLabels.of(data.label_sets(), data.manifest.labels) if data.is_multi else OneLabel()
