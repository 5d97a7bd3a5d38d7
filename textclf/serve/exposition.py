"""Metrics in Prometheus' text format: https://prometheus.io/docs/instrumenting/exposition_formats."""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

Series = tuple[tuple[str, str], ...]
"""Names and values of the labels of a series."""

_ESCAPED: Final = str.maketrans({"\\": "\\\\", "\n": "\\n", '"': '\\"'})


class Counter:
    """A number that grows, for each of its series."""

    def __init__(self, name: str, what: str, series: Sequence[Series] = ((),)) -> None:
        self.name, self.what, self.series = name, what, series
        self.columns = len(series)

    def lines(self, values: NDArray[np.float64]) -> list[str]:
        """The metric with these values, shape (columns,)."""
        numbers = (f"{self.name}{_braces(each)} {value:.0f}" for each, value in zip(self.series, values, strict=True))
        return [*_head(self.name, self.what, "counter"), *numbers]


class Histogram:
    """How many values are at most as large as each bound, for each of its series; and their sum."""

    def __init__(self, name: str, what: str, bounds: Sequence[float], series: Sequence[Series] = ((),)) -> None:
        self.name, self.what, self.bounds, self.series = name, what, bounds, series
        self.width = len(bounds) + 2
        """Of a series: a column for each bound, one for larger values, one for the sum."""
        self.columns = self.width * len(series)

    def add(self, columns: NDArray[np.float64], series: int, value: float) -> None:
        """Count a value in the columns of this metric."""
        first = series * self.width
        columns[first + bisect_left(self.bounds, value)] += 1
        columns[first + self.width - 1] += value

    def lines(self, values: NDArray[np.float64]) -> list[str]:
        """The metric with these values, shape (columns,)."""
        lines = _head(self.name, self.what, "histogram")
        for labels, row in zip(self.series, values.reshape(-1, self.width), strict=True):
            counts = np.cumsum(row[:-1])
            lines += [
                f"{self.name}_bucket{_braces((*labels, ('le', str(bound))))} {count:.0f}"
                for bound, count in zip([*self.bounds, "+Inf"], counts, strict=True)
            ]
            lines += [
                f"{self.name}_sum{_braces(labels)} {row[-1]:.6f}",
                f"{self.name}_count{_braces(labels)} {counts[-1]:.0f}",
            ]
        return lines


def _head(name: str, what: str, kind: str) -> list[str]:
    return [f"# HELP {name} {what}", f"# TYPE {name} {kind}"]


def _braces(labels: Iterable[tuple[str, str]]) -> str:
    """The labels of a series; values are escaped, and a lone surrogate, which UTF-8 has not, is spelled out."""
    pairs = [f'{name}="{_encodable(value).translate(_ESCAPED)}"' for name, value in labels]
    return f"{{{','.join(pairs)}}}" if pairs else ""


def _encodable(value: str) -> str:
    return value.encode(errors="backslashreplace").decode()
