"""Compare two models on the same documents: whether one is better or was lucky, and where they differ."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from textclf.errors import UsageError
from textclf.evaluation.metrics import Interval, Metrics, Resampled, accuracies, interval, macro_f1s, measure
from textclf.evaluation.predictions import Predictions, predict
from textclf.system import requirements

LISTED: Final = 10  # documents


@dataclass(frozen=True, slots=True)
class Difference:
    """A document that two models give different labels."""

    document: str
    label: str
    answers: tuple[str, str]
    probabilities: tuple[float, float]
    """What each model gives the document's own label."""
    text: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two runs, A and B, on one split."""

    runs: tuple[str, str]
    split: str
    metrics: tuple[Metrics, Metrics]
    accuracy: float
    """B's minus A's; so are the other figures."""
    accuracy_interval: Interval
    macro_f1: float
    macro_f1_interval: Interval
    only: tuple[int, int]
    """Number of documents that only A and that only B gets right."""
    p_value: float
    """McNemar's exact test: how often coin flips would divide those documents as unevenly, between 0 and 1."""
    differences: list[Difference]
    """The documents for whose label their probabilities differ most."""


def compare(first: Path, second: Path, *, split: str, code: Sequence[Path] = ()) -> Comparison:
    """Compare two runs, paired by document; a user's class comes from one of the files ``code``.

    Raises UsageError if their data is different.
    """
    requirements.need("compare", requirements.COMPARING)
    a, b = (predict(run, split=split, code=code) for run in (first, second))
    if a.data.manifest.fingerprint != b.data.manifest.fingerprint:
        raise UsageError(
            f"{a.run} and {b.run} have different data, {a.data.layout.root} and {b.data.layout.root}; "
            "train both on one: textclf train --data NAME"
        )
    return _compare(a, b)


def _compare(a: Predictions, b: Predictions) -> Comparison:
    from scipy.stats import binomtest

    documents = len(a.labels)
    right_a, right_b = a.answers == a.labels, b.answers == b.labels
    only = int((right_a & ~right_b).sum()), int((right_b & ~right_a).sum())
    metrics = measure(a.labels, a.logits), measure(b.labels, b.logits)
    accuracy = _paired(accuracies(a.labels, a.answers), accuracies(b.labels, b.answers))
    macro_f1 = _paired(macro_f1s(a.labels, a.answers), macro_f1s(b.labels, b.answers))
    return Comparison(
        runs=(a.run, b.run),
        split=a.split,
        metrics=metrics,
        accuracy=metrics[1].accuracy - metrics[0].accuracy,
        accuracy_interval=interval(accuracy, documents),
        macro_f1=metrics[1].macro_f1 - metrics[0].macro_f1,
        macro_f1_interval=interval(macro_f1, documents),
        only=only,
        p_value=float(binomtest(min(only), sum(only)).pvalue) if sum(only) else 1.0,
        differences=_differences(a, b),
    )


def _paired(a: Resampled, b: Resampled) -> Resampled:
    return lambda places: b(places) - a(places)


def _differences(a: Predictions, b: Predictions) -> list[Difference]:
    known = np.flatnonzero((a.labels >= 0) & (a.answers != b.answers))
    probabilities = [found.probabilities[known, a.labels[known]] for found in (a, b)]  # each (K,)
    order = np.argsort(-np.abs(probabilities[1] - probabilities[0]), kind="stable")[:LISTED]
    return [
        Difference(
            document=a.document(place),
            label=a.label(place),
            answers=(a.names[a.answers[place]], b.names[b.answers[place]]),
            probabilities=(float(probabilities[0][number]), float(probabilities[1][number])),
            text=a.text(place, most=30),
        )
        for number, place in zip(order.tolist(), known[order].tolist(), strict=True)
    ]
