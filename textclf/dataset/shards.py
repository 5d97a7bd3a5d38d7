"""Preprocess as tasks of a cluster: a task reads each file of the corpus, and a task writes each part of the data.

Between the two, this process merges what the tasks have read: labels, ids, digests of texts, and the distinct
pre-tokens, which each shard has numbered in its own order. The numbers themselves stay in the shards' files, which only
tasks read. Each task writes its files whole, the one with all but the numbers last, so that it is not done again.

All nodes must see the same files under the same paths.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import accumulate
from pathlib import Path
from typing import Any, Final, NamedTuple
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from textclf import __version__
from textclf.dataset import spool
from textclf.dataset.read_corpus import (
    BatchSize,
    NumberedCorpus,
    Progress,
    ReadDocuments,
    Work,
    read_documents,
    refuse_many,
)
from textclf.dataset.spool import Spool
from textclf.dataset.write_parts import PartPlan, WrittenPart, write_part
from textclf.errors import DataError, UsageError
from textclf.sources import SPLITS, Corpus, Document
from textclf.sources.document import NO_ID, no_documents, taken
from textclf.sources.parts import FileDocuments
from textclf.system import checksums, files, workers
from textclf.system.workers import Mapper
from textclf.text import arrays
from textclf.text.batch_encoder import SHORT, ByteStrings
from textclf.text.corpus_encoder import NewPreTokens, PreTokens
from textclf.text.distinct_strings import END, keys_of

_DIGEST: Final = 16  # bytes of a text


class Shard(NamedTuple):
    """Documents that one task reads."""

    documents: FileDocuments
    split: int
    """Its index in SPLITS."""
    root: Path
    """The beginning of the paths of its files."""

    def __str__(self) -> str:
        return str(self.documents.part.paths[0])

    @property
    def numbers(self) -> Path:
        """The numbers of pre-tokens, int32, end to end, in the order in which the shard has them first."""
        return self.root.with_suffix(".numbers")

    @property
    def about(self) -> Path:
        """All else, see `Contents`; it is there only if the other is."""
        return self.root.with_suffix(".npz")

    @property
    def map(self) -> Path:
        """The corpus's number, int32, of each of the shard's numbers."""
        return self.root.with_suffix(".map")


class Contents(NamedTuple):
    """What is known of a shard's D documents."""

    label: NDArray[np.int32]
    """The place of each document's labels in ``sets``."""
    sets: list[tuple[str, ...]]
    ids: NDArray[np.uint8]
    """The source's ids in UTF-8, end to end; empty where a document has none."""
    id_lengths: NDArray[np.int64]
    has_id: NDArray[np.bool_]
    lengths: NDArray[np.int32]
    """Pre-tokens of each document."""
    digests: NDArray[np.uint8]
    """Of the texts, end to end: see `splits.digest`."""
    strings: NDArray[np.uint8]
    """The distinct pre-tokens: see `distinct_strings.joined`."""
    notes: list[str]
    """What was said while it was read."""


@dataclass(frozen=True, slots=True)
class OnCluster:
    """The nodes of a cluster; this process merges."""

    cluster: Mapper
    progress: Progress
    batch: BatchSize

    @property
    def keeps_shards(self) -> bool:
        """Yes: others may have read for hours."""
        return True

    def read(self, corpus: Corpus, scratch: Path, *, lowercase: bool) -> NumberedCorpus:
        """Read each file in a task, and merge what they found."""
        shards = _shards(corpus, scratch)
        tasks = self.cluster.map(partial(read_shard, lowercase, self.batch), shards)
        for shard, _ in zip(shards, self.progress(tasks, "files", len(shards)), strict=True):
            if not shard.about.is_file():
                raise UsageError(f"{shard.about} was written on another node: {_SHARED}")
        read, notes = merged(shards)
        if isinstance(corpus.notes, list):
            corpus.notes.extend(notes)
        ends = np.cumsum([shard.numbers.stat().st_size // np.dtype(np.int32).itemsize for shard in shards])
        numbers, maps = (tuple(getattr(shard, name) for shard in shards) for name in ("numbers", "map"))
        return read.numbered(Spool(numbers, ends, maps))

    def count(self, texts: NumberedCorpus, chosen: NDArray[np.bool_]) -> NDArray[np.int64]:
        """Count each shard's numbers in a task."""
        bounds = np.searchsorted(texts.offsets[1:], texts.spool.ends, side="right")  # documents without any are no loss
        starts = [0, *bounds.tolist()]
        jobs = [
            _Count(path, texts.offsets[first : last + 1] - texts.offsets[first], chosen[first:last], kinds)
            for path, first, last, kinds in zip(
                texts.spool.paths, starts[:-1], starts[1:], map(_length_of, texts.spool.maps), strict=True
            )
        ]
        counts = np.zeros(len(texts.pre_tokens), dtype=np.int64)
        of_shards = self.progress(self.cluster.map(_count, jobs), "counts", len(jobs))
        for path, found in zip(texts.spool.maps, of_shards, strict=True):
            counts[spool.map_array(path, np.int32)] += found
        return counts

    def found(self, plans: Sequence[PartPlan]) -> list[WrittenPart | None]:
        """None: each task looks for its part."""
        return [None for _ in plans]

    def write(self, plans: Sequence[PartPlan], found: Sequence[WrittenPart | None]) -> list[WrittenPart]:
        """Write each part in a task."""
        return list(self.progress(self.cluster.map(write_part, plans), "parts", len(plans)))


_SHARED: Final = "--data-dir must be a folder that all nodes share"


def _shards(corpus: Corpus, scratch: Path) -> list[Shard]:
    """A shard for each file of each split, in the order of the documents."""
    shards: list[Shard] = []
    for place, documents in enumerate(map(corpus.splits.get, SPLITS)):
        for each in documents.shards() if isinstance(documents, FileDocuments) else ():
            shards.append(Shard(each, place, scratch / f"shard-{len(shards):05}"))
    return shards


def refuse_other_sources(corpus: Corpus) -> None:
    """Raise UsageError for documents that are not in files, which other nodes could not read."""
    if not all(isinstance(documents, FileDocuments) for documents in corpus.splits.values()):
        raise UsageError(f"--engine ray reads files, and {corpus.source} is none: leave out --engine ray")


# In a task


def read_shard(lowercase: bool, batch: BatchSize, shard: Shard) -> None:
    """Read the documents of a shard into its files, unless they are there, from the same file and settings."""
    if not shard.root.parent.is_dir():
        raise UsageError(f"{shard.root.parent} is not there: {_SHARED}")
    origin = _origin(shard, lowercase)
    if _contents(shard, origin) is not None:
        return
    notes: list[str] = []
    has_id = bytearray()

    def documents() -> Iterator[Document]:
        for document in shard.documents.read_shard(notes.append):
            has_id.append(document.id is not NO_ID)
            yield document if document.id is not NO_ID else document._replace(id="")

    with files.replacing(shard.numbers) as file, workers.lazy_pool(1, imports=__name__) as alone:
        work = Work(alone, lambda items, _title, _total: items, batch)
        read = read_documents({SPLITS[shard.split]: documents()}, file, lowercase=lowercase, work=work)
    about = {"origin": origin, "sets": [list(labels) for labels in read.sets], "notes": notes}
    with files.replacing(shard.about) as file:
        np.savez(
            file,
            about=_bytes(json.dumps(about).encode()),
            label=read.label,
            ids=_bytes(read.ids.content[: int(read.ids.lengths.sum())]),
            id_lengths=read.ids.lengths,
            has_id=np.frombuffer(has_id, dtype=np.bool_),
            lengths=read.lengths,
            digests=_bytes(read.digests),
            strings=_bytes(read.pre_tokens.joined()),
        )


def _bytes(content: bytes | bytearray) -> NDArray[np.uint8]:
    return np.frombuffer(content, dtype=np.uint8)


def _origin(shard: Shard, lowercase: bool) -> str:
    """A digest of all that decides what a shard has: its files, how they are read, and by which version."""
    part, reading = shard.documents.part, shard.documents.reading
    paths = [path for each in part.paths for path in (sorted(each.rglob("*")) if each.is_dir() else [each])]
    return checksums.digest(
        {
            "textclf": __version__,
            "lowercase": lowercase,
            "split": shard.split,
            "form": part.form,
            "files": {str(path): checksums.sha256(path) for path in paths if path.is_file()},
            "columns": [reading.columns.to_json(), reading.known.to_json()],
            "kind": [reading.kind, reading.part],
        }
    )


def _contents(shard: Shard, origin: str | None = None) -> Contents | None:
    """What is known of a shard; None if it was not read whole, or not from this origin."""
    try:
        with files.open_to_read(shard.about) as file, np.load(file, allow_pickle=False) as found:
            columns: dict[str, Any] = dict(found)
            about: Mapping[str, Any] = json.loads(columns.pop("about").tobytes())
        size = shard.numbers.stat().st_size
        contents = Contents(**columns, sets=[tuple(labels) for labels in about["sets"]], notes=about["notes"])
    except (OSError, ValueError, LookupError, TypeError, EOFError, BadZipFile):
        return None
    is_same = origin in (None, about["origin"]) and size == contents.lengths.sum(dtype=np.int64) * 4
    return contents if is_same else None


class _Count(NamedTuple):
    """What is to be counted in a shard."""

    numbers: Path
    offsets: NDArray[np.int64]
    chosen: NDArray[np.bool_]
    kinds: int

    def __str__(self) -> str:
        return str(self.numbers)


def _count(job: _Count) -> NDArray[np.int64]:
    return spool.count(job.numbers, job.offsets, job.chosen, kinds=job.kinds)


# In the process that merges


def _length_of(numbers: Path) -> int:
    """Numbers in a file."""
    return numbers.stat().st_size // np.dtype(np.int32).itemsize


class _Merged:
    """All documents of the shards so far."""

    def __init__(self) -> None:
        self.pre_tokens = PreTokens()
        self.sets: dict[tuple[str, ...], int] = {}
        self.notes: list[str] = []
        self.columns: dict[str, list[NDArray[Any]]] = {name: [] for name in ("split", "label", "lengths", "has_id")}
        self.digests, self.ids = bytearray(), bytearray()
        self.id_lengths: list[NDArray[np.int64]] = []
        self.in_split = [0] * len(SPLITS)

    def add(self, shard: Shard) -> None:
        """Add a shard, and write the file of the corpus's numbers of its numbers."""
        found = _contents(shard)
        if found is None:
            raise DataError(f"{shard.about} is damaged: run the command again")
        strings = found.strings.tobytes()
        numbers = np.arange(strings.count(END), dtype=np.int32)
        mapped = self.pre_tokens.renumber(numbers, worker=b"", new=NewPreTokens(0, strings))
        files.write_bytes(shard.map, mapped.tobytes(), durable=False)
        places = np.array([self.sets.setdefault(labels, len(self.sets)) for labels in found.sets], dtype=np.int32)
        columns = {"label": places[found.label], "lengths": found.lengths, "has_id": found.has_id}
        columns["split"] = np.full(len(found.label), shard.split, dtype=np.int8)
        for name, column in columns.items():
            self.columns[name].append(column)
        self.digests += found.digests.tobytes()
        self._add_ids(shard.split, found)
        self.in_split[shard.split] += len(found.label)
        refuse_many(sum(self.in_split))
        self.notes += found.notes

    def _add_ids(self, split: int, found: Contents) -> None:
        """Add ids; documents without one have their number in the split."""
        if found.has_id.all():
            self.ids += found.ids.tobytes()
            self.id_lengths.append(found.id_lengths)
            return
        content, first = found.ids.tobytes(), self.in_split[split] + 1
        ends = list(accumulate(found.id_lengths.tolist(), initial=0))
        ids = [
            content[ends[place] : ends[place + 1]] if has_id else str(first + place).encode()
            for place, has_id in enumerate(found.has_id.tolist())
        ]
        self.ids += b"".join(ids)
        self.id_lengths.append(np.fromiter(map(len, ids), dtype=np.int64, count=len(ids)))


def merged(shards: Sequence[Shard]) -> tuple[ReadDocuments, list[str]]:
    """The documents of all shards and what was said as they were read; writes each shard's map.

    Raises DataError if two documents of a split have the same id, if a split has none, or if there are too many.
    """
    all_of = _Merged()
    for shard in shards:
        all_of.add(shard)
    for split in {shard.split for shard in shards}:
        if not all_of.in_split[split]:
            raise no_documents(str(next(shard for shard in shards if shard.split == split)))
    columns = {name: np.concatenate(some) for name, some in all_of.columns.items()}
    bounds = arrays.offsets(np.concatenate(all_of.id_lengths))
    all_of.ids += bytes(SHORT + 1)
    ids = ByteStrings(bytes(all_of.ids), bounds[:-1], bounds[1:])
    counts = [len(column) for column in all_of.columns["split"]]
    _refuse_same_ids(ids, columns["split"], columns["has_id"], lambda row: _place(shards, counts, row))
    order = sorted(all_of.sets)
    places = np.empty(len(order), dtype=np.int32)
    places[[all_of.sets[labels] for labels in order]] = np.arange(len(order))
    label = places[columns["label"]]
    read = ReadDocuments(columns["split"], label, order, ids, columns["lengths"], all_of.digests, all_of.pre_tokens)
    return read, all_of.notes


def _refuse_same_ids(
    ids: ByteStrings, split: NDArray[np.int8], has_id: NDArray[np.bool_], place: Callable[[int], str]
) -> None:
    """Raise DataError for the first document whose id an earlier one of its split has."""
    for number in range(len(SPLITS)):
        rows = np.flatnonzero(has_id & (split == number))
        keys = keys_of(ids.at(rows))
        order = np.lexsort((keys.low, keys.high))  # stable: of equal ids the first document comes first
        low, high = keys.low[order], keys.high[order]
        is_same = (low[1:] == low[:-1]) & (high[1:] == high[:-1])
        if not is_same.any():
            continue
        later = order[1:][is_same].min()  # a document, counted in ``rows``
        at = int(np.flatnonzero(order == later)[0])
        while at and low[at - 1] == low[at] and high[at - 1] == high[at]:
            at -= 1
        first, second = int(rows[order[at]]), int(rows[later])
        (name,) = ids.strings(np.array([second]))
        raise taken(name, place(second), by=place(first))


def _place(shards: Sequence[Shard], counts: Sequence[int], row: int) -> str:
    """Where a document is, by its index among those of all shards."""
    for shard, count in zip(shards, counts, strict=True):
        if row < count:
            return shard.documents.place(row)
        row -= count
    raise IndexError(row)
