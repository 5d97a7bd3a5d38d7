"""Write documents as token ids: one tensor file per document and the packed copy, by all workers.

Knows nothing about corpora: documents come as numbers of pre-tokens, with the token ids of each pre-token.
"""

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from textclf.dataset import packed, tensors
from textclf.dataset.manifest import DataLayout, folder_of
from textclf.dataset.near_copies import signatures
from textclf.dataset.read_corpus import Work, map_numbers, row_slices
from textclf.system import files
from textclf.text import arrays
from textclf.text.corpus_encoder import EncodedPreTokens
from textclf.text.tokenizer import UNK_ID

BLOCK: Final = 4096  # bytes that a file takes at least, on most disks
TABLE_ROW: Final = 64  # bytes per document, about
OTHER_FILES: Final = 256

_COLUMNS: Final = ("starts", "lengths", "ids", "offsets")


class EncodedDocuments(NamedTuple):
    """Documents as numbers of pre-tokens, and the token ids of the pre-tokens."""

    spool: Path
    """File of the numbers of all documents, int32, end to end."""
    starts: NDArray[np.int64]
    """Where each document's numbers start, shape (D,), in the order in which documents are written."""
    lengths: NDArray[np.int64]
    """Pre-tokens of each document, shape (D,)."""
    pre_tokens: EncodedPreTokens
    words: int
    """Ids below it are words: see `Tokenizer.size`."""

    def encode(self, rows: slice) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        """Token ids of these documents, end to end, and the length of each: as `Tokenizer.encode` gives them."""
        lengths = self.lengths[rows]
        return self.pre_tokens.encode(map_numbers(self.spool)[arrays.places(self.starts[rows], lengths)], lengths)

    def save(self, folder: Path) -> None:
        """Save the arrays where other processes can map them into memory."""
        arrays: tuple[NDArray[Any], ...] = (self.starts, self.lengths, self.pre_tokens.ids, self.pre_tokens.offsets)
        with files.naming_full_disk(folder):
            for name, column in zip(_COLUMNS, arrays, strict=True):
                packed.save_array(folder / f"{name}.npy", column)

    @classmethod
    def load(cls, folder: Path, *, spool: Path, words: int) -> "EncodedDocuments":
        """Map into memory what `save` wrote."""
        columns = [np.load(folder / f"{name}.npy", mmap_mode="r", allow_pickle=False) for name in _COLUMNS]
        starts, lengths, ids, offsets = columns
        return cls(spool, starts, lengths, EncodedPreTokens(ids, offsets), words)


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
    layout: DataLayout, names: Sequence[str], documents: EncodedDocuments, *, compare: bool, work: Work
) -> WrittenDocuments:
    """Write each document's tensor and the packed copy; returns all but the ids, which need not fit in memory.

    With ``compare``, computes the documents' signatures. Tensors that are already there, and whole, are left alone.
    """
    is_resumed = layout.tensors.exists()
    for number in range(256):
        files.make_folder(layout.tensors / f"{number:02x}")
    documents.save(documents.spool.parent)
    slices = list(row_slices(arrays.offsets(documents.lengths), at_most=work.batch.size, rows=work.batch.documents))
    write_batch = partial(_write_batch, layout.tensors, documents.spool, documents.words, compare, is_resumed)
    written: list[WrittenDocuments] = []

    def ids_as_they_come() -> Iterator[NDArray[np.int32]]:
        jobs = ((rows, names[rows]) for rows in slices)
        for batch in work.map(write_batch, jobs, title="tokens", total=len(slices)):
            written.append(batch._replace(ids=np.empty(0, dtype=np.int32)))
            yield batch.ids

    packed.write_tokens(layout.packed, ids_as_they_come())
    return WrittenDocuments(*(np.concatenate(column) for column in zip(*written, strict=True)))


class Room(NamedTuple):
    """Room on the disk."""

    bytes: int
    files: int


def room_needed(lengths: NDArray[np.int64], *, reused: int) -> Room:
    """Room for documents of these lengths, of which some have tensors already; a tensor file takes whole blocks."""
    frame = len(tensors.to_bytes(np.empty(0, dtype=np.int32)))
    of_tensors = int((-(-(frame + 4 * lengths) // BLOCK) * BLOCK).sum() * (1 - reused / len(lengths)))
    return Room(of_tensors + int(4 * lengths.sum()) + TABLE_ROW * len(lengths), len(lengths) - reused + OTHER_FILES)


def _write_batch(
    folder: Path, spool: Path, words: int, compare: bool, is_resumed: bool, job: tuple[slice, Sequence[str]]
) -> WrittenDocuments:
    """Write the tensors of the documents in these rows, which have these names."""
    rows, names = job
    ids, lengths = EncodedDocuments.load(spool.parent, spool=spool, words=words).encode(rows)
    offsets = arrays.offsets(lengths)
    root, ends = str(folder), offsets.tolist()
    write_one = tensors.keep_or_write if is_resumed else tensors.write_tensor
    checksums = [
        write_one(f"{root}/{folder_of(name)}/{name}.pt", ids[start:end])
        for name, start, end in zip(names, ends[:-1], ends[1:], strict=True)
    ]
    return WrittenDocuments(
        ids,
        lengths.astype(np.int32),
        words=np.add.reduceat(ids < words, offsets[:-1], dtype=np.int32),
        unknown=np.add.reduceat(ids == UNK_ID, offsets[:-1], dtype=np.int32),
        crc32=np.array(checksums, dtype=np.uint32),
        signatures=signatures(ids, lengths) if compare else np.empty((len(names), 0), dtype=np.uint32),
    )
