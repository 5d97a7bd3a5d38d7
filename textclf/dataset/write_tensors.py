"""Documents written as token ids: a tensor file each and the packed copy, by whichever processes there are.

Knows nothing about corpora: the documents come as numbers of chunks, with a table of the token ids of each chunk.
"""

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from textclf.dataset import packed, tensors
from textclf.dataset.manifest import Layout, folder_of
from textclf.dataset.near_copies import signatures
from textclf.dataset.read_corpus import Progress, map_numbers
from textclf.system import files
from textclf.system.workers import Crew
from textclf.text import ragged
from textclf.text.tokenizer import UNK_ID

BATCH: Final = 1_000  # documents that a process takes at a time
BATCH_CHUNKS: Final = 500_000  # or fewer documents, once they have so many chunks


_COLUMNS: Final = ("starts", "lengths", "ids", "offsets")


class Numbered(NamedTuple):
    """Documents as numbers of chunks, and the token ids of the chunks."""

    spool: Path
    """File of the chunk numbers of all documents, int32, end to end."""
    starts: NDArray[np.int64]
    """Where each document's numbers start, shape (D,), in the order in which they are written."""
    lengths: NDArray[np.int64]
    """Chunks of each document, shape (D,)."""
    ids: NDArray[np.int32]
    """Token ids of all chunks, end to end."""
    offsets: NDArray[np.int64]
    """Where each chunk's ids start, and the last one's end: shape (C + 1,)."""
    size: int
    """Ids below it are words: see `Tokenizer.size`."""

    def encode(self, rows: slice) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        """Token ids of documents, end to end, and the length of each: as `Tokenizer.encode` has them."""
        lengths = self.lengths[rows]
        numbers = map_numbers(self.spool)[ragged.places(self.starts[rows], lengths)]
        starts = self.offsets[numbers]
        sizes = self.offsets[numbers + 1] - starts
        ids = self.ids[ragged.places(starts, sizes)]
        ends = ragged.offsets(sizes)[ragged.offsets(lengths)]  # of the documents, in ids
        found = np.diff(ends)
        return np.insert(ids, ends[:-1][found == 0], UNK_ID), np.maximum(found, 1)

    def save(self, folder: Path) -> None:
        """Keep it where other processes can map it into memory."""
        with files.naming_full_disk(folder):
            for name in _COLUMNS:
                packed.save_array(folder / f"{name}.npy", getattr(self, name))

    @classmethod
    def load(cls, folder: Path, spool: Path, size: int) -> "Numbered":
        """What `save` kept."""
        columns = [np.load(folder / f"{name}.npy", mmap_mode="r", allow_pickle=False) for name in _COLUMNS]
        starts, lengths, ids, offsets = columns
        return cls(spool, starts, lengths, ids, offsets, size)


class Written(NamedTuple):
    """A run of documents that were written."""

    ids: NDArray[np.int32]
    """Token ids of all of them, end to end."""
    lengths: NDArray[np.int32]
    """Shape (D,), like the rest."""
    words: NDArray[np.int32]
    """Ids that are words, known or not: all but the parts of unknown words."""
    unknown: NDArray[np.int32]
    """Tokens that are not in the vocabulary."""
    crc32: NDArray[np.uint32]
    signatures: NDArray[np.uint32]
    """Shape (D, BANDS * ROWS), of `similar.signatures`; (D, 0) if they were not asked for."""


def write(
    layout: Layout,
    names: Sequence[str],
    documents: Numbered,
    *,
    compare: bool,
    crew: Crew,
    progress: Progress,
) -> Written:
    """Write each document's tensor and the packed copy; returns all but the ids, which need not fit in memory.

    With ``compare`` the documents get signatures. Tensors that are there already, and whole, stay.
    """
    is_begun = layout.tensors.exists()
    for number in range(256):
        files.make_folder(layout.tensors / f"{number:02x}")
    documents.save(documents.spool.parent)
    spans = list(_spans(documents.lengths))
    write_span = partial(_write, layout.tensors, documents.spool, documents.size, compare, is_begun)
    written: list[Written] = []

    def ids_as_they_come() -> Iterator[NDArray[np.int32]]:
        jobs = ((start, names[start:stop]) for start, stop in spans)
        for run in progress(crew.map(write_span, jobs), "tokens", len(spans)):
            written.append(run._replace(ids=np.empty(0, dtype=np.int32)))
            yield run.ids

    packed.write(layout.packed, ids_as_they_come())
    return Written(*(np.concatenate(column) for column in zip(*written, strict=True)))


def _spans(lengths: NDArray[np.int64]) -> Iterator[tuple[int, int]]:
    """Where runs of BATCH documents or BATCH_CHUNKS chunks start and stop."""
    offsets = ragged.offsets(lengths)
    start = 0
    while start < len(lengths):
        stop = int(np.searchsorted(offsets, offsets[start] + BATCH_CHUNKS, side="right")) - 1
        stop = min(max(stop, start + 1), start + BATCH)
        yield start, stop
        start = stop


def _write(folder: Path, spool: Path, size: int, compare: bool, is_begun: bool, job: tuple[int, list[str]]) -> Written:
    """Write the tensors of documents with these names, the first of which is at that place."""
    start, names = job
    ids, lengths = Numbered.load(spool.parent, spool, size).encode(slice(start, start + len(names)))
    offsets = ragged.offsets(lengths)
    root, ends = str(folder), offsets.tolist()
    write_one = tensors.keep_or_write if is_begun else tensors.write
    checksums = [
        write_one(f"{root}/{folder_of(name)}/{name}.pt", ids[start:end])
        for name, start, end in zip(names, ends[:-1], ends[1:], strict=True)
    ]
    none = np.empty((len(names), 0), dtype=np.uint32)
    return Written(
        ids,
        lengths.astype(np.int32),
        np.add.reduceat(ids < size, offsets[:-1], dtype=np.int32),
        np.add.reduceat(ids == UNK_ID, offsets[:-1], dtype=np.int32),
        np.array(checksums, dtype=np.uint32),
        signatures(ids, lengths) if compare else none,
    )
