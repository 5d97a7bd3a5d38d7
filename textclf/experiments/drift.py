"""Whether new texts differ from the documents that a run was tested on: drift.

Four things are compared: unknown words, the probability of the answer, the number of words, and the predicted labels.
Of each, only counts are kept, so that memory does not grow with the texts. A difference counts as drift if it is both
larger than chance makes it and large enough to matter: of a million texts, any difference is larger than chance.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from math import sqrt
from os import PathLike
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from textclf.artefacts import runs
from textclf.artefacts.artefact import Artefact
from textclf.dataset.directory import DataDirectory
from textclf.errors import DataError
from textclf.evaluation.predictions import Predictions, Tokens, predict_split
from textclf.experiments.select import rows_of_texts
from textclf.inference.classifier import Classifier, batched, load_model, strings
from textclf.sources import Row
from textclf.system.wording import counted, percent

CHANCE: Final = 0.01
"""How likely it is, where nothing has changed, that some measure is larger than chance makes it."""
MATTERS: Final = 0.1
"""Distance from which on a difference matters, between 0 and 1."""
BINS: Final = 1_000
"""Bins of shares and of probabilities."""
MOST_WORDS: Final = 10_000
"""Words per text up to which lengths are told apart."""
FEWEST_EXPECTED: Final = 5.0
"""Labels that are expected in fewer texts are one, as a chi-squared test needs."""
MOST_LABELS: Final = 3
"""Labels in a sentence."""

UNKNOWN: Final = "unknown words"
SURENESS: Final = "probability of the answer"
LENGTH: Final = "words per text"
LABELS: Final = "predicted labels"


class Measure(NamedTuple):
    """One comparison of the documents that were held out with the new texts."""

    name: str
    before: float | None
    """Of the documents: the mean share or probability, or the median number of words; None of labels."""
    now: float | None
    """Of the new texts."""
    distance: float
    """Between 0 (the same) and 1: the largest difference of the cumulative distributions or, of labels, half the sum of
    the differences of their shares."""
    p_value: float
    """How likely a distance as large is by chance: Kolmogorov and Smirnov's test of two samples, chi-squared of
    labels."""

    @property
    def is_drift(self) -> bool:
        """Whether the difference is larger than chance makes it, and matters."""
        return self.p_value < CHANCE / len(NAMES) and self.distance >= MATTERS


NAMES: Final = (UNKNOWN, SURENESS, LENGTH, LABELS)


class LabelShare(NamedTuple):
    """How many texts get a label."""

    label: str | None
    """None: no label, where a text may have several."""
    before: float
    """Share among the answers for the documents."""
    now: float
    """Share among the answers for the new texts."""


@dataclass(frozen=True, slots=True)
class Drift:
    """New texts beside the held-out documents of a run."""

    run: str
    split: str
    """The split of the documents: test or, of a run without one, validation."""
    documents: int
    rows: int
    """Rows of the new texts that were read."""
    left_out: int
    """Rows that could not be read."""
    first_error: str
    measures: tuple[Measure, ...]
    labels: tuple[LabelShare, ...]
    """The largest difference first."""

    @property
    def found(self) -> tuple[str, ...]:
        """The names of the measures that say that the texts have changed."""
        return tuple(measure.name for measure in self.measures if measure.is_drift)

    def __bool__(self) -> bool:
        return bool(self.found)

    def sentences(self) -> Iterator[str]:
        """What has changed, in words, or that nothing has."""
        held, new = f"the {self.split} documents", "the new texts"
        for measure in self.measures:
            if measure.is_drift and measure.name == LABELS:
                yield f"the labels have changed: {', '.join(map(_shown, self.labels[:MOST_LABELS]))}"
            elif measure.is_drift:
                before, now = shown(measure.name, measure.before), shown(measure.name, measure.now)
                yield f"{measure.name}: {now} in {new}, {before} in {held}"
        if not self.found:
            yield f"no drift: {new} are like {held}, as far as {counted(self.rows - self.left_out, 'text')} can tell"

    def to_json(self) -> dict[str, Any]:
        """The numbers as JSON."""
        return {
            "run": self.run,
            "split": self.split,
            "documents": self.documents,
            "rows": self.rows,
            "left_out": self.left_out,
            "drift": list(self.found),
            "measures": [{**measure._asdict(), "is_drift": measure.is_drift} for measure in self.measures],
            "labels": [share._asdict() for share in self.labels],
        }


def shown(name: str, value: float | None) -> str:
    """The value of a measure for a person."""
    if value is None:
        return ""
    return f"{value:,.0f}" if name == LENGTH else percent(value, digits=1) if name == UNKNOWN else f"{value:.2f}"


def _shown(share: LabelShare) -> str:
    name = "no label" if share.label is None else share.label
    return f"{name} {percent(share.now)}, before {percent(share.before)}"


def drift(classifier: Classifier, held_out: Predictions, rows: Iterable[Row]) -> Drift:
    """Compare the texts of rows with documents that the model has not learned from.

    Raises DataError if none of the rows has a text.
    """
    before, now = _of_documents(held_out), _Counts.empty(classifier.trained)
    reader = _Reader(rows)
    for texts in batched(reader.texts()):
        scores = classifier.scores(texts)
        now.add(classifier.trained, scores.unknown, scores.words, scores.probabilities, scores.logits)
    if not now.texts:
        raise DataError(f"no text to compare: {reader.first_error or 'the files have no rows'}")
    return Drift(
        held_out.run,
        held_out.split,
        before.texts,
        reader.rows,
        reader.left_out,
        reader.first_error,
        tuple(_measures(before, now)),
        tuple(_shares(before, now, classifier.labels)),
    )


def held_out(run: str | PathLike[str], classifier: Classifier) -> Predictions:
    """The model's predictions for the test documents of its run or, if there are none, for those of validation.

    Raises UsageError if there is no such run, or if its data are no longer there or have been rebuilt.
    """
    found = runs.resolve(Path(run))
    made = runs.data_of(found)
    data = DataDirectory.open(made.path, fingerprint=made.fingerprint, described=made.described)
    split = "test" if len(data.rows("test")) else "validation"
    tokens = Tokens(data, classifier.trained.tokenizer)
    return predict_split(classifier.trained, tokens, split=split, run=found.root.name)


# Counts


class _Reader:
    """Passes the texts of rows on, and counts those that cannot be read."""

    def __init__(self, rows: Iterable[Row]) -> None:
        self._rows = rows
        self.rows = self.left_out = 0
        self.first_error = ""

    def texts(self) -> Iterator[str]:
        for row in self._rows:
            self.rows += 1
            if row.error:
                self.left_out += 1
                self.first_error = self.first_error or row.error
            else:
                yield row.text


@dataclass(slots=True)
class _Counts:
    """How many texts have which value of each measure, and the sums of the values."""

    unknown: NDArray[np.int64]
    """Shape (BINS + 1,), by the share of unknown words."""
    sureness: NDArray[np.int64]
    """Shape (BINS + 1,), by the probability of the answer."""
    words: NDArray[np.int64]
    """Shape (MOST_WORDS + 1,), by the number of words."""
    labels: NDArray[np.int64]
    """Shape (C + 1,): answers by class, and last those without a label."""
    sums: NDArray[np.float64]
    """Of the first two, shape (2,)."""

    @classmethod
    def empty(cls, trained: Artefact) -> "_Counts":
        sizes = (BINS + 1, BINS + 1, MOST_WORDS + 1, len(trained.labels) + 1)
        unknown, sureness, words, labels = (np.zeros(size, dtype=np.int64) for size in sizes)
        return cls(unknown, sureness, words, labels, np.zeros(2))

    @property
    def texts(self) -> int:
        return int(self.words.sum())

    def add(
        self,
        trained: Artefact,
        unknown: NDArray[np.floating],
        words: NDArray[np.integer],
        probabilities: NDArray[np.float32],
        logits: NDArray[np.float32],
    ) -> None:
        """Count B texts; probabilities and calibrated logits are of shape (B, C)."""
        if trained.is_multi:
            given = trained.given(probabilities)  # (B, C)
            sureness = np.maximum(probabilities, 1 - probabilities).mean(axis=1)
            answers = np.append(given.sum(axis=0), (~given.any(axis=1)).sum())
        else:
            sureness = probabilities.max(axis=1)
            answers = np.bincount(logits.argmax(axis=1), minlength=len(self.labels))
        for counts, values in ((self.unknown, unknown * BINS), (self.sureness, sureness * BINS), (self.words, words)):
            np.add.at(counts, np.rint(values).astype(np.int64).clip(0, len(counts) - 1), 1)
        self.labels += answers
        self.sums += (float(unknown.sum()), float(sureness.sum()))


def _of_documents(found: Predictions) -> _Counts:
    """The counts of documents that have been predicted."""
    tokens, trained = Tokens(found.data, found.trained.tokenizer), found.trained
    counts, start = _Counts.empty(trained), 0
    for batch in tokens.batches(found.rows):
        stop = start + len(batch[1])
        words, unknown = trained.tokenizer.words_and_unknown(*batch)
        logits = trained.calibrated(found.raw[start:stop])
        counts.add(trained, unknown / words, words, trained.probabilities(logits), logits)
        start = stop
    return counts


# Comparison


def _measures(before: _Counts, now: _Counts) -> Iterator[Measure]:
    means = (before.sums / before.texts).tolist(), (now.sums / now.texts).tolist()
    for place, (name, held, new) in enumerate(
        ((UNKNOWN, before.unknown, now.unknown), (SURENESS, before.sureness, now.sureness))
    ):
        yield Measure(name, means[0][place], means[1][place], *kolmogorov_smirnov(held, new))
    yield Measure(LENGTH, _median(before.words), _median(now.words), *kolmogorov_smirnov(before.words, now.words))
    yield Measure(LABELS, None, None, *chi_squared(before.labels, now.labels))


def _median(counts: NDArray[np.int64]) -> float:
    return float(np.searchsorted(np.cumsum(counts), (counts.sum() + 1) // 2))


def kolmogorov_smirnov(before: NDArray[np.int64], now: NDArray[np.int64]) -> tuple[float, float]:
    """The distance of two samples, given as counts by value, and its p-value (Smirnov's limit for large samples).

    See https://en.wikipedia.org/wiki/Kolmogorov%E2%80%93Smirnov_test. Values in one bin count as equal, so that the
    p-value is rather too large.
    """
    from scipy.special import kolmogorov  # late: 0.1 s

    sizes = before.sum(), now.sum()
    distance = float(np.abs(np.cumsum(before) / sizes[0] - np.cumsum(now) / sizes[1]).max())
    return distance, float(kolmogorov(sqrt(sizes[0] * sizes[1] / (sizes[0] + sizes[1])) * distance))


def chi_squared(before: NDArray[np.int64], now: NDArray[np.int64]) -> tuple[float, float]:
    """The distance of two samples of labels, given as counts, and the p-value of a chi-squared test of homogeneity.

    Labels that are expected in few texts are counted as one.
    """
    from scipy.special import chdtrc

    both = np.stack([before, now]).astype(np.float64)  # (2, C)
    shares = both / both.sum(axis=1, keepdims=True)
    distance = float(np.abs(shares[0] - shares[1]).sum() / 2)
    is_rare = both.sum(axis=0) * both.sum(axis=1).min() / both.sum() < FEWEST_EXPECTED
    pooled = np.column_stack([both[:, ~is_rare], both[:, is_rare].sum(axis=1)])
    pooled = pooled[:, pooled.sum(axis=0) > 0]
    expected = np.outer(pooled.sum(axis=1), pooled.sum(axis=0)) / pooled.sum()
    degrees = pooled.shape[1] - 1
    if not degrees:
        return distance, 1.0
    return distance, float(chdtrc(degrees, ((pooled - expected) ** 2 / expected).sum()))


def _shares(before: _Counts, now: _Counts, names: Sequence[str]) -> list[LabelShare]:
    shares = (counts.labels / counts.labels.sum() for counts in (before, now))
    found = [LabelShare(*each) for each in zip((*names, None), *(share.tolist() for share in shares), strict=True)]
    usual = [share for share in found if share.label is not None or share.before or share.now]
    return sorted(usual, key=lambda share: (-abs(share.now - share.before), share.label or ""))


def drift_of_texts(
    texts: Iterable[str], *, run: str | PathLike[str], code: str | PathLike[str] | Iterable[str | PathLike[str]]
) -> Drift:
    """Compare texts in memory; raises what `drift` and `held_out` raise, and UsageError at what is no text."""
    classifier = load_model(run, code=code)
    return drift(classifier, held_out(run, classifier), rows_of_texts(strings(texts)))
