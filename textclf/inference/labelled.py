"""Logits of the labelled rows of files, to evaluate a model on them."""

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from textclf.errors import DataError
from textclf.inference.classifier import Classifier, batched
from textclf.inference.foreign_labels import describe_foreign
from textclf.models.arithmetic import Floats
from textclf.sources import Row


class Labelled(NamedTuple):
    """Labels and logits of the D rows that have a text and a label."""

    labels: list[str]
    raw: Floats
    """Logits before calibration, shape (D, C)."""
    unknown: NDArray[np.float64]
    """Share of unknown words, shape (D,)."""
    left_out: int
    """Number of the rows that cannot be scored."""
    first_error: str
    """Why the first of those cannot be; empty if there is none."""

    def classes(self, known: list[str]) -> NDArray[np.int64]:
        """Class indices, shape (D,); a negative number of its own for each label that is not known."""
        places = {label: place for place, label in enumerate(known)}
        for label in sorted({*self.labels} - {*known}):
            places[label] = len(known) - 1 - len(places)
        return np.array([places[label] for label in self.labels], dtype=np.int64)

    def foreign(self, known: list[str]) -> dict[str, int]:
        """Rows of each label that is not known."""
        counts = Counter(self.labels)
        return {label: counts[label] for label in sorted({*counts} - {*known})}


def predict_labelled(classifier: Classifier, rows: Iterable[Row], *, where: str, strict: bool) -> Labelled:
    """Predict the rows of files ``where``, of which few are in memory at a time, and keep their labels and logits.

    A row that cannot be read, or that has no label, is left out, or if strict raises DataError. Raises DataError, too,
    if no row has a label that the model has.
    """
    usable = _Usable(rows, strict=strict)
    trained = classifier.trained
    logits, unknown = [], []
    for texts in batched(usable.texts()):
        tokens, lengths = trained.tokenizer.encode_all(texts)
        logits.append(trained.raw_logits(tokens, lengths))
        words, without = trained.tokenizer.words_and_unknown(tokens, lengths)
        unknown.append(without / words)
    if not logits:
        raise DataError(f"{where}: {usable.why_none()}")
    if not {*usable.labels} & {*classifier.labels}:
        raise DataError(f"{where}: {describe_foreign(Counter(usable.labels), classifier.labels)}")
    return Labelled(usable.labels, np.concatenate(logits), np.concatenate(unknown), usable.left_out, usable.first_error)


class _Usable:
    """Passes the texts of rows with a label on, and keeps the labels."""

    def __init__(self, rows: Iterable[Row], *, strict: bool) -> None:
        self._rows = rows
        self._strict = strict
        self.labels: list[str] = []
        self.left_out = 0
        self.first_error = ""

    def texts(self) -> Iterator[str]:
        """The texts, one by one."""
        for row in self._rows:
            if row.error or not (row.label or "").strip():
                self._leave_out(row.error or row.training_error or f"{row.place}: no label")
            else:
                self.labels.append(str(row.label))
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
