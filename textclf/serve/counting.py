"""Counters of a server in Prometheus' text format: https://prometheus.io/docs/instrumenting/exposition_formats.

They are in memory shared by the worker processes, one row per worker, so that any worker can report the total.
"""

from bisect import bisect_left
from mmap import mmap
from typing import Final

import numpy as np

STATUSES: Final = (200, 400, 404, 405, 408, 413, 415, 421, 422, 500, 503)
SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_COLUMNS: Final = len(STATUSES) + len(SECONDS) + 5
"""Also: slower requests, total seconds, texts, batches, texts in batches."""


class Counts:
    """Counters of this worker, and their totals over all workers."""

    def __init__(self, workers: int = 1) -> None:
        self._table = np.frombuffer(mmap(-1, workers * _COLUMNS * 8), dtype=np.float64).reshape(workers, _COLUMNS)
        self._split(0)

    def _split(self, worker: int) -> None:
        row = self._table[worker]
        self._statuses, rest = row[: len(STATUSES)], row[len(STATUSES) :]
        self._buckets, self._sums = rest[: len(SECONDS) + 1], rest[len(SECONDS) + 1 :]

    def of(self, worker: int) -> "Counts":
        """The same, from now on counting for that worker."""
        self._split(worker)
        return self

    def add_request(self, status: int, seconds: float) -> None:
        """Count an answered request."""
        if status in STATUSES:
            self._statuses[STATUSES.index(status)] += 1
        self._buckets[bisect_left(SECONDS, seconds)] += 1
        self._sums[0] += seconds

    def add_texts(self, texts: int) -> None:
        """Count the texts of a request."""
        self._sums[1] += texts

    def add_batch(self, texts: int) -> None:
        """Count texts that were predicted as one batch."""
        self._sums[2:] += (1, texts)

    def exposition(self) -> str:
        """The totals of all workers."""
        row = self._table.sum(axis=0)
        statuses, rest = row[: len(STATUSES)], row[len(STATUSES) :]
        buckets, (seconds, texts, batches, together) = np.cumsum(rest[: len(SECONDS) + 1]), rest[len(SECONDS) + 1 :]
        lines = ["# HELP textclf_requests_total Requests by status.", "# TYPE textclf_requests_total counter"]
        lines += [
            f'textclf_requests_total{{status="{status}"}} {count:.0f}'
            for status, count in zip(STATUSES, statuses, strict=True)
        ]
        name = "textclf_request_seconds"
        lines += [f"# HELP {name} Time from the end of a request's headers to its answer.", f"# TYPE {name} histogram"]
        lines += [
            f'{name}_bucket{{le="{bound}"}} {count:.0f}'
            for bound, count in zip([*SECONDS, "+Inf"], buckets, strict=True)
        ]
        lines += [f"{name}_sum {seconds:.6f}", f"{name}_count {buckets[-1]:.0f}"]
        for name, what, value in (
            ("textclf_texts_total", "Texts in all requests.", texts),
            ("textclf_batches_total", "Batches that were predicted.", batches),
            ("textclf_batched_texts_total", "Texts in all batches.", together),
        ):
            lines += [f"# HELP {name} {what}", f"# TYPE {name} counter", f"{name} {value:.0f}"]
        return "\n".join(lines) + "\n"
