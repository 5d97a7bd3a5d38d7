"""Write documents as token ids: one tensor file per document, if wanted, and the packed copy, by all workers.

Knows nothing about corpora: documents come as numbers of pre-tokens, with the token ids of each pre-token.
"""

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from textclf.dataset import packed, tensors
from textclf.dataset.manifest import DataLayout, folder_of
from textclf.dataset.near_copies import signatures
from textclf.dataset.read_corpus import Work, map_array
from textclf.system import failures, files
from textclf.text import arrays
from textclf.text.corpus_encoder import EncodedPreTokens
from textclf.text.tokenizer import UNK_ID

BLOCK: Final = 4096  # bytes that a file takes at least, on most disks
TABLE_ROW: Final = 64  # bytes per document, about
OTHER_FILES: Final = 8
FOLDERS: Final = 256  # of tensor files
PRE_TOKENS_AT_ONCE: Final = 500_000  # of a document; as many ids or more, 40 bytes for each

Runs = Iterable[tuple[NDArray[np.int32], NDArray[np.int64]]]
"""Ids end to end, and how many each pre-token has, for some pre-tokens after the other."""


class NumberedDocuments(NamedTuple):
    """Documents as numbers of pre-tokens."""

    spool: Path
    """File of the numbers of all documents, int32, end to end."""
    starts: NDArray[np.int64]
    """Where each document's numbers start, shape (D,), in the order in which documents are written."""
    lengths: NDArray[np.int64]
    """Pre-tokens of each document, shape (D,)."""
    words: int
    """Ids below it are words: see `Tokenizer.size`."""

    @property
    def ids(self) -> Path:
        """File of the token ids of all pre-tokens, int32, end to end."""
        return self.spool.with_name("ids.bin")

    @property
    def offsets(self) -> Path:
        """File of where the ids of each pre-token start, and where the last ones end, int64."""
        return self.spool.with_name("offsets.bin")

    def save(self, runs: Runs) -> None:
        """Save the token ids of the pre-tokens where other processes can map them into memory."""
        end = 0
        with failures.naming(self.ids), self.ids.open("wb") as ids, self.offsets.open("wb") as offsets:
            offsets.write(np.zeros(1, dtype=np.int64).data)
            for run, lengths in runs:
                ids.write(run.data)
                offsets.write((np.cumsum(lengths) + end).data)
                end += len(run)

    def encode(self, *, at_once: int = PRE_TOKENS_AT_ONCE) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        """Token ids of all documents, end to end, and the length of each: as `Tokenizer.encode` gives them."""
        numbers = map_array(self.spool, np.int32)
        pre_tokens = EncodedPreTokens(map_array(self.ids, np.int32), map_array(self.offsets, np.int64))
        if len(self.lengths) > 1 or self.lengths[0] <= at_once:
            return pre_tokens.encode(numbers[arrays.places(self.starts, self.lengths)], self.lengths)
        start, end = int(self.starts[0]), int(self.starts[0] + self.lengths[0])
        bounds = [*range(start, end, at_once), end]  # of one long document, encoded in parts
        ids = [pre_tokens.encode(numbers[first:last], np.array([last - first]))[0] for first, last in pairwise(bounds)]
        return np.concatenate(ids), np.array([sum(map(len, ids))])


class WrittenDocuments(NamedTuple):
    """D documents that were written."""

    ids: NDArray[np.int32]
    """Token ids of all of them, end to end."""
    lengths: NDArray[np.int32]
    """Token ids of each document, shape (D,), like the rest."""
    words: NDArray[np.int32]
    """Ids of words, known or not, without the parts of unknown words."""
    unknown: NDArray[np.int32]
    """Words that are not in the vocabulary."""
    crc32: NDArray[np.uint32]
    signatures: NDArray[np.uint32]
    """Shape (D, BANDS * ROWS), see `near_copies.signatures`; (D, 0) if they were not asked for."""


def write_tensors(
    layout: DataLayout, names: Sequence[str] | None, documents: NumberedDocuments, *, compare: bool, work: Work
) -> WrittenDocuments:
    """Write each document's tensor and the packed copy; returns all but the ids, which need not fit in memory.

    Without ``names``, there are no tensors. With ``compare``, computes the documents' signatures. Tensors that are
    already there, and whole, are left alone.
    """
    is_resumed = layout.tensors.exists()
    for number in range(FOLDERS if names is not None else 0):
        files.make_folder(layout.tensors / f"{number:02x}")
    bounds = arrays.offsets(documents.lengths)
    slices = list(arrays.row_slices(bounds, at_most=work.batch.size, rows=work.batch.documents))
    write_batch = partial(_write_batch, layout.tensors, compare, is_resumed)
    written: list[WrittenDocuments] = []

    def ids_as_they_come() -> Iterator[NDArray[np.int32]]:
        jobs = (
            (documents._replace(starts=documents.starts[rows], lengths=documents.lengths[rows]), names and names[rows])
            for rows in slices
        )
        for batch in work.map(write_batch, jobs, title="tokens", total=len(slices)):
            written.append(batch._replace(ids=np.empty(0, dtype=np.int32)))
            yield batch.ids

    packed.write_tokens(layout.packed, ids_as_they_come())
    return WrittenDocuments(*(np.concatenate(column) for column in zip(*written, strict=True)))


class Room(NamedTuple):
    """Room on the disk."""

    bytes: int
    files: int


def room_needed(lengths: NDArray[np.int64], *, reused: int, has_tensors: bool = True) -> Room:
    """Room for documents of these lengths, of which some have tensors already; a tensor file takes whole blocks."""
    tables = int(4 * lengths.sum()) + TABLE_ROW * len(lengths)
    if not has_tensors:
        return Room(tables, OTHER_FILES)
    frame = len(tensors.to_bytes(np.empty(0, dtype=np.int32)))
    of_tensors = int((-(-(frame + 4 * lengths) // BLOCK) * BLOCK).sum() * (1 - reused / len(lengths)))
    return Room(of_tensors + tables, len(lengths) - reused + FOLDERS + OTHER_FILES)


def _write_batch(
    folder: Path, compare: bool, is_resumed: bool, job: tuple[NumberedDocuments, Sequence[str] | None]
) -> WrittenDocuments:
    """Encode these documents, and write their tensors if they have names."""
    documents, names = job
    ids, lengths = documents.encode()
    offsets = arrays.offsets(lengths)
    runs = [ids[start:end] for start, end in pairwise(offsets.tolist())]
    if names is None:
        checksums = list(map(tensors.checksum, runs))
    else:
        root = str(folder)
        write_one = tensors.keep_or_write if is_resumed else tensors.write_tensor
        checksums = [
            write_one(f"{root}/{folder_of(name)}/{name}.pt", run) for name, run in zip(names, runs, strict=True)
        ]
    return WrittenDocuments(
        ids,
        lengths.astype(np.int32),
        words=np.add.reduceat(ids < documents.words, offsets[:-1], dtype=np.int32),
        unknown=np.add.reduceat(ids == UNK_ID, offsets[:-1], dtype=np.int32),
        crc32=np.array(checksums, dtype=np.uint32),
        signatures=signatures(ids, lengths) if compare else np.empty((len(runs), 0), dtype=np.uint32),
    )
