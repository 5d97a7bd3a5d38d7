"""A score to hold: whether a model is as good as it must be, or has lost too much against another."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from textclf.errors import QualityError, UsageError

if TYPE_CHECKING:
    from textclf.evaluation.metrics import Interval


class Bound(NamedTuple):
    """The least value of a figure."""

    name: str
    """Field of the metrics, such as macro_f1."""
    least: float

    @classmethod
    def parse(cls, text: str) -> "Bound":
        """A bound as in ``macro_f1=0.8``; raises UsageError for anything else."""
        name, equals, value = text.partition("=")
        try:
            least = float(value)
        except ValueError:
            least = -1.0
        if not equals or not 0 <= least <= 1:
            raise UsageError(f"--min {text}: give a figure and its least value between 0 and 1, as in accuracy=0.9")
        return cls(name.strip().replace("-", "_").lower(), least)


def hold(bounds: Sequence[Bound], figures: Mapping[str, float], intervals: Mapping[str, "Interval"]) -> None:
    """Raise QualityError if a figure is below its bound, UsageError if there is no such figure.

    The message says by how much, and whether the 95 % interval of the figure, if it has one, includes the bound.
    """
    missed = []
    for name, least in bounds:
        if name not in figures:
            raise UsageError(f"--min {name}={least:g}: there is no such figure; there are {', '.join(figures)}")
        if (value := figures[name]) < least:
            missed.append(
                f"{name} is {value:.4f}, {least - value:.4f} below {least:g}{_allowed(name, least, intervals)}"
            )
    if missed:
        raise QualityError("; ".join(missed))


def _allowed(name: str, least: float, intervals: Mapping[str, "Interval"]) -> str:
    """Whether the interval of a figure says that it may be as high as the bound; nothing if it has none."""
    if name not in intervals:
        return ""
    low, high = intervals[name]
    verdict = "includes" if high >= least else "does not include"
    return f" (its 95 % interval, {low:.4f} to {high:.4f}, {verdict} that)"


def refuse_drop(name: str, drop: float, interval: "Interval", *, most: float, baseline: str) -> None:
    """Raise QualityError if a figure is lower than that of a baseline by more than ``most``, both in percentage points.

    interval: 95 % interval of the gain, as a fraction.
    """
    if drop <= most:
        return
    low, high = (100 * bound for bound in interval)
    verdict = "includes" if high >= -most else "does not include"
    raise QualityError(
        f"{name} is {drop:.2f} points below that of {baseline}, and at most {most:g} are allowed "
        f"(the 95 % interval of the change, {low:+.2f} to {high:+.2f} points, {verdict} that)"
    )
