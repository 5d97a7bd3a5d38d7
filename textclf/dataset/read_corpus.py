"""A corpus read once: its texts become numbers of chunks in a file, and a few arrays say the rest about each document.

Texts are read here and cut by whichever processes there are, a batch at a time, so few of them are in memory at once.
What stays are about 50 bytes a document and each distinct chunk: see `textclf.text.corpus_encoder`.
"""

import os
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache, partial
from itertools import count
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from textclf.dataset.splits import Division, digest, fold, numbered
from textclf.sources import SPLITS, Document
from textclf.system import files
from textclf.system.workers import Crew
from textclf.text import ragged
from textclf.text.byte_strings import Texts
from textclf.text.corpus_encoder import Chunks, Numbers

BATCH: Final = 1_000  # documents that a process takes at a time
BATCH_CHARACTERS: Final = 500_000  # or fewer documents, once they have so many characters
COUNTED: Final = 2_000_000  # numbers that are counted at a time

Progress = Callable[[Iterable[Any], str, int | None], Iterable[Any]]
"""Passes items through and shows how far it is: (items, what is being done, how many there will be if known)."""

_readings = count()


class Reading(NamedTuple):
    """A corpus that was read. Documents stand by split, in the order of SPLITS, and there in the source's order."""

    documents: Division
    labels: list[str]
    """By name."""
    ids: list[bytes]
    """The source's own ids of a batch of documents, in UTF-8, end to end."""
    id_lengths: NDArray[np.int32]
    """Characters of each document's id, shape (D,)."""
    spool: Path
    """File of the chunk numbers of all documents, int32, end to end."""
    offsets: NDArray[np.int64]
    """Where each document's numbers start, and the last one's end: shape (D + 1,)."""
    chunks: Chunks

    def source_ids(self) -> list[str]:
        """The source's own id of each document."""
        everything = "".join(batch.decode() for batch in self.ids)
        ends = np.cumsum(self.id_lengths).tolist()
        return [everything[start:end] for start, end in zip([0, *ends[:-1]], ends, strict=True)]

    def numbers(self) -> NDArray[np.int32]:
        """The chunk numbers of all documents, mapped into memory."""
        return map_numbers(self.spool)

    def count_chunks(self, chosen: NDArray[np.bool_]) -> NDArray[np.int64]:
        """How often the chosen documents, shape (D,), have each chunk, shape (C,)."""
        counts = np.zeros(len(self.chunks), dtype=np.int64)
        start = 0
        while start < len(chosen):
            stop = int(np.searchsorted(self.offsets, self.offsets[start] + COUNTED, side="right")) - 1
            stop = max(stop, start + 1)
            numbers = self.numbers()[self.offsets[start] : self.offsets[stop]]
            is_chosen = np.repeat(chosen[start:stop], np.diff(self.offsets[start : stop + 1]))
            counts += np.bincount(numbers[is_chosen], minlength=len(counts))
            start = stop
        return counts


class _Numbered(NamedTuple):
    """A batch of texts, as the process that cut it numbers their chunks."""

    process: int
    new: list[str]
    """Chunks that it met for the first time."""
    numbers: bytes
    """Four bytes a chunk, end to end."""
    lengths: NDArray[np.int32]
    """Chunks of each text."""
    digests: bytes
    """Sixteen bytes a text: see `splits.digest`."""


class _Described:
    """What is kept of documents beside their texts, while they pass."""

    def __init__(self) -> None:
        self.labels: dict[str, int] = {}
        self.label, self.split, self.id_lengths = array("q"), array("b"), array("i")
        self.ids: list[bytes] = []

    def texts(self, splits: Mapping[str, Iterable[Document]]) -> Iterator[list[str]]:
        """The texts in batches, in the order of the splits."""
        for place, split in enumerate(SPLITS):
            for batch in batches(splits.get(split, ())):
                self.label.extend([self.labels.setdefault(document.label, len(self.labels)) for document in batch])
                self.split.extend([place] * len(batch))
                self.ids.append("".join([document.id for document in batch]).encode())
                self.id_lengths.extend([len(document.id) for document in batch])
                yield [document.text for document in batch]


def batches(documents: Iterable[Document]) -> Iterator[list[Document]]:
    """Cut into runs of BATCH documents or BATCH_CHARACTERS characters."""
    batch: list[Document] = []
    characters = 0
    for document in documents:
        batch.append(document)
        characters += len(document.text)
        if len(batch) == BATCH or characters >= BATCH_CHARACTERS:
            yield batch
            batch, characters = [], 0
    if batch:
        yield batch


def read(
    splits: Mapping[str, Iterable[Document]], *, lowercase: bool, spool: Path, crew: Crew, progress: Progress
) -> Reading:
    """Read a corpus, and write the chunk numbers of its documents to the file ``spool``."""
    described, chunks = _Described(), Chunks()
    lengths, digests = [np.empty(0, dtype=np.int32)], bytearray()
    cut = partial(_cut, f"{os.getpid()}-{next(_readings)}", lowercase)
    with files.naming_full_disk(spool), spool.open("wb") as file:
        for batch in progress(crew.map(cut, described.texts(splits)), "texts", None):
            numbers = np.frombuffer(batch.numbers, dtype=np.int32)
            file.write(chunks.renumber(numbers, process=batch.process, new=batch.new).data)
            lengths.append(batch.lengths)
            digests += batch.digests
    _numbers_of.cache_clear()
    names, label = _by_name(described)
    documents = Division(np.array(described.split, dtype=np.int8), label, numbered(bytes(digests)))
    offsets = ragged.offsets(np.concatenate(lengths))
    id_lengths = np.array(described.id_lengths, dtype=np.int32)
    return Reading(documents, names, described.ids, id_lengths, spool, offsets, chunks)


def map_numbers(spool: Path) -> NDArray[np.int32]:
    """Map a file of numbers into memory; an empty one cannot be."""
    return np.memmap(spool, dtype=np.int32, mode="r") if spool.stat().st_size else np.empty(0, dtype=np.int32)


def _by_name(described: _Described) -> tuple[list[str], NDArray[np.int64]]:
    """The labels by name, and the place among them of each document's."""
    names = sorted(described.labels)
    places = np.zeros(len(names), dtype=np.int64)
    places[[described.labels[name] for name in names]] = np.arange(len(names))
    return names, places[np.array(described.label, dtype=np.int64)]


def _cut(reading: str, lowercase: bool, texts: list[str]) -> _Numbered:
    """Number the chunks of texts, in whichever process this runs."""
    cut = Texts.of([text.lower() for text in texts] if lowercase else texts)
    numbers = _numbers_of(reading, os.getpid())
    chunks = cut.chunks()
    run, lengths = numbers.of(cut, chunks)
    digests = [
        digest(spaced if lowercase and text.isascii() else fold(text))
        for text, spaced in zip(texts, cut.spaced(chunks), strict=True)  # the chunks of a folded text, in ASCII
    ]
    return _Numbered(os.getpid(), numbers.take_new(), run.tobytes(), lengths, b"".join(digests))


@lru_cache(maxsize=1)
def _numbers_of(_reading: str, _process: int) -> Numbers:
    """A process's numbers, new for each reading of a corpus; a copy of another begins with none."""
    return Numbers()
