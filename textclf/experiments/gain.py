"""What settings gain over others on the same documents, with an interval, also where they were chosen on these.

The best of many trials on some documents owes part of its lead to luck with these. So resamples of the documents
choose, and the documents that a resample leaves out measure what it has chosen: the bootstrap bias-corrected
cross-validation of https://doi.org/10.1007/s10994-018-5714-4. D documents, N trials, R resamples.
"""

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

import numpy as np

from textclf.evaluation.goal import Figures, Weights, value
from textclf.evaluation.metrics import LEVEL, Interval

RESAMPLES: Final = 1_000
FEWEST: Final = 100
"""Resamples where there are very many documents and trials, whose luck is small."""
MOST_NUMBERS: Final = 2_000_000_000
"""Number of trials times documents times resamples, if these are more than FEWEST."""
AT_ONCE: Final = 10_000_000
"""Numbers in the weights of the resamples that are in memory."""


class Gain(NamedTuple):
    """What some settings gain over others; positive is better, of a loss, too."""

    before: float
    after: float
    gain: float
    """The difference or, where the settings were chosen on the same documents, what is left of it without that luck."""
    interval: Interval
    """Contains the gain of LEVEL of the resamples; NaN for fewer than two documents."""

    @property
    def is_noise(self) -> bool:
        """Whether the interval includes 0."""
        return not self.interval[0] > 0


def paired(before: Figures, after: Figures, documents: int) -> Gain:
    """The gain on documents that nothing was chosen on."""
    values = value(before, documents), value(after, documents)
    gains = [after(weights) - before(weights) for weights in _resamples(documents, trials=2)]
    return Gain(*values, values[1] - values[0], _interval(gains))


def of_choice(trials: Sequence[Figures], chosen: int, documents: int) -> Gain:
    """The gain over the first trial of choosing among all, of which ``chosen`` was chosen on these documents."""
    values = value(trials[0], documents), value(trials[chosen], documents)
    gains = []
    for weights in _resamples(documents, trials=len(trials)):
        left_out = (weights == 0).astype(np.float32)
        best = np.stack([figures(weights) for figures in trials]).argmax(axis=0)  # (R,), of equal ones the earlier
        measured = np.stack([figures(left_out) for figures in trials])  # (N, R)
        gains.append(measured[best, np.arange(len(best))] - measured[0])
    mean = float(np.concatenate(gains).mean()) if gains else 0.0
    return Gain(*values, mean, _interval(gains))


def _resamples(documents: int, *, trials: int) -> Iterator[Weights]:
    """How often each document is in each of some resamples, a few resamples at a time."""
    if documents < 2:
        return
    count = int(np.clip(MOST_NUMBERS // (trials * documents), FEWEST, RESAMPLES))
    generator, at_once = np.random.default_rng(0), max(AT_ONCE // documents, 1)
    for first in range(0, count, at_once):
        size = min(at_once, count - first)
        yield generator.multinomial(documents, np.full(documents, 1 / documents), size=size).astype(np.float32)


def _interval(gains: list[np.ndarray[tuple[int], np.dtype[np.float64]]]) -> Interval:
    if not gains:
        return (float("nan"), float("nan"))
    low, high = np.quantile(np.concatenate(gains), ((1 - LEVEL) / 2, (1 + LEVEL) / 2)).tolist()
    return low, high
