"""Predictions of a finished model for every document of a split, computed in numpy as in `textclf predict`."""

import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from textclf.artefacts import loading, runs
from textclf.artefacts.artefact import Artefact, TextsRead
from textclf.dataset.directory import DataDirectory
from textclf.dataset.documents import labels_of
from textclf.dataset.vectors import vectors_of
from textclf.errors import DataError, UsageError
from textclf.evaluation.outcome import Outcome
from textclf.evaluation.scoring import scoring_of
from textclf.system import files
from textclf.text import arrays
from textclf.text.tokenizer import Tokenizer
from textclf.text.vocabulary_map import VocabularyMap

Batch = tuple[NDArray[np.int32], NDArray[np.int64]]
"""Token ids of documents end to end, and the length of each."""

DOCUMENTS_AT_ONCE: Final = 256
TOKENS_AT_ONCE: Final = 1_000_000  # of these documents, unless one alone has more
MOST_TOKENS: Final = 60
"""Tokens of a document that `Predictions.text` shows by default."""


@dataclass(frozen=True)
class Predictions:
    """Labels and logits of the D documents of a split, of a model of C classes."""

    run: str
    data: DataDirectory
    split: str
    rows: NDArray[np.integer]
    """Shape (D,), rows of the table of documents."""
    labels: NDArray[np.int64]
    """Shape (D,), class indices; a negative number of its own for each label that is not in the training split."""
    raw: NDArray[np.float32]
    """Logits before calibration, shape (D, C)."""
    trained: Artefact
    words: tuple[str, ...] | None = None
    """The word of each id in the data, if the data has a larger vocabulary than the model."""

    @property
    def names(self) -> list[str]:
        """Label names by class index."""
        return self.trained.labels

    @cached_property
    def outcome(self) -> Outcome:
        """Answers and figures."""
        return Outcome(self.trained, scoring_of(self.data), self.labels, self.raw)

    def unseen(self) -> dict[str, int]:
        """Documents of each label that the training split does not have, by label."""
        if self.trained.is_multi:
            names, counts = self.data.unseen_labels(), self.outcome.truth[:, len(self.names) :].sum(axis=0).tolist()
            return {name: count for name, count in zip(names, counts, strict=True) if count}
        return dict(sorted(Counter(map(self.label, np.flatnonzero(self.labels < 0).tolist())).items()))

    def label(self, place: int) -> str:
        """The name of a document's own label, or the names of its labels."""
        return ", ".join(labels_of(self.data.documents.label_of(int(self.rows[place]))))

    def document(self, place: int) -> str:
        """The id of a document in its source: from an id column or a file name; where it has none, our own."""
        documents, row = self.data.documents, int(self.rows[place])
        source = documents.source[row]
        is_number = self.data.manifest.columns.id is None and source.isdecimal()  # of a row: each split has a row 1
        return documents.id_of(row) if is_number else source

    def text(self, place: int, *, most: int = MOST_TOKENS) -> str:
        """The known words of a document; the data directory does not keep texts."""
        words = self.words or self.trained.tokenizer.words
        tokens = self.data.tokens(int(self.rows[place]))
        known = [words[token] for token in tokens.tolist() if token < len(words)]
        return " ".join(known[:most]) + (" …" if len(known) > most else "")


def predict(run: Path, *, split: str, code: Sequence[Path] = ()) -> Predictions:
    """Predict every document of a split; a user's class comes from one of the files ``code``.

    Raises UsageError if there is no such run or split, or if the data has been rebuilt since; ArtefactError on damage.
    """
    found = runs.resolve(run)
    trained = loading.load(found.model, code=code)
    made = runs.data_of(found)
    data = DataDirectory.open(
        made.path, fingerprint=made.fingerprint, described=made.described, may_have_grown=True
    ).with_labels(trained.labels)
    return predict_split(trained, Tokens(data, trained.tokenizer), split=split, run=found.root.name)


class Tokens:
    """Token ids of documents in a model's vocabulary: that of the data, or a smaller one taken from it."""

    def __init__(self, data: DataDirectory, tokenizer: Tokenizer) -> None:
        self.data = data
        self.words: tuple[str, ...] | None = None
        self._packed = data.packed()
        self._map: VocabularyMap | None = None
        vocabulary = files.read_object(data.layout.tokenizer)
        if vocabulary != tokenizer.to_json():
            larger = Tokenizer.from_json(vocabulary)
            self.words = larger.words
            self._map = VocabularyMap.between(larger, tokenizer)

    def batches(self, rows: NDArray[np.integer], *, size: int = DOCUMENTS_AT_ONCE) -> Iterator[Batch]:
        """Batches of documents, smaller if they are long: their token ids end to end, and the length of each."""
        bounds = arrays.offsets(self.data.documents.tokens[rows])
        for some in arrays.row_slices(bounds, at_most=TOKENS_AT_ONCE, rows=size):
            batch = self._packed.gather(rows[some])
            yield self._map(*batch) if self._map else batch


def unknown_shares(data: DataDirectory, rows: NDArray[np.integer], tokenizer: Tokenizer) -> NDArray[np.float64]:
    """Share of unknown words of each document, shape (rows,), by a tokenizer with the data's words or fewer."""
    batches = Tokens(data, tokenizer).batches(rows)
    counts = [tokenizer.words_and_unknown(*batch) for batch in batches]
    return np.concatenate([unknown / words for words, unknown in counts])


def _with_vectors(
    trained: Artefact, data: DataDirectory, rows: NDArray[np.integer], batches: Iterable[Batch]
) -> Iterator[TextsRead]:
    """Batches of the documents of these rows, with their vectors if the model has an encoder."""
    if trained.view is None:
        yield from (TextsRead(*batch) for batch in batches)
        return
    vectors, start = vectors_of(data, trained.view.encoder, rows, most=sys.maxsize), 0
    for tokens, lengths in batches:
        stop = start + len(lengths)
        yield TextsRead(tokens, lengths, vectors.of(rows[start:stop]))
        start = stop


def predict_split(trained: Artefact, tokens: Tokens, *, split: str, run: str) -> Predictions:
    """Predict every document of a split.

    Raises UsageError if there is no such split or the data has labels of another kind, DataError if none of its
    documents has a label of a training document, and what `vectors_of` raises.
    """
    data = tokens.data
    rows, labels = data.rows(split), data.classes().astype(np.int64)
    if not len(rows):
        raise UsageError(f"{data.layout.root} has no {split} split")
    if (labels[rows] < 0).all():
        raise DataError(f"{data.layout.root}: no {split} document has a label that a training document has")
    read = _with_vectors(trained, data, rows, tokens.batches(rows))
    raw = np.concatenate([trained.raw_logits(*batch) for batch in read])
    return Predictions(run, data, split, rows, labels[rows], raw, trained, tokens.words)
