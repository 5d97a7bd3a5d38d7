"""Which settings a search tries, and in which range: a few around the defaults, of those that the model has.

The defaults are known to be good, so that the ranges lie around them: a factor of four for the learning rate, and
powers of two for sizes. Settings that would need other features, or another data directory, are not tried.
"""

from dataclasses import dataclass, fields
from math import log2
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from textclf.config import BALANCED, NONE, TrainConfig
from textclf.training.setup import Setup, required

if TYPE_CHECKING:
    from collections.abc import Mapping

    from optuna.distributions import BaseDistribution

LR_FACTOR: Final = 4.0
"""The learning rate is between this fraction and this multiple of the default, which fits the batch size."""
DIGITS: Final = 3
"""Significant digits of the learning rate, so that a command line repeats it."""
MOST_DROPPED: Final = 0.8
MOST_WORDS_DROPPED: Final = 0.5
MOST_SMOOTHING: Final = 0.2
MOST_SMOOTHING_OF_SEVERAL: Final = 0.05
MORE_PATIENCE: Final = 2
SIZES: Final = {"batch_size": (-1, 2), "hidden_size": (-2, 1), "embedding_size": (-1, 1)}
"""Powers of two by which a size is multiplied, from and to."""
SMALLEST: Final = 8
"""Fewest units or documents of a size that is tried, unless the default has fewer."""
SMALLEST_WEIGHT: Final = 0.5
"""Bytes of a weight in the smallest precision of an export, int4."""


class Dimension(NamedTuple):
    """The values of one setting that are tried."""

    low: float
    high: float
    start: float
    """The default."""
    kind: str
    """``factor`` and ``fraction`` are continuous; ``power`` of two, ``count`` and ``choice`` are whole."""

    def distribution(self) -> "BaseDistribution":
        """As Optuna draws from it."""
        from optuna.distributions import FloatDistribution, IntDistribution

        if self.kind in ("factor", "fraction"):
            return FloatDistribution(self.low, self.high, log=self.kind == "factor")
        return IntDistribution(int(self.low), int(self.high))


@dataclass(frozen=True, slots=True)
class SearchSpace:
    """The settings that are tried, by name."""

    defaults: TrainConfig
    """Completed."""
    dimensions: "Mapping[str, Dimension]"

    @classmethod
    def around(cls, setup: Setup, *, weighs_classes: bool, max_size: int | None = None) -> "SearchSpace":
        """Around the settings of a setup; ``weighs_classes``: whether rare classes count as much as frequent ones.

        ``max_size``: bytes of the exported model; sizes that would not fit in it are not tried.
        """
        config = setup.config
        found = {"lr": Dimension(1 / LR_FACTOR, LR_FACTOR, 1.0, "factor")}
        for name, (low, high) in SIZES.items():
            if (usual := getattr(config, name)) is not None:
                found[name] = Dimension(max(low, _fewest(usual)), high, 0, "power")
        several = setup.data.is_multi
        most: dict[str, float] = {
            "dropout": MOST_DROPPED,
            "word_dropout": MOST_WORDS_DROPPED,
            "label_smoothing": MOST_SMOOTHING_OF_SEVERAL if several else MOST_SMOOTHING,
        }
        for name, share in most.items():
            if (usual := getattr(config, name)) is not None:
                found[name] = Dimension(0, max(share, usual), usual, "fraction")
        patience = required(config.patience)
        found["patience"] = Dimension(patience, patience + MORE_PATIENCE, patience, "count")
        if weighs_classes:
            found["class_weights"] = Dimension(0, 1, 0, "choice")
        space = cls(config, found)
        return space if max_size is None else space._fitting(setup, max_size)

    def distributions(self) -> "dict[str, BaseDistribution]":
        """What is drawn for a trial."""
        return {name: dimension.distribution() for name, dimension in self.dimensions.items()}

    def start(self) -> dict[str, float]:
        """What would be drawn for the defaults."""
        return {
            name: each.start if each.kind in ("factor", "fraction") else int(each.start)
            for name, each in self.dimensions.items()
        }

    def settings(self, drawn: "Mapping[str, float]") -> dict[str, Any]:
        """The settings of a trial, of those of `TrainConfig` that it changes; none if the defaults were drawn."""
        if dict(drawn) == self.start():
            return {}
        found: dict[str, Any] = {}
        for name, number in drawn.items():
            kind = self.dimensions[name].kind
            if kind == "power":
                found[name] = _times(getattr(self.defaults, name), int(number))
            elif kind == "choice":
                found[name] = BALANCED if number else NONE
            elif kind != "factor":
                found[name] = round(number, 2) if kind == "fraction" else int(number)
        batch_size = required(self.defaults.batch_size)
        fitting = (found["batch_size"] / batch_size) ** 0.5
        found["lr"] = float(f"{required(self.defaults.lr) * drawn['lr'] * fitting:.{DIGITS}g}")
        order = [field.name for field in fields(TrainConfig)]
        return {name: found[name] for name in sorted(found, key=order.index)}

    def _fitting(self, setup: Setup, max_size: int) -> "SearchSpace":
        """Without the hidden sizes whose export would be too large; the smallest is tried at least."""
        name = "hidden_size"
        if name not in self.dimensions:
            return self
        dimension, high = self.dimensions[name], int(self.dimensions[name].high)
        while high > dimension.low:
            hidden_size = _times(getattr(self.defaults, name), high)
            if SMALLEST_WEIGHT * weights(setup.changed(hidden_size=hidden_size)) <= max_size:
                break
            high -= 1
        narrower = dimension._replace(high=high, start=min(dimension.start, high))
        return SearchSpace(self.defaults, {**self.dimensions, name: narrower})


def weights(setup: Setup) -> int:
    """Number of weights of the network of these settings; none is made."""
    import torch

    from textclf.models import parameters

    with torch.device("meta"):
        return parameters(setup.config.kind.architecture().network(**setup.network_arguments()))


def _fewest(usual: int) -> int:
    """The smallest power of two that leaves a size at SMALLEST or more."""
    return min(0, -int(log2(max(usual / SMALLEST, 1))))


def _times(size: int, power: int) -> int:
    """A size, times two to a power."""
    return max(round(size * 2.0**power), 1)
