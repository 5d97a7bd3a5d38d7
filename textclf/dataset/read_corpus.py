"""Read a corpus once: its texts become numbers of pre-tokens in a file, and a few arrays hold the rest.

This process reads the texts, and workers split them, a batch at a time, so that only a few texts are in memory at once.
What stays is about 25 bytes per document and its id, and each distinct pre-token once, in 60 bytes: see
`textclf.text.corpus_encoder`. A long text is split in pieces.
"""

import os
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache, partial
from pathlib import Path
from threading import get_ident
from typing import Any, BinaryIO, Final, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from textclf.dataset.splits import DocumentCodes, digest, digest_of_pieces, fold, number_texts
from textclf.dataset.spool import Spool
from textclf.errors import DataError
from textclf.sources import SPLITS, Document
from textclf.system import failures
from textclf.system.workers import Mapper
from textclf.text import arrays
from textclf.text.batch_encoder import SHORT, ByteStrings, TextBatch
from textclf.text.corpus_encoder import NewPreTokens, PreTokenNumbers, PreTokens
from textclf.text.tokenizer import PIECE_CHARACTERS, pieces_of

MOST_DOCUMENTS: Final = 2**31 - 1
"""Rows have 32 bits."""

Progress = Callable[[Iterable[Any], str, int | None], Iterable[Any]]
"""Passes items through and shows how many there were: (items, title, how many there will be, if known)."""

Item = TypeVar("Item")
Result = TypeVar("Result")


class BatchSize(NamedTuple):
    """Where a batch of documents ends."""

    documents: int = 1_000
    """At most."""
    size: int = 500_000
    """Characters, or pre-tokens, at which a batch ends even with fewer documents."""


BATCH: Final = BatchSize()


class Work(NamedTuple):
    """How the work on a corpus is divided into batches, spread over processes, and shown."""

    pool: Mapper
    progress: Progress
    batch: BatchSize = BATCH

    def map(
        self, function: Callable[[Item], Result], items: Iterable[Item], *, title: str, total: int | None = None
    ) -> Iterable[Result]:
        """The results of a function, in the order of the items."""
        return self.progress(self.pool.map(function, items), title, total)


class NumberedCorpus(NamedTuple):
    """A corpus whose texts are numbers of pre-tokens. Documents are in the order of SPLITS, then of the source."""

    documents: DocumentCodes
    sets: list[tuple[str, ...]]
    """The distinct sets of labels that documents have, in alphabetical order; `documents.label` is a place in it."""
    ids: ByteStrings
    """The source's id of each document."""
    spool: Spool
    """The numbers of all documents."""
    offsets: NDArray[np.int64]
    """Where each document's numbers start, and where the last ones end: shape (D + 1,)."""
    pre_tokens: PreTokens


class ReadDocuments(NamedTuple):
    """D documents whose texts are numbers of pre-tokens, before copies of a text are looked for."""

    split: NDArray[np.int8]
    """The index in SPLITS of each, shape (D,)."""
    label: NDArray[np.int32]
    """The place of each document's labels in ``sets``, shape (D,)."""
    sets: list[tuple[str, ...]]
    ids: ByteStrings
    lengths: NDArray[np.int32]
    """Pre-tokens of each, shape (D,)."""
    digests: bytes | bytearray
    """Sixteen bytes per text: see `splits.digest`."""
    pre_tokens: PreTokens

    def numbered(self, spool: Spool) -> NumberedCorpus:
        """The corpus with these documents, whose numbers are in ``spool``."""
        codes = DocumentCodes(self.split, self.label, number_texts(self.digests))
        return NumberedCorpus(codes, self.sets, self.ids, spool, arrays.offsets(self.lengths), self.pre_tokens)


def read_corpus(
    splits: Mapping[str, Iterable[Document]], *, lowercase: bool, spool: Path, work: Work, most: int = MOST_DOCUMENTS
) -> NumberedCorpus:
    """Read a corpus, and write the numbers of its documents' pre-tokens to the file ``spool``.

    Raises DataError if it has more than ``most`` documents.
    """
    with failures.naming(spool), spool.open("wb") as file:
        read = read_documents(splits, file, lowercase=lowercase, work=work, most=most)
    return read.numbered(Spool.of(spool, read.lengths))


def read_documents(
    splits: Mapping[str, Iterable[Document]],
    file: BinaryIO,
    *,
    lowercase: bool,
    work: Work,
    most: int = MOST_DOCUMENTS,
) -> ReadDocuments:
    """Read documents, and write the numbers of their pre-tokens to an open file."""
    columns, pre_tokens = _Columns(most), PreTokens()
    lengths, digests = [np.empty(0, dtype=np.int32)], bytearray()
    number = partial(_number_batch, os.urandom(16), lowercase)
    for batch in work.map(number, columns.texts(splits, work.batch), title="texts"):
        for run, new in zip(batch.runs, batch.new, strict=True):
            numbers = np.frombuffer(run, dtype=np.int32)
            file.write(pre_tokens.renumber(numbers, worker=batch.worker, new=new).data)
        lengths.append(batch.lengths)
        digests += batch.digests
    _numbers_of.cache_clear()
    sets, label = columns.by_label()
    return ReadDocuments(
        columns.splits(), label, sets, columns.source_ids(), np.concatenate(lengths), digests, pre_tokens
    )


def refuse_many(documents: int, *, most: int = MOST_DOCUMENTS) -> None:
    """Raise DataError for more than ``most`` documents."""
    if documents > most:
        raise DataError(f"the source has more than {most:,} documents; preprocess it in pieces")


def batches(documents: Iterable[Document], size: BatchSize) -> Iterator[list[Document]]:
    """Divide documents into batches; one with a long text has a batch of its own."""
    batch: list[Document] = []
    characters = 0
    for document in documents:
        if batch and len(document.text) > PIECE_CHARACTERS:
            yield batch
            batch, characters = [], 0
        batch.append(document)
        characters += len(document.text)
        if len(batch) == size.documents or characters >= size.size:
            yield batch
            batch, characters = [], 0
    if batch:
        yield batch


class _Columns:
    """Collects all but the texts of documents while they pass."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._labels: dict[tuple[str, ...], int] = {}
        self._label = array("i")
        self._counts = [0] * len(SPLITS)
        self._ids, self._id_lengths = bytearray(), array("i")

    def texts(self, splits: Mapping[str, Iterable[Document]], size: BatchSize) -> Iterator[list[str]]:
        """The texts in batches, in the order of the splits."""
        for place, split in enumerate(SPLITS):
            for batch in batches(splits.get(split, ()), size):
                self._label.extend([self._labels.setdefault(document.labels, len(self._labels)) for document in batch])
                self._counts[place] += len(batch)
                refuse_many(sum(self._counts), most=self._most)
                ids = [document.id.encode() for document in batch]
                self._ids += b"".join(ids)
                self._id_lengths.extend(map(len, ids))
                yield [document.text for document in batch]

    def splits(self) -> NDArray[np.int8]:
        """The index in SPLITS of each document."""
        return np.repeat(np.arange(len(SPLITS), dtype=np.int8), self._counts)

    def source_ids(self) -> ByteStrings:
        """The id of each document; call it last."""
        self._ids += bytes(SHORT + 1)
        ends = arrays.offsets(np.frombuffer(self._id_lengths, dtype=np.int32))
        return ByteStrings(bytes(self._ids), ends[:-1], ends[1:])

    def by_label(self) -> tuple[list[tuple[str, ...]], NDArray[np.int32]]:
        """The sets of labels, in alphabetical order, and the index of each document's set among them."""
        labels = sorted(self._labels)
        places = np.zeros(len(labels), dtype=np.int32)
        places[[self._labels[label] for label in labels]] = np.arange(len(labels))
        return labels, places[np.frombuffer(self._label, dtype=np.int32)]


class _NumberedBatch(NamedTuple):
    """A batch of texts, as a worker numbers their pre-tokens."""

    worker: bytes
    runs: list[bytes]
    """The numbers, four bytes per pre-token, end to end, in several runs where a text is long."""
    new: list[NewPreTokens]
    """For each run, the pre-tokens that this worker had not met before."""
    lengths: NDArray[np.int32]
    """Pre-tokens of each text."""
    digests: bytes
    """Sixteen bytes per text: see `splits.digest`."""


def _number(reading: bytes, lowercase: bool, texts: list[str]) -> _NumberedBatch:
    """Number the pre-tokens of texts in this worker; ``reading`` tells one call of `read_corpus` from the next."""
    worker = _numbers_of(reading, os.getpid(), get_ident())
    batch = TextBatch.of([text.lower() for text in texts] if lowercase else texts)
    pre_tokens = batch.pre_tokens()
    numbers, lengths = worker.encode(batch, pre_tokens)
    digests = [
        digest(normal if lowercase and text.isascii() else fold(text))  # for ASCII, the two are the same
        for text, normal in zip(texts, batch.normalized(pre_tokens), strict=True)
    ]
    return _NumberedBatch(worker.worker, [numbers.tobytes()], [worker.take_new()], lengths, b"".join(digests))


def _number_long(reading: bytes, lowercase: bool, text: str) -> _NumberedBatch:
    """The same for one text, piece by piece."""
    pieces = [_number(reading, lowercase, [piece]) for piece in pieces_of(text)]
    return _NumberedBatch(
        pieces[0].worker,
        [run for piece in pieces for run in piece.runs],
        [new for piece in pieces for new in piece.new],
        np.array([sum(int(piece.lengths[0]) for piece in pieces)], dtype=np.int32),
        digest_of_pieces(pieces_of(text)),
    )


def _number_batch(reading: bytes, lowercase: bool, texts: list[str]) -> _NumberedBatch:
    """Number a batch, of which a long text is the only one."""
    if len(texts[0]) > PIECE_CHARACTERS:
        return _number_long(reading, lowercase, texts[0])
    return _number(reading, lowercase, texts)


@cache
def _numbers_of(_reading: bytes, _process: int, _thread: int) -> PreTokenNumbers:
    """The numbers of a thread of this process; the three are the key of the cache.

    A forked copy inherits the cache, but has another process id, so that it starts with no numbers.
    """
    return PreTokenNumbers()
