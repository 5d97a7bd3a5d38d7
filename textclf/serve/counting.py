"""What a server counts: requests and, for each run, the answers, so that drift of the texts shows.

The counts are in memory shared by the worker processes, one row per worker, so that any worker can report the total.

A run has a series for each of its first MOST_LABELS labels, in the order of the model. All its other labels, and those
longer than LONGEST_LABEL, count together, in the series without a label: no text can add a series.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate
from mmap import mmap
from threading import Lock
from typing import Final

import numpy as np

from textclf.inference.classifier import Prediction
from textclf.serve.exposition import Counter, Histogram, Series

STATUSES: Final = (200, 400, 404, 405, 408, 413, 415, 421, 422, 500, 503)
SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
CONFIDENCES: Final = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 1.0)
SHARES: Final = (0.0, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0)
MOST_LABELS: Final = 100  # of a run that have a series each
LONGEST_LABEL: Final = 100  # characters


class Counts:
    """The counts of this worker, and their totals over all workers. ``runs``: the labels of each run by its name."""

    def __init__(self, workers: int = 1, runs: Mapping[str, Sequence[str]] | None = None) -> None:
        self._runs = {name: place for place, name in enumerate(runs or {})}
        self._labels: dict[str, dict[str, int]] = {}
        """For each run, the column of each label that has a series."""
        self._others: dict[str, int] = {}
        """For each run, the column of all other labels."""
        labels = self._series_of_labels(runs or {})
        names: list[Series] = [(("run", name),) for name in self._runs]
        self._requests = Counter(
            "textclf_requests_total", "Requests by status.", [(("status", str(status)),) for status in STATUSES]
        )
        self._seconds = Histogram(
            "textclf_request_seconds", "Time from the end of a request's headers to its answer.", SECONDS
        )
        self._texts = Counter("textclf_texts_total", "Texts in all requests, and rows of files.")
        self._batches = Counter("textclf_batches_total", "Batches that were predicted.")
        self._batched = Counter("textclf_batched_texts_total", "Texts in all batches.")
        self._answers = Counter("textclf_answers_total", "Labels that texts got; without a label: all others.", labels)
        self._confidence = Histogram(
            "textclf_confidence", "Probability of the most probable label of a text.", CONFIDENCES, names
        )
        self._unknown = Histogram(
            "textclf_unknown_words", "Share of the words of a text that are unknown.", SHARES, names
        )
        self._rejected = Counter("textclf_rejected_total", "Texts without a label: rejected, or none applies.", names)
        self._unlike = Counter("textclf_unlike_total", "Texts that are unlike the training texts.", names)
        self._truncated = Counter("textclf_truncated_total", "Texts of which only the beginning was read.", names)
        self._errors = Counter("textclf_unanswered_total", "Texts that are empty, and rows with an error.", names)
        self._metrics: tuple[Counter | Histogram, ...] = (
            self._requests, self._seconds, self._texts, self._batches, self._batched, self._answers, self._confidence,
            self._unknown, self._rejected, self._unlike, self._truncated, self._errors,
        )  # fmt: skip
        self._ends = [*accumulate(metric.columns for metric in self._metrics)]
        shape = workers, self._ends[-1]
        self._table = np.frombuffer(mmap(-1, workers * shape[1] * 8), dtype=np.float64).reshape(shape)
        self._lock = Lock()  # files are answered in another thread than the requests
        self.of(0)

    def _series_of_labels(self, runs: Mapping[str, Sequence[str]]) -> list[Series]:
        series: list[Series] = []
        for name, labels in runs.items():
            shown = [label for label in labels[:MOST_LABELS] if len(label) <= LONGEST_LABEL]
            self._labels[name] = {label: len(series) + place for place, label in enumerate(shown)}
            series += [(("run", name), ("label", label)) for label in shown]
            self._others[name] = len(series)
            series.append((("run", name),))
        return series

    def of(self, worker: int) -> "Counts":
        """The same, from now on counting for that worker."""
        parts = np.split(self._table[worker], self._ends[:-1])
        self._columns = dict(zip(self._metrics, parts, strict=True))
        return self

    def add_request(self, status: int, seconds: float) -> None:
        """Count an answered request."""
        if status in STATUSES:
            self._columns[self._requests][STATUSES.index(status)] += 1
        self._seconds.add(self._columns[self._seconds], 0, seconds)

    def add_texts(self, texts: int) -> None:
        """Count the texts of a request, or rows of a file."""
        with self._lock:
            self._columns[self._texts] += texts

    def add_batch(self, texts: int) -> None:
        """Count texts that were predicted as one batch."""
        self._columns[self._batches] += 1
        self._columns[self._batched] += texts

    def add_answers(self, run: str, answers: Iterable[tuple[Prediction, bool] | None]) -> None:
        """Count the answers of a run: predictions, and whether they are rejected; None for a text without an answer."""
        columns, place = self._columns, self._runs[run]
        with self._lock:
            for answer in answers:
                if answer is None:
                    columns[self._errors][place] += 1
                    continue
                prediction, is_rejected = answer
                labels = () if is_rejected else prediction.labels
                for label in labels:
                    columns[self._answers][self._labels[run].get(label, self._others[run])] += 1
                self._confidence.add(columns[self._confidence], place, prediction.probability)
                self._unknown.add(columns[self._unknown], place, prediction.unknown)
                columns[self._rejected][place] += not labels
                columns[self._unlike][place] += prediction.unlike
                columns[self._truncated][place] += prediction.truncated

    def exposition(self) -> str:
        """The totals of all workers."""
        parts = np.split(self._table.sum(axis=0), self._ends[:-1])
        lines = (line for metric, values in zip(self._metrics, parts, strict=True) for line in metric.lines(values))
        return "\n".join(lines) + "\n"
