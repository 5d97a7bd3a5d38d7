"""Logits of the labelled rows of files, to evaluate a model on them."""

from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from textclf.errors import DataError
from textclf.inference.classifier import Classifier, batched
from textclf.inference.foreign_labels import describe_foreign
from textclf.models.arithmetic import Floats
from textclf.sources import Row

MOST_SHOWN: Final = 120
"""Characters of a text that are kept."""


class Labelled(NamedTuple):
    """Labels and logits of the D rows that have a text and a label."""

    labels: list[tuple[str, ...]]
    """Of each row: one, unless the model may give several or none."""
    raw: Floats
    """Logits before calibration, shape (D, C)."""
    unknown: NDArray[np.float64]
    """Share of unknown words, shape (D,)."""
    places: list[str]
    """Where each row is."""
    beginnings: list[str]
    """Of the texts, on one line."""
    left_out: int
    """Number of the rows that cannot be scored."""
    first_error: str
    """Why the first of those cannot be; empty if there is none."""

    def classes(self, known: list[str]) -> NDArray[np.int64]:
        """Class indices of the only labels, shape (D,); a negative number of its own for each that is not known."""
        labels = [label for (label,) in self.labels]
        places = {label: place for place, label in enumerate(known)}
        for label in sorted({*labels} - {*known}):
            places[label] = len(known) - 1 - len(places)
        return np.array([places[label] for label in labels], dtype=np.int64)

    def counts(self) -> Counter[str]:
        """Rows of each label."""
        return Counter(chain.from_iterable(self.labels))

    def foreign(self, known: list[str]) -> dict[str, int]:
        """Rows of each label that is not known."""
        counts = self.counts()
        return {label: counts[label] for label in sorted({*counts} - {*known})}


def predict_labelled(classifier: Classifier, rows: Iterable[Row], *, where: str, strict: bool) -> Labelled:
    """Predict the rows of files ``where``, of which few are in memory at a time, and keep their labels and logits.

    A row that cannot be read, or that has no label, is left out, or if strict raises DataError. Raises DataError, too,
    if no row has a label that the model has.
    """
    trained = classifier.trained
    usable = _Usable(rows, strict=strict, several=trained.is_multi)
    logits, unknown = [], []
    for texts in batched(usable.texts()):
        tokens, lengths, vectors = trained.read(texts)
        logits.append(trained.raw_logits(tokens, lengths, vectors))
        words, without = trained.tokenizer.words_and_unknown(tokens, lengths)
        unknown.append(without / words)
    if not logits:
        raise DataError(f"{where}: {usable.why_none()}")
    found = Labelled(
        labels=usable.labels,
        raw=np.concatenate(logits),
        unknown=np.concatenate(unknown),
        places=usable.places,
        beginnings=usable.beginnings,
        left_out=usable.left_out,
        first_error=usable.first_error,
    )
    counts = found.counts()
    if not counts.keys() & {*classifier.labels}:
        foreign = describe_foreign(counts, classifier.labels) if counts else "no row has a label"
        raise DataError(f"{where}: {foreign}")
    return found


class _Usable:
    """Passes the texts of rows with a label on, and keeps the labels."""

    def __init__(self, rows: Iterable[Row], *, strict: bool, several: bool) -> None:
        self._rows = rows
        self._strict = strict
        self._several = several
        self.labels: list[tuple[str, ...]] = []
        self.places: list[str] = []
        self.beginnings: list[str] = []
        self.left_out = 0
        self.first_error = ""

    def texts(self) -> Iterator[str]:
        """The texts, one by one."""
        for row in self._rows:
            has_none = row.label is None and not (self._several and row.has_labels)
            if row.error or row.training_error or has_none:
                self._leave_out(row.error or row.training_error or f"{row.place}: no label")
            else:
                self.labels.append(tuple(sorted({*row.labels})) if self._several else row.labels[:1])
                self.places.append(row.place)
                self.beginnings.append(" ".join(row.text[: 2 * MOST_SHOWN].split())[:MOST_SHOWN])
                yield row.text

    def _leave_out(self, error: str) -> None:
        if self._strict:
            raise DataError(error)
        self.left_out += 1
        self.first_error = self.first_error or error

    def why_none(self) -> str:
        """Why there is no text, if there is none."""
        if not self.left_out:
            return "there is no row to score"
        return f"no row has a text and a label (--label-column names a column of labels), the first: {self.first_error}"
