"""The same settings with several random seeds, to see how much of a result is luck."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from statistics import mean, stdev
from typing import Any, NamedTuple

from textclf.artefacts import runs
from textclf.config import TrainConfig
from textclf.training.display import Display
from textclf.training.setup import set_up_while_torch_loads


class Spread(NamedTuple):
    """A figure over several runs."""

    mean: float
    deviation: float
    """Standard deviation of the sample; 0 for one run."""


def over_seeds(config: TrainConfig, count: int, *, display: Display) -> Iterator[runs.RunLayout]:
    """Train with ``count`` consecutive seeds, starting at that of the settings; yield each run as it ends."""
    setup = set_up_while_torch_loads(config)
    from textclf.training import run

    for seed in range(config.seed, config.seed + count):
        yield run.train(replace(setup, config=replace(setup.config, seed=seed)), display=display)


def spread(metrics: Sequence[Mapping[str, Any]], split: str, figure: str) -> Spread:
    """Mean and standard deviation of a figure of metrics.json over runs."""
    values = [run[split][figure] for run in metrics]
    return Spread(mean(values), stdev(values) if len(values) > 1 else 0.0)
