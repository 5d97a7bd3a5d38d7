"""Write documents as token ids, part by part: a file of the packed copy and, if wanted, a tensor file per document.

A part is written by all workers of this process, or by any one process that gets its `PartPlan`. Knows nothing about
corpora: documents come as numbers of pre-tokens, with the token ids of each pre-token.
"""

import zlib
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice, pairwise
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from textclf.dataset import packed, tensors
from textclf.dataset.documents import DocumentNames
from textclf.dataset.manifest import DataLayout, folder_of
from textclf.dataset.near_copies import BANDS, ROWS, signatures
from textclf.dataset.parts import Parts, name_of
from textclf.dataset.read_corpus import BATCH, BatchSize, Work
from textclf.dataset.spool import Spool, map_array
from textclf.system import failures, files
from textclf.system.checksums import crc32
from textclf.text import arrays
from textclf.text.corpus_encoder import EncodedPreTokens
from textclf.text.tokenizer import WordIds

BLOCK: Final = 4096  # bytes that a file takes at least, on most disks
TABLE_ROW: Final = 64  # bytes per document, about
OTHER_FILES: Final = 5  # and folders
PART_FILES: Final = 2
FOLDERS: Final = 256  # of tensor files
PRE_TOKENS_AT_ONCE: Final = 500_000  # of a document; as many ids or more, 40 bytes for each

Runs = Iterable[tuple[NDArray[np.int32], NDArray[np.int64]]]
"""Ids end to end, and how many each pre-token has, for some pre-tokens after the other."""


class NumberedDocuments(NamedTuple):
    """Documents as numbers of pre-tokens."""

    spool: Spool
    """The numbers of all documents."""
    starts: NDArray[np.int64]
    """Where each document's numbers start, shape (D,), in the order in which documents are written."""
    lengths: NDArray[np.int32]
    """Pre-tokens of each document, shape (D,)."""
    words: WordIds
    """Which ids are words."""

    @property
    def ids(self) -> Path:
        """File of the token ids of all pre-tokens, int32, end to end."""
        return self.spool.folder / "ids.bin"

    @property
    def offsets(self) -> Path:
        """File of where the ids of each pre-token start, and where the last ones end, int64."""
        return self.spool.folder / "offsets.bin"

    def at(self, rows: slice) -> "NumberedDocuments":
        """Some of these documents."""
        return self._replace(starts=self.starts[rows], lengths=self.lengths[rows])

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
        pre_tokens = EncodedPreTokens(map_array(self.ids, np.int32), map_array(self.offsets, np.int64))
        if len(self.lengths) > 1 or self.lengths[0] <= at_once:
            return pre_tokens.encode(self.spool.numbers(self.starts, self.lengths), self.lengths)
        start, end = int(self.starts[0]), int(self.starts[0] + self.lengths[0])
        bounds = [*range(start, end, at_once), end]  # of one long document, encoded in parts
        runs = [(np.array([first]), np.array([last - first], dtype=np.int32)) for first, last in pairwise(bounds)]
        ids = [pre_tokens.encode(self.spool.numbers(*run), run[1])[0] for run in runs]
        return np.concatenate(ids), np.array([sum(map(len, ids))])


class WrittenDocuments(NamedTuple):
    """D documents that were written."""

    lengths: NDArray[np.int32]
    """Token ids of each document, shape (D,), like the rest."""
    words: NDArray[np.int32]
    """Words, known or not: see `WordIds`."""
    unknown: NDArray[np.int32]
    """Words that are not in the vocabulary."""
    crc32: NDArray[np.uint32]
    signatures: NDArray[np.uint32]
    """Shape (D, BANDS * ROWS), see `near_copies.signatures`; (D, 0) if they were not asked for."""


class WrittenPart(NamedTuple):
    """A part that was written."""

    documents: WrittenDocuments
    checksum: int
    """CRC-32 of its file of the packed copy."""


class _Batch(NamedTuple):
    """Some documents of a part, for a worker to encode."""

    documents: NumberedDocuments
    compare: bool
    """Whether their signatures are wanted."""
    paths: Sequence[str] | None
    """Their tensor files. None: they have none."""
    is_resumed: bool
    """Whether some of these files may be there, and whole: they are left alone."""


class PartPlan(NamedTuple):
    """A part that is to be written, with all that is needed for it: another process may do it."""

    layout: DataLayout
    number: int
    first: int
    """Row of its first document."""
    documents: NumberedDocuments
    """Those of this part."""
    names: DocumentNames | None
    """The names of tensor files. None: documents have none."""
    compare: bool
    """Whether the documents' signatures are wanted."""
    is_resumed: bool
    """Whether a stopped run may have written some of the tensors."""
    batch: BatchSize = BATCH

    def __str__(self) -> str:
        return name_of(self.number)

    def slices(self) -> list[slice]:
        """The rows of each batch of documents, counted from the first of the part."""
        bounds = arrays.offsets(self.documents.lengths)
        return list(arrays.row_slices(bounds, at_most=self.batch.size, rows=self.batch.documents))

    def batches(self) -> Iterator[_Batch]:
        """The batches to encode, with `write_batch`, anywhere and at any time."""
        for rows in self.slices():
            yield _Batch(self.documents.at(rows), self.compare, self._paths(rows), self.is_resumed)

    def _paths(self, rows: slice) -> list[str] | None:
        if self.names is None:
            return None
        root, names = str(self.layout.tensors), self.names.of(range(self.first + rows.start, self.first + rows.stop))
        return [f"{root}/{folder_of(name)}/{name}.pt" for name in names]

    def write(self, encoded: Iterable[tuple[NDArray[np.int32], WrittenDocuments]]) -> WrittenPart:
        """Write the file of the packed copy, given the result of each batch in order, and what `read_written` reads."""
        written: list[WrittenDocuments] = []

        def ids_as_they_come() -> Iterator[NDArray[np.int32]]:
            for ids, documents in encoded:
                written.append(documents)
                yield ids

        checksum = packed.write_part(self.layout.packed, self.number, ids_as_they_come())
        documents = joined(written)
        _save_written(self.layout.written(self.number), documents)
        return WrittenPart(documents, checksum)


def prepare(layout: DataLayout, *, has_tensors: bool) -> None:
    """Make the folders that parts are written to."""
    packed.prepare(layout.packed)
    files.make_folder(layout.written_parts)
    for number in range(FOLDERS if has_tensors else 0):
        files.make_folder(layout.tensors / f"{number:02x}")


def write_part(plan: PartPlan) -> WrittenPart:
    """Write one part in this process, unless a stopped run has written it whole."""
    return read_written(plan) or plan.write(map(write_batch, plan.batches()))


def write_parts(plans: Sequence[PartPlan], found: Sequence[WrittenPart | None], *, work: Work) -> list[WrittenPart]:
    """Write all parts that were not ``found``, of which all workers encode the batches; returns all."""
    left = [plan for plan, part in zip(plans, found, strict=True) if part is None]
    jobs = chain.from_iterable(plan.batches() for plan in left)
    encoded = iter(work.map(write_batch, jobs, title="tokens", total=sum(len(plan.slices()) for plan in left)))
    parts = [part or plan.write(islice(encoded, len(plan.slices()))) for plan, part in zip(plans, found, strict=True)]
    next(encoded, None)  # so that the progress bar ends
    return parts


def write_batch(batch: _Batch) -> tuple[NDArray[np.int32], WrittenDocuments]:
    """The token ids of some documents, end to end, and the rest; writes their tensors if they have names."""
    ids, lengths = batch.documents.encode()
    offsets = arrays.offsets(lengths)
    runs = [ids[start:end] for start, end in pairwise(offsets.tolist())]
    if batch.paths is None:
        checksums = list(map(tensors.checksum, runs))
    else:
        write_one = tensors.keep_or_write if batch.is_resumed else tensors.write_tensor
        checksums = [write_one(path, run) for path, run in zip(batch.paths, runs, strict=True)]
    words, unknown = batch.documents.words.words_and_unknown(ids, lengths)
    return ids, WrittenDocuments(
        lengths.astype(np.int32),
        words.astype(np.int32),
        unknown.astype(np.int32),
        crc32=np.array(checksums, dtype=np.uint32),
        signatures=signatures(ids, lengths) if batch.compare else np.empty((len(runs), 0), dtype=np.uint32),
    )


def joined(written: Sequence[WrittenDocuments]) -> WrittenDocuments:
    """The documents of all, one after the other."""
    return WrittenDocuments(*(np.concatenate(column) for column in zip(*written, strict=True)))


def read_written(plan: PartPlan) -> WrittenPart | None:
    """A part that a stopped run has written whole, from the same documents; None if it has not, or has tensors.

    Each document's ids are compared with their checksum. Tensors are compared with what would be written instead.
    """
    if plan.names is not None:
        return None
    columns, path = 4 + plan.compare * BANDS * ROWS, plan.layout.packed.part(plan.number)
    documents = _read_written(plan.layout.written(plan.number), shape=(len(plan.documents.lengths), columns))
    found = documents and packed.checksums_of(path, documents.lengths)
    is_whole = documents is not None and found is not None and (found == documents.crc32).all()
    return WrittenPart(documents, crc32(path)) if documents and is_whole else None


def _save_written(path: Path, documents: WrittenDocuments) -> None:
    """Save what is known of documents for a run that resumes this one: all columns in one array, and its CRC-32."""
    columns = [column.view(np.uint32).reshape(len(documents.lengths), -1) for column in documents]
    content = np.concatenate(columns, axis=1).tobytes()
    files.write_bytes(path, content + np.uint32(zlib.crc32(content)).tobytes(), durable=False)


def _read_written(path: Path, *, shape: tuple[int, int]) -> WrittenDocuments | None:
    """What `_save_written` saved, of this shape; None if it is not there, or not whole."""
    try:
        content = files.read_bytes(path)
    except (OSError, ValueError):
        return None
    values = np.frombuffer(content[: len(content) // 4 * 4], dtype=np.uint32)
    if len(content) != 4 * (shape[0] * shape[1] + 1) or values[-1] != zlib.crc32(content[:-4]):
        return None
    values = values[:-1].reshape(shape)
    lengths, words, unknown = (values[:, place].astype(np.int32) for place in range(3))
    return WrittenDocuments(lengths, words, unknown, values[:, 3].copy(), values[:, 4:].copy())


class Room(NamedTuple):
    """Room on the disk."""

    bytes: int
    files: int


def room_needed(lengths: NDArray[np.integer], *, reused: int, has_tensors: bool = True) -> Room:
    """Room for documents of these lengths, of which some have tensors already; a tensor file takes whole blocks."""
    tables = int(4 * lengths.sum()) + TABLE_ROW * len(lengths)
    others = OTHER_FILES + PART_FILES * Parts.of(len(lengths)).count
    if not has_tensors:
        return Room(tables, others)
    frame = len(tensors.to_bytes(np.empty(0, dtype=np.int32)))
    of_tensors = int((-(-(frame + 4 * lengths) // BLOCK) * BLOCK).sum() * (1 - reused / len(lengths)))
    return Room(of_tensors + tables, len(lengths) - reused + FOLDERS + others)
