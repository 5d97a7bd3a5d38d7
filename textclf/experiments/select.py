"""What to label next: the texts of a pool that a model learns most from, by its own probabilities (active learning).

Of all texts read, only the best candidates are kept, so that memory does not grow with the pool.
"""

import hashlib
import zlib
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import tee
from os import PathLike
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from textclf.config import SelectConfig
from textclf.dataset import near_copies
from textclf.inference.classifier import Classifier, Scores, batched, load_model, strings
from textclf.inference.outputs import separator_of
from textclf.models.arithmetic import Floats
from textclf.sources import Row
from textclf.system import listing
from textclf.system.wording import counted

CANDIDATES: Final = 10
"""Candidates for each text to choose: what `diverse` has a choice of, and what near-copies are searched in."""
FEWEST: Final = 1_000
"""Candidates that are kept at least."""
WORDS: Final = 4_096
"""Words that `diverse` compares texts by, the most frequent of the candidates."""


class Chosen(NamedTuple):
    """A text to label."""

    id: str
    """The user's, or where the row is; of texts in memory their number, from 0."""
    text: str
    suggested: str | tuple[str, ...]
    """The label that the model gives, or all labels where a text may have several."""
    probability: float
    """Of that label; of several, the one that is nearest to its threshold."""
    score: float
    """How much the text was wanted, between 0 and 1."""


@dataclass(frozen=True, slots=True)
class Selection:
    """The texts to label next."""

    chosen: list[Chosen]
    """The most wanted first."""
    rows: int
    """Rows that were read."""
    left_out: int
    """Rows that could not be read."""
    first_error: str
    """Why the first of those could not be."""
    excluded: int
    """Rows whose text is labelled already."""
    names: Mapping[str, str]
    """Names of the columns id, text and label, as in the documents that the model was trained on."""
    separator: str | None
    """Between several labels in a cell; None where a text has one."""

    def write(self, output: Path | None) -> None:
        """Write the list as CSV or, if the file ends in .jsonl, as JSON lines; None: as CSV to stdout."""
        names = {name: self.names.get(name, name) for name in (*Chosen._fields, "label")}
        rows = ({names[name]: value for name, value in each._asdict().items()} for each in self.chosen)
        empty = {names["label"]: None}
        listing.write((row | empty for row in rows), [*names.values()], output, separator=self.separator or "")


def select(
    classifier: Classifier, rows: Iterable[Row], config: SelectConfig, *, labelled: Iterable[Row] = ()
) -> Selection:
    """Choose texts to label; those of ``labelled`` are left out, and of texts that are nearly the same all but one."""
    pool = _Pool(classifier, config, known=frozenset(_key(row.text) for row in labelled if not row.error))
    pool.read(rows)
    chosen = _spread(pool, config) if config.by == "diverse" else pool.best(config.n)
    named = {name: getattr(classifier.trained.columns, name) for name in ("id", "label")}
    text = classifier.trained.columns.text
    return Selection(
        [each.chosen for each in chosen],
        pool.rows,
        pool.left_out,
        pool.first_error,
        pool.excluded,
        {name: value for name, value in {**named, "text": text[0] if len(text) == 1 else None}.items() if value},
        separator_of(classifier.trained),
    )


# Uncertainty


def uncertainty(scores: Scores, by: str, *, thresholds: Collection[float] = ()) -> NDArray[np.float64]:
    """How uncertain a model is of B texts, between 0 (certain) and 1; shape (B,).

    The measures are those of Settles, Active Learning Literature Survey (2009), section 3.1
    (https://minds.wisconsin.edu/handle/1793/60660), scaled. ``margin``: 1 minus the difference of the two highest
    probabilities; ``entropy``: over that of equal probabilities; ``least-confidence``: 1 minus the highest probability.

    With ``thresholds``, a text may have several labels, each judged by itself. ``margin``: 1 minus the distance of a
    label's probability from its threshold, of the nearest label (as in Brinker, 2006,
    https://doi.org/10.1007/3-540-31314-1_24); ``entropy``: the mean over labels; ``least-confidence``: the least
    certain label, 1 minus the probability of its answer.
    """
    shares = scores.probabilities.astype(np.float64)
    measure = _of_several if thresholds else _of_one
    found: NDArray[np.float64] = measure(shares, by, np.array(list(thresholds)))
    return found


def _of_one(shares: NDArray[np.float64], by: str, _thresholds: NDArray[np.float64]) -> NDArray[np.float64]:
    ordered = np.sort(shares, axis=1)
    found: NDArray[np.float64] = 1 - ordered[:, -1]
    if by == "entropy":
        found = _entropy(shares.T) / np.log(max(shares.shape[1], 2))
    elif by != "least-confidence" and shares.shape[1] > 1:
        found = found + ordered[:, -2]
    return found


def _of_several(shares: NDArray[np.float64], by: str, thresholds: NDArray[np.float64]) -> NDArray[np.float64]:
    if by == "entropy":
        pairs = _entropy(np.stack([shares, 1 - shares])) / np.log(2)  # (B, C)
        found: NDArray[np.float64] = pairs.mean(axis=1)
    elif by == "least-confidence":
        found = np.minimum(shares, 1 - shares).max(axis=1)
    else:
        found = 1 - np.abs(shares - thresholds).min(axis=1)
    return found


def _entropy(shares: NDArray[np.float64]) -> NDArray[np.float64]:
    """Entropy over the first axis, in nats."""
    entropy: NDArray[np.float64] = -(shares * np.log(np.maximum(shares, 1e-300))).sum(axis=0)
    return entropy


# Candidates


@dataclass(slots=True)
class _Candidate:
    """A text that may be chosen."""

    score: float
    number: int
    """Of its row."""
    key: int
    chosen: Chosen
    words: list[str] = field(default_factory=list)
    """Those of its text; empty until they are needed."""


class _Pool:
    """The best candidates of the rows read so far, none nearly the same as another."""

    def __init__(self, classifier: Classifier, config: SelectConfig, *, known: frozenset[int]) -> None:
        self._classifier, self._known = classifier, known
        self._by = "margin" if config.by == "diverse" else config.by
        self._most = max(CANDIDATES * config.n, FEWEST)
        self._draw = np.random.default_rng(config.seed)
        self._found: list[_Candidate] = []
        self._keys: set[int] = set()
        self._least = -1.0  # a candidate must score more, once there are enough
        self.rows = self.left_out = self.excluded = 0
        self.first_error = ""

    def read(self, rows: Iterable[Row]) -> None:
        """Keep the best of these rows."""
        usable, same = tee(self._usable(rows))
        for texts in batched(row.text for row in same):
            scores = self._classifier.scores(texts)
            for candidate, row in zip(self._judged(scores), usable, strict=False):
                self._keep(row, *candidate)
                if len(self._found) >= 2 * self._most:
                    self._compact()
        self._compact()

    def best(self, count: int) -> list[_Candidate]:
        """The best candidates, the best first."""
        return self._found[:count]

    def words(self, candidate: _Candidate) -> list[str]:
        """The words of a candidate's text."""
        candidate.words = candidate.words or self._classifier.trained.tokenizer.tokens(candidate.chosen.text)
        return candidate.words

    def _usable(self, rows: Iterable[Row]) -> Iterator[Row]:
        for row in rows:
            self.rows += 1
            if row.error:
                self.left_out += 1
                self.first_error = self.first_error or row.error
            elif _key(row.text) in self._known:
                self.excluded += 1
            else:
                yield row._replace(record={}, id=row.id if row.id is not None else row.place)

    def _judged(self, scores: Scores) -> Iterator[tuple[float, str | tuple[str, ...], float]]:
        """The score, the label and its probability of each text of a batch."""
        trained = self._classifier.trained
        if self._by == "random":
            wanted = self._draw.random(len(scores.probabilities))
        else:
            wanted = uncertainty(scores, self._by, thresholds=trained.thresholds)
        answers = self._classifier.name(self._classifier.best_of(scores, top_k=1))
        shown = _nearest(scores.probabilities, trained.thresholds) if trained.is_multi else None
        for place, (score, answer) in enumerate(zip(wanted.tolist(), answers, strict=True)):
            if shown is None:
                yield score, answer.label, answer.probability
            else:
                yield score, answer.labels, shown[place]

    def _keep(self, row: Row, score: float, suggested: str | tuple[str, ...], probability: float) -> None:
        if score <= self._least:
            return
        key = _key(row.text)
        if key not in self._keys:
            self._keys.add(key)
            chosen = Chosen(row.id or "", row.text, suggested, probability, score)
            self._found.append(_Candidate(score, len(self._keys), key, chosen))

    def _compact(self) -> None:
        """Sort the candidates, leave out near-copies, and keep as many as are needed."""
        self._found.sort(key=lambda each: (-each.score, each.chosen.id))
        if not self._found:
            return
        hashes = [_hashes(self.words(each)) for each in self._found]
        lengths = np.array([len(each) for each in hashes], dtype=np.int64)
        first = near_copies.near_copies(near_copies.signatures(np.concatenate(hashes), lengths))
        alone = np.flatnonzero(first == np.arange(len(first)))[: self._most].tolist()
        self._found = [self._found[place] for place in alone]
        self._keys = {each.key for each in self._found}
        if len(self._found) == self._most:
            self._least = self._found[-1].score


def _nearest(probabilities: Floats, thresholds: Collection[float]) -> list[float]:
    """The probability that is nearest to its threshold, of each text."""
    place = np.abs(probabilities - np.array(list(thresholds))).argmin(axis=1)
    nearest: list[float] = probabilities[np.arange(len(place)), place].tolist()
    return nearest


def _key(text: str) -> int:
    """The same for texts that differ by white space or case alone."""
    data = " ".join(text.lower().split()).encode(errors="surrogatepass")
    return int.from_bytes(hashlib.blake2b(data, digest_size=8).digest(), "big")


def _hashes(words: list[str]) -> NDArray[np.int32]:
    """A number for each word, known to the model or not; at least one."""
    numbers = [zlib.crc32(word.encode(errors="surrogatepass")) & 0x7FFFFFFF for word in words] or [0]
    return np.array(numbers, dtype=np.int32)


# Spread


def _spread(pool: _Pool, config: SelectConfig) -> list[_Candidate]:
    """One text of each cluster of the most uncertain, the most uncertain first.

    Clusters are those of k-means over the words of the texts (tf-idf), weighted by uncertainty, and the text nearest to
    the centre is taken: Zhdanov, Diverse mini-batch active learning (2019), https://arxiv.org/abs/1901.05954.
    """
    found = pool.best(CANDIDATES * config.n)
    if len(found) <= config.n:
        return found
    from sklearn.cluster import MiniBatchKMeans
    from sklearn.feature_extraction.text import TfidfVectorizer

    words = [pool.words(each) for each in found]
    vectors = TfidfVectorizer(analyzer=_as_given, max_features=WORDS, dtype=np.float32).fit_transform(words)
    weights = np.maximum([each.score for each in found], 1e-6)
    means = MiniBatchKMeans(config.n, n_init=1, random_state=config.seed, batch_size=4_096)
    cluster = means.fit_predict(vectors, sample_weight=weights)
    centres = (
        (start, means.cluster_centers_[cluster[start : start + FEWEST]]) for start in range(0, len(found), FEWEST)
    )
    nearness = np.concatenate(
        [np.asarray(vectors[start : start + FEWEST].multiply(some).sum(axis=1)).ravel() for start, some in centres]
    )
    order = np.lexsort((-nearness, cluster))
    _, starts = np.unique(cluster[order], return_index=True)
    chosen = {int(place) for place in order[starts]}
    others = (place for place in range(len(found)) if place not in chosen)  # a cluster may have remained empty
    chosen |= {place for place, _ in zip(others, range(config.n - len(chosen)), strict=False)}
    return [found[place] for place in sorted(chosen)]


def _as_given(words: list[str]) -> list[str]:
    return words


def select_texts(
    texts: Iterable[str],
    config: SelectConfig,
    *,
    labelled: Iterable[str],
    run: str | PathLike[str],
    code: str | PathLike[str] | Iterable[str | PathLike[str]],
) -> Selection:
    """Choose from texts in memory; raises what `load_model` raises, and UsageError at what is no text."""
    rows, known = (rows_of_texts(strings(some)) for some in (texts, labelled))
    return select(load_model(run, code=code), rows, config, labelled=known)


def rows_of_texts(texts: Iterable[str]) -> Iterator[Row]:
    """Rows of texts in memory, numbered from 0."""
    for number, text in enumerate(texts):
        empty = f"text {number} is empty" if not text.strip() else None
        yield Row("" if empty else text, id=str(number), error=empty, place=f"text {number}")


def sentences(selection: Selection, config: SelectConfig) -> list[str]:
    """What the selection comes to."""
    lines = [f"{counted(len(selection.chosen), 'text')} of {counted(selection.rows, 'row')} chosen by {config.by}"]
    if selection.excluded:
        lines.append(f"{counted(selection.excluded, 'row')} left out, as their text is labelled already")
    if selection.left_out:
        lines.append(f"{counted(selection.left_out, 'row')} could not be read, the first: {selection.first_error}")
    if len(selection.chosen) < config.n:
        lines.append(f"there are no more that differ from each other, of {counted(config.n, 'text')} asked for")
    return lines
