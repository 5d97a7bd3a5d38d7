"""Compare two models on the same documents: whether one is better or was lucky, and where they differ."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Final

import numpy as np

from textclf.artefacts.artefact import Artefact
from textclf.errors import UsageError
from textclf.evaluation.evaluate import outcome_of
from textclf.evaluation.metrics import Interval, Metrics, Resampled, interval
from textclf.evaluation.multi_label import MultiMetrics
from textclf.evaluation.outcome import Outcome
from textclf.evaluation.predictions import Predictions, predict
from textclf.inference.labelled import Labelled
from textclf.system import requirements

LISTED: Final = 10  # documents
MOST_WORDS: Final = 30  # of a document that are shown


@dataclass(frozen=True, slots=True)
class Difference:
    """A document that two models give different labels."""

    document: str
    label: str
    answers: tuple[str, str]
    probabilities: tuple[float, float]
    """What each model gives the document's own label or, of several, their mean."""
    text: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two runs, A and B, on the same documents."""

    runs: tuple[str, str]
    shots: tuple[int | None, int | None]
    """Documents of each label that each was trained on; None: all of its tier."""
    where: str
    """The split, or the files."""
    metrics: tuple[Metrics | MultiMetrics, Metrics | MultiMetrics]
    accuracy: float
    """B's minus A's; so are the other figures."""
    accuracy_interval: Interval
    macro_f1: float
    macro_f1_interval: Interval
    micro_f1: float
    """With one label per document it equals the accuracy."""
    micro_f1_interval: Interval
    only: tuple[int, int]
    """Number of documents that only A and that only B gets right; of several labels all, and no other."""
    p_value: float
    """McNemar's exact test: how often coin flips would divide those documents as unevenly, between 0 and 1."""
    differences: list[Difference]
    """The documents for whose label their probabilities differ most."""


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two models, on D documents."""

    run: str
    outcome: Outcome
    document: Callable[[int], str]
    """How a document is named."""
    label: Callable[[int], str]
    """Its own label, or labels."""
    text: Callable[[int], str]
    """Its beginning."""

    @classmethod
    def of_split(cls, found: Predictions) -> "Side":
        """On a split of the run's data."""
        return cls(found.run, found.outcome, found.document, found.label, partial(found.text, most=MOST_WORDS))

    @classmethod
    def of_files(cls, found: Labelled, trained: Artefact, *, run: str) -> "Side":
        """On the rows of files."""
        return cls(
            run,
            outcome_of(found, trained),
            lambda place: found.places[place],
            lambda place: ", ".join(found.labels[place]),
            lambda place: found.beginnings[place],
        )


def compare(first: Path, second: Path, *, split: str, code: Sequence[Path] = ()) -> Comparison:
    """Compare two runs, paired by document; a user's class comes from one of the files ``code``.

    Raises UsageError if their data is different.
    """
    requirements.need("compare", requirements.COMPARING)
    a, b = (predict(run, split=split, code=code) for run in (first, second))
    if a.data.manifest.fingerprint != b.data.manifest.fingerprint:
        raise UsageError(
            f"{a.run} and {b.run} have different data, {a.data.layout.root} and {b.data.layout.root}; "
            "compare them on a labelled file: textclf compare RUN_A RUN_B --input FILE"
        )
    return compare_sides(Side.of_split(a), Side.of_split(b), where=f"{split} split")


def compare_sides(a: Side, b: Side, *, where: str) -> Comparison:
    """Compare two models on the same documents, whatever their labels are."""
    from scipy.stats import binomtest

    documents = len(a.outcome.labels)
    right_a, right_b = a.outcome.is_right(), b.outcome.is_right()
    only = int((right_a & ~right_b).sum()), int((right_b & ~right_a).sum())
    metrics = a.outcome.measure(), b.outcome.measure()
    resampled = _paired(a.outcome.resampled(), b.outcome.resampled())
    return Comparison(
        runs=(a.run, b.run),
        shots=(_shots(a), _shots(b)),
        where=where,
        metrics=metrics,
        accuracy=metrics[1].accuracy - metrics[0].accuracy,
        accuracy_interval=interval(resampled["accuracy"], documents),
        macro_f1=metrics[1].macro_f1 - metrics[0].macro_f1,
        macro_f1_interval=interval(resampled["macro_f1"], documents),
        micro_f1=metrics[1].micro_f1 - metrics[0].micro_f1,
        micro_f1_interval=interval(resampled["micro_f1"], documents),
        only=only,
        p_value=float(binomtest(min(only), sum(only)).pvalue) if sum(only) else 1.0,
        differences=_differences(a, b),
    )


def _shots(side: Side) -> int | None:
    shots: int | None = side.outcome.trained.trained.get("shots")
    return shots


def _paired(a: Mapping[str, Resampled], b: Mapping[str, Resampled]) -> dict[str, Resampled]:
    """What the figures of B gain over those of A, in each resample."""
    return {name: _gain(a[name], b[name]) for name in a}


def _gain(a: Resampled, b: Resampled) -> Resampled:
    return lambda places: b(places) - a(places)


def _differences(a: Side, b: Side) -> list[Difference]:
    """Documents with different answers, those first for whose own label the models' probabilities differ most."""
    own = [side.outcome.own_probability() for side in (a, b)]  # each (D,)
    order = np.argsort(-np.abs(own[1] - own[0]), kind="stable").tolist()
    differing = (place for place in order if a.outcome.answer(place) != b.outcome.answer(place))
    return [
        Difference(
            document=a.document(place),
            label=a.label(place),
            answers=(a.outcome.answer(place), b.outcome.answer(place)),
            probabilities=(float(own[0][place]), float(own[1][place])),
            text=a.text(place),
        )
        for place in islice(differing, LISTED)
    ]
