"""What a corpus would become, from reading all of it; nothing is written."""

from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np

from textclf.config import TENSORS, PreprocessConfig
from textclf.dataset import corrections
from textclf.dataset.build import check_labels, options_of
from textclf.dataset.label_sets import find_task
from textclf.dataset.splits import digest_of_pieces, number_texts
from textclf.dataset.write_parts import Room, room_needed
from textclf.sources import SPLITS, Columns, Document, load
from textclf.system.wording import counted
from textclf.text.tokenizer import pieces_of

SHOWN: Final = 3
"""Documents that are shown."""


class Preview(NamedTuple):
    """A corpus that was read."""

    name: str
    source: str
    columns: Columns
    documents: Sequence[Document]
    """The first few of train."""
    labels: Mapping[str, Mapping[str, int]]
    """Split to documents of each label, the most frequent first."""
    drawn: Mapping[str, float]
    """Splits that the source lacks, and the share of train that would be drawn for each."""
    rooms: Mapping[str, Room]
    """About how much room the data directory would take, by the value of --tensors."""
    tensors: str
    """The value of --tensors that was given, or that is the default for so many documents."""
    notes: Sequence[str]


class _Seen:
    """Counts documents while they pass."""

    def __init__(self) -> None:
        self.first: list[Document] = []
        self._digests = bytearray()  # of 16 bytes for each text; a set of them would take 100
        self.sets: dict[tuple[str, ...], str] = {}
        """The distinct sets of labels, and the id of the first document with each."""
        self.words = array("q")
        """Number of words of each document, separated by white space."""

    def labels_of(self, documents: Iterable[Document]) -> Iterator[str]:
        """The labels of each document."""
        for document in documents:
            if len(self.first) < SHOWN:
                self.first.append(document)
            self._digests += digest_of_pieces(pieces_of(document.text))
            self.words.append(sum(len(piece.split()) for piece in pieces_of(document.text)))
            self.sets.setdefault(document.labels, document.id)
            yield from document.labels

    def texts(self) -> int:
        """Number of different texts."""
        return int(number_texts(self._digests).max(initial=-1)) + 1


def preview(config: PreprocessConfig) -> Preview:
    """Read a corpus as `build.preprocess` does, and say what it found.

    Raises UsageError if there is no such source, DataError at the first document that cannot be used, and if the labels
    are none.
    """
    lists = corrections.read(config.corrections)
    corpus, seen = load(config.source, options=options_of(config)), _Seen()
    labels = {
        split: dict(Counter(seen.labels_of(corpus.splits[split])).most_common())
        for split in SPLITS
        if split in corpus.splits
    }
    sets = sorted(seen.sets)  # as in `build`, so that both name the same document
    first = [seen.sets[labels] for labels in sets]
    task = find_task(config.task, sets, corpus.columns, source=corpus.source, first=first)
    check_labels(corpus, labels["train"], texts=seen.texts(), config=config, task=task)
    sizes = {"validation": config.validation_size, "test": config.test_size}
    words = np.array(seen.words, dtype=np.int64)
    return Preview(
        corpus.name,
        corpus.source,
        corpus.columns,
        seen.first,
        labels,
        {split: size for split, size in sizes.items() if size is not None and split not in labels},
        rooms={name: room_needed(words, reused=0, has_tensors=name == "all") for name in TENSORS},
        tensors="all" if config.has_tensors(documents=len(words)) else "none",
        notes=[
            *corpus.notes,
            *(f"{counted(len(each.rows), 'correction')} in {each.name} would be applied" for each in lists),
        ],
    )
