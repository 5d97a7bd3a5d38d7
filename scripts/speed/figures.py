"""Measured values and their statistics: samples, rows of a table, medians, ratios. No processes, no files."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any, Final

MEGA: Final = 1e6


@dataclass(frozen=True, slots=True)
class Sample:
    """Repeated measurements of one quantity."""

    name: str
    values: tuple[float, ...]
    """In the order of the turns; empty if it could not be measured."""
    note: str = ""
    """A remark for the table, such as the accuracy."""

    @property
    def median(self) -> float:
        """The median of the values."""
        return median(self.values)


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the table: textclf, and a peer or lower bound measured in turns with it."""

    measure: str
    unit: str
    """A key of FORMATS."""
    ours: Sample
    against: Sample | None = None

    def ratios(self) -> list[float]:
        """Our value divided by theirs, per turn: a machine that is busy for a while slows both of a turn."""
        if self.against is None:
            return []
        return [mine / other for mine, other in zip(self.ours.values, self.against.values, strict=True)]

    def cells(self) -> list[str]:
        """The columns of HEAD."""
        return [self.measure, self._cell(self.ours), self._cell(self.against), ratio(self.ratios()), self._spread()]

    def _cell(self, sample: Sample | None) -> str:
        if sample is None:
            return ""
        shown = FORMATS[self.unit](sample.median) if sample.values else "not measured"
        return f"{sample.name}: {shown}{f' ({sample.note})' if sample.note else ''}"

    def _spread(self) -> str:
        if self.against is not None:
            return spread(self.ratios())
        if len(self.ours.values) < 2:
            return ""
        return " to ".join(FORMATS[self.unit](end(self.ours.values)) for end in (min, max))

    def to_json(self) -> dict[str, Any]:
        """The row as JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, row: Mapping[str, Any]) -> "Row":
        """The row that `to_json` returned."""
        ours, against = (value and Sample(**{**value, "values": tuple(value["values"])}) for value in _pair(row))
        return cls(row["measure"], row["unit"], ours, against)


HEAD: Final = ["measure", "textclf", "against", "ratio", "spread"]


def _pair(row: Mapping[str, Any]) -> tuple[Any, Any]:
    return row["ours"], row["against"]


def seconds(value: float) -> str:
    """Seconds with about three digits."""
    return f"{value:.{3 if value < 1 else 2 if value < 10 else 1}f} s"


FORMATS: Final[Mapping[str, Callable[[float], str]]] = {
    "s": seconds,
    "MB": lambda value: f"{value / MEGA:,.0f} MB",
    "share": lambda value: f"{value:.1%}",
    "documents/s": lambda value: f"{value:,.0f} documents/s",
    "tokens/s": lambda value: f"{value:,.0f} tokens/s",
}
"""Formats a value of each unit; memory is in bytes."""


def ratio(ratios: Sequence[float]) -> str:
    """The median ratio, with about three digits."""
    return _short(median(ratios)) if ratios else ""


def spread(ratios: Sequence[float]) -> str:
    """The lowest and the highest ratio of the turns."""
    return f"{_short(min(ratios))} to {_short(max(ratios))}" if len(ratios) > 1 else ""


def _short(value: float) -> str:
    return f"{value:.{3 if value < 0.1 else 2 if value < 10 else 1 if value < 100 else 0}f}"
