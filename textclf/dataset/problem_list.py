"""The documents behind the problems of a data directory: copies, near-copies, texts with two labels, empty texts.

The source is read again for that, if it is still the same: it has the texts, of which the directory has tokens alone.
That takes about 250 bytes of memory per document.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from textclf.dataset.directory import DataDirectory
from textclf.dataset.documents import Label, labels_of
from textclf.dataset.near_copies import COMPARED, near_copies, signatures
from textclf.dataset.originals import documents_of, texts_of
from textclf.dataset.read_corpus import Progress
from textclf.dataset.splits import DocumentCodes, digest_of_pieces, first_copies, number_texts
from textclf.errors import TextclfError
from textclf.text import arrays
from textclf.text.tokenizer import UNK_ID, pieces_of

COLUMNS: Final = ("finding", "group", "id", "split", "label", "text")
"""Of a list."""

LEAK: Final = "leak"
COPY: Final = "copy"
TWO_LABELS: Final = "two labels"
NEAR_LEAK: Final = "near leak"
NEAR_COPY: Final = "near-copy"
EMPTY: Final = "empty"
UNSEEN_LABEL: Final = "unseen label"
FINDINGS: Final = {
    LEAK: "the same text in several splits",
    COPY: "the same text several times in one split",
    TWO_LABELS: "the same text with different labels",
    NEAR_LEAK: "nearly the same texts in several splits",
    NEAR_COPY: "nearly the same texts in one split",
    EMPTY: "a text without words",
    UNSEEN_LABEL: "a label that no training document has",
}

DocumentBatch = tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int64]]

_READ_AT_ONCE: Final = 1_000  # documents
_TOKENS_AT_ONCE: Final = 1_000_000  # of these, unless one alone has more


class ListedDocument(NamedTuple):
    """A document of a group that shows a problem."""

    finding: str
    """One of FINDINGS."""
    group: int
    """Number of the group, from 1 for each finding: documents of one group are copies of each other."""
    id: str
    """The source's."""
    split: str
    label: Label
    text: str | None
    """None if the source cannot be read as it was."""


class ProblemList(NamedTuple):
    """All documents that show a problem, in the order of FINDINGS."""

    documents: Sequence[ListedDocument]
    notes: Sequence[str]
    """Why texts are missing, or near-copies were not searched for."""


def list_problems(data: DataDirectory, *, progress: Progress = lambda items, _title, _total: items) -> ProblemList:
    """Name every document of every group that the report counts.

    Where the source has changed, texts count as the same if their token ids are, and all their words are known.
    """
    table, notes = data.documents, list[str]()
    split = np.repeat(np.arange(len(table.names.counts), dtype=np.int8), table.names.counts)
    try:
        text, empty = _texts_of_source(data, progress)
        is_there = True
    except (TextclfError, ImportError) as error:  # datasets may not be installed
        text, empty, is_there = _texts_by_tokens(data, progress), [], False
        notes.append(f"copies are found by known words alone, and rows have no text: {error}")
    codes = DocumentCodes(split, table.label, text)
    groups = {name: list[NDArray[np.integer]]() for name in FINDINGS}
    for group in _groups(first_copies(text)):
        groups[LEAK if len(np.unique(split[group])) > 1 else COPY].append(group)
        if len(np.unique(table.label[group])) > 1:
            groups[TWO_LABELS].append(group)
    if len(table) <= COMPARED:
        for group in _near_groups(data, codes, progress):
            groups[NEAR_LEAK if len(np.unique(split[group])) > 1 else NEAR_COPY].append(group)
    else:
        notes.append(f"near-copies were not searched for, because there are more than {COMPARED:,} documents")
    groups[EMPTY] = [np.array([row]) for row in empty]
    groups[UNSEEN_LABEL] = [np.array([row]) for row in _of_unseen_labels(data)]
    rows = {int(row) for some in groups.values() for group in some for row in group}
    texts = texts_of(data, rows) if is_there and rows else {}
    return ProblemList(
        [
            ListedDocument(name, number, table.source[row], table.split_of(row), table.label_of(row), texts.get(row))
            for name, some in groups.items()
            for number, group in enumerate(some, start=1)
            for row in group.tolist()
        ],
        notes,
    )


def _texts_of_source(data: DataDirectory, progress: Progress) -> tuple[NDArray[np.int32], list[int]]:
    """The number of each document's text, shape (D,), the same for all its copies; and the documents without words."""
    digests, empty = np.zeros((len(data.documents), 16), dtype=np.uint8), []
    for row, document in progress(documents_of(data, range(len(data.documents))), "texts", len(data.documents)):
        digests[row] = np.frombuffer(digest_of_pieces(pieces_of(document.text)), dtype=np.uint8)
        if not document.text.split():
            empty.append(row)
    return number_texts(digests.tobytes()), sorted(empty)


def _texts_by_tokens(data: DataDirectory, progress: Progress) -> NDArray[np.int32]:
    """The same, by the checksum and the number of the tokens; one with an unknown word is like no other."""
    keys = data.documents.crc32.astype(np.int64) << 31 | data.documents.tokens
    for rows, tokens, lengths in _tokens(data, progress, "tokens"):
        unknown = rows[np.add.reduceat(tokens == UNK_ID, arrays.offsets(lengths)[:-1], dtype=np.int64) > 0]
        keys[unknown] = -1 - unknown.astype(np.int64)
    numbers: NDArray[np.int32] = np.unique(keys, return_inverse=True)[1].astype(np.int32)
    return numbers


def _groups(first: NDArray[np.integer]) -> Iterator[NDArray[np.integer]]:
    """The rows of each group of two documents or more, given the first document of each one's group."""
    order = np.argsort(first, kind="stable")
    bounds = np.flatnonzero(np.diff(first[order], prepend=-1, append=len(first)))
    yield from (order[start:end] for start, end in pairwise(bounds) if end - start > 1)


def _near_groups(data: DataDirectory, codes: DocumentCodes, progress: Progress) -> Iterator[NDArray[np.integer]]:
    """Documents that are nearly the same as the first of them, without exact copies."""
    documents = data.documents
    found = [signatures(tokens, lengths) for _, tokens, lengths in _tokens(data, progress, "near-copies")]
    first = near_copies(np.concatenate(found))
    is_exact = (documents.crc32 == documents.crc32[first]) & (documents.tokens == documents.tokens[first])
    is_exact |= codes.text == codes.text[first]
    yield from _groups(np.where(is_exact, np.arange(len(first)), first))


def _tokens(data: DataDirectory, progress: Progress, title: str) -> Iterator[DocumentBatch]:
    """All documents, some at a time: their rows, their token ids end to end, and their lengths."""
    store, bounds = data.packed(), arrays.offsets(data.documents.tokens)
    pieces = list(arrays.row_slices(bounds, at_most=_TOKENS_AT_ONCE, rows=_READ_AT_ONCE))
    for some in progress(pieces, title, len(pieces)):
        rows = np.arange(some.start, some.stop, dtype=np.int32)
        yield rows, *store.gather(rows)


def _of_unseen_labels(data: DataDirectory) -> list[int]:
    """The documents with a label that no training document has."""
    unseen = set(data.unseen_labels())
    is_unseen = np.array([not unseen.isdisjoint(labels_of(label)) for label in data.documents.labels], dtype=bool)
    return np.flatnonzero(is_unseen[data.documents.label]).tolist() if unseen else []
