"""Grow a data directory by more documents, without rebuilding it: existing documents stay as they are.

The vocabulary stays, so that token ids, and the models that read them, stay valid: a new word is ``<unk>`` and its
subwords. Documents keep their ids, splits and tiers; those of a split that are new follow those that are there. Of the
new documents, validation and test get as many as keep their shares, if they were drawn at first. A near-copy of a
document that is there goes to the split which has that, so that none of a test document is trained on.

The directory appears whole in place of the old one. Files that stay as they are are linked, not copied.
"""

import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from textclf import sources
from textclf.config import PreprocessConfig
from textclf.dataset import build, corrections, finding, packed, splits, tensors
from textclf.dataset.corrections import DROPPED, Amended
from textclf.dataset.data_report import DataReport, read_report, write_report
from textclf.dataset.directory import DataDirectory
from textclf.dataset.documents import NO_TIER, DocumentNames, Documents, labels_of
from textclf.dataset.existing import COLUMNS
from textclf.dataset.label_sets import LabelSets
from textclf.dataset.manifest import DataLayout, Manifest, folder_of, write_manifest
from textclf.dataset.near_copies import COMPARED, near_copies, signatures
from textclf.dataset.packed import PackedTokens
from textclf.dataset.parts import MOST, Parts
from textclf.dataset.read_corpus import BATCH, BatchSize, NumberedCorpus, Progress, Work, read_corpus
from textclf.dataset.splits import DocumentCodes
from textclf.dataset.table import write_table
from textclf.dataset.write_parts import (
    NumberedDocuments,
    PartPlan,
    WrittenDocuments,
    joined,
    prepare,
    room_needed,
    write_parts,
)
from textclf.errors import ArtefactError, DataError, UsageError
from textclf.sources import SPLITS, Columns, Corpus, SourceOptions
from textclf.system import checksums, files, folders, requirements, workers
from textclf.system.startup import processors
from textclf.system.wording import counted
from textclf.text import arrays
from textclf.text.batch_encoder import ByteStrings
from textclf.text.tokenizer import UNK_ID, Tokenizer

MAY_BE_GIVEN: Final = {
    "add",
    "name",
    "data_dir",
    "num_workers",
    "corrections",
    "input_format",
    "part",
    *COLUMNS.values(),
}
"""Settings that go with ``add``; the others were decided when the directory was made."""

TOKENS_AT_ONCE: Final = 1_000_000
READ_AT_ONCE: Final = 1_000  # documents
MUCH_UNKNOWN: Final = 2.0
"""How many times the share of unknown words of the training split new documents may have before it is said."""


class Side(NamedTuple):
    """Where the D new documents go."""

    split: NDArray[np.int8]
    """Shape (D,), index in SPLITS, or DROPPED."""
    copies: int
    """Documents that are, or are nearly, the same as one that is there."""
    left_out: int
    """Those of them that are copies of a document of a split that gets no others."""


@dataclass(frozen=True, slots=True)
class New:
    """D documents that are added, encoded by the vocabulary of the directory."""

    corpus: Corpus
    texts: NumberedCorpus
    labelled: LabelSets
    written: WrittenDocuments
    tokens: PackedTokens
    is_empty: NDArray[np.bool_]
    """Shape (D,)."""
    split: NDArray[np.int8]
    """Shape (D,), that of the source, or DROPPED by a correction."""
    record: list[dict[str, Any]]
    """What the manifest says about each list of corrections."""


def grow(
    config: PreprocessConfig,
    *,
    progress: Progress = lambda items, _title, _total: items,
    batch: BatchSize = BATCH,
) -> tuple[Path, DataReport]:
    """Add the documents of files to a data directory; returns its path and its report.

    The last note of the report says what was added. The old directory stays until the new one is whole. Raises
    UsageError if there is no such directory, if a setting is given that was decided when it was made, or if it has the
    documents already; DataError if the documents cannot be used, ArtefactError if the directory is damaged,
    ResourceError if the disk is full or another process is changing the directory.
    """
    requirements.need("preprocess", requirements.TABLES)
    _refuse_settings(config)
    lists = corrections.read(config.corrections)
    root = finding.find(config.name, config.data_dir)
    manifest = DataDirectory.open(root).manifest
    corpus = sources.load(config.add, options=_options(config, manifest))
    _refuse_twice(root, manifest, corpus)
    count, alone_seconds = (
        config.num_workers or processors(),
        0 if corpus.size >= build.LARGE else workers.ALONE_SECONDS,
    )
    with (
        folders.replacing(root) as folder,
        workers.lazy_pool(count, imports=PartPlan.__module__, alone_seconds=alone_seconds) as pool,
    ):
        files.make_folder(folder)
        for path in folder.iterdir():
            files.remove(path)
        growing = _Growing(DataDirectory.open(root), DataLayout(folder), Work(pool, progress, batch))
        new = growing.read(corpus, lists)
        report = growing.write(new, growing.sides(new), config)
    return root, report


def _refuse_settings(config: PreprocessConfig) -> None:
    """Raise UsageError for a setting that was decided when the directory was made."""
    usual = PreprocessConfig()
    for field in fields(config):
        if field.name not in MAY_BE_GIVEN and getattr(config, field.name) != getattr(usual, field.name):
            given = "SOURCE" if field.name == "source" else f"--{field.name.replace('_', '-')}"
            raise UsageError(f"{given} was decided when the data directory was made: leave it out with --add")


def _refuse_twice(root: Path, manifest: Manifest, corpus: Corpus) -> None:
    """Raise UsageError if the same files were added before, or the directory was made from them."""
    if corpus.revision in (manifest.revision, *(each["revision"] for each in manifest.additions)):
        raise UsageError(f"{root} has the documents of {corpus.source} already: nothing to add")


def _options(config: PreprocessConfig, manifest: Manifest) -> SourceOptions:
    """How the files are read: as the settings say, and else as the source of the directory was."""
    made = manifest.columns
    first = str((manifest.settings.get("source") or [""])[0])
    is_alike = Path(first).suffix == Path(config.add[0]).suffix
    inherited = {"text", "label", "id", "flags", "separator"} | (
        {"names", "delimiter", "encoding", "label_prefix"} if is_alike else set()
    )
    if is_alike and made.quote_was_asked_for:
        inherited.add("quote")
    usual, asked = Columns(), {}
    for field, setting in COLUMNS.items():
        given = getattr(config, setting)
        if given != getattr(PreprocessConfig(), setting):
            asked[field] = given
        elif field in inherited:
            asked[field] = getattr(made, field)
    if asked.get("flags"):
        asked["label"] = None
    kind = config.input_format
    if kind == "auto" and is_alike:
        kind = str(manifest.settings.get("input_format", "auto"))
    part = config.part or (manifest.settings.get("part") if is_alike else None)
    return SourceOptions(columns=replace(usual, **asked), kind=kind, part=part)


class _Growing:
    """A data directory, and the folder that replaces it."""

    def __init__(self, data: DataDirectory, layout: DataLayout, work: Work) -> None:
        self.data, self.layout, self.work = data, layout, work
        self.manifest = data.manifest
        self.scratch = layout.root / "scratch"
        self.old = data.packed()
        self.tokenizer = Tokenizer.from_json(files.read_object(data.layout.tokenizer))
        self.keys = _keys(data.documents.crc32, data.documents.tokens)
        self._scan()

    def _scan(self) -> None:
        """Read all tokens that are there once: words of each document, unknown ones, and its signature."""
        table = self.data.documents
        self.compare = len(table) <= COMPARED
        words, unknown, found = [], [], []
        pieces = list(arrays.row_slices(arrays.offsets(table.tokens), at_most=TOKENS_AT_ONCE, rows=READ_AT_ONCE))
        for some in self.work.progress(pieces, "documents that are there", len(pieces)):
            ids, lengths = self.old.gather(np.arange(some.start, some.stop))
            starts = arrays.offsets(lengths)[:-1]
            words.append(np.add.reduceat(ids < self.tokenizer.size, starts, dtype=np.int32))
            unknown.append(np.add.reduceat(ids == UNK_ID, starts, dtype=np.int32))
            found.append(signatures(ids, lengths) if self.compare else np.empty((len(lengths), 0), dtype=np.uint32))
        self.known = WrittenDocuments(
            table.tokens, np.concatenate(words), np.concatenate(unknown), table.crc32, np.concatenate(found)
        )

    def read(self, corpus: Corpus, lists: Sequence[corrections.CorrectionList]) -> New:
        """Read the new documents, and encode them into a folder of their own."""
        files.make_folder(self.scratch)
        lowercase = bool(self.manifest.settings.get("lowercase", True))
        texts = read_corpus(corpus.splits, lowercase=lowercase, spool=self.scratch / "numbers.bin", work=self.work)
        labelled = build.label_sets_of(texts, corpus, PreprocessConfig(task=self.manifest.task))
        amended = Amended(texts, texts.documents.split, [])
        if lists:
            amended = corrections.apply(lists, amended, labelled, corpus)
            labelled = labelled._replace(sets=amended.texts.sets)
        lengths = np.diff(texts.offsets).astype(np.int32)
        numbered = NumberedDocuments(texts.spool, texts.offsets[:-1], lengths, self.tokenizer.size)
        numbered.save(texts.pre_tokens.tokenize().encode(self.tokenizer))
        layout = DataLayout(self.scratch)
        plan = PartPlan(layout, 0, 0, numbered, None, compare=self.compare, is_resumed=False, batch=self.work.batch)
        prepare(layout, has_tensors=False)
        written = joined([part.documents for part in write_parts([plan], [None], work=self.work)])
        tokens = PackedTokens(layout.packed, written.lengths, Parts(len(lengths), len(lengths)))
        return New(corpus, amended.texts, labelled, written, tokens, lengths == 0, amended.split, amended.record)

    def sides(self, new: New) -> Side:
        """Divide the new documents into splits.

        Raises UsageError if all are copies of documents that are there, DataError if none is left to add.
        """
        split = new.split.copy()
        of_copy = self._splits_of_copies(new)
        is_copy = (of_copy >= 0) & (split != DROPPED)
        if is_copy.any() and self._are_all_there(new):
            raise UsageError(
                f"{self.data.layout.root} has the documents of {new.corpus.source} already: nothing to add"
            )
        grows = np.array([name == "train" or name in self.manifest.drawn for name in SPLITS])
        moved = is_copy & (split == 0)
        split[moved] = np.where(grows[of_copy[moved]], of_copy[moved], DROPPED)
        free = (split == 0) & ~is_copy
        split[free] = self._draw(new, free, split)
        if (split == DROPPED).all():
            raise DataError(f"{new.corpus.source}: no document is left to add")
        return Side(split, int(is_copy.sum()), int((split[moved] == DROPPED).sum()))

    def _are_all_there(self, new: New) -> bool:
        """Whether each new document has the tokens of one that is there."""
        return bool(np.isin(_keys(new.written.crc32, new.written.lengths), self.keys).all())

    def _splits_of_copies(self, new: New) -> NDArray[np.int8]:
        """The split of the document of which each new one is a copy or a near-copy, shape (D,); -1: of none.

        Of several it is the last split: a copy of a test document is one of test, whatever train has.
        """
        table, found = self.data.documents, np.full(len(new.split), -1, dtype=np.int8)
        split = np.repeat(np.arange(len(SPLITS), dtype=np.int8), table.names.counts)
        says_something = new.written.lengths > new.written.unknown
        keys = _keys(new.written.crc32, new.written.lengths)
        for place in range(len(SPLITS)):
            found[says_something & np.isin(keys, self.keys[split == place])] = place
        if self.compare:
            for place in range(len(SPLITS)):
                old = self.known.signatures[split == place]
                first = near_copies(np.concatenate((old, new.written.signatures)))[len(old) :]
                found[says_something & (first < len(old)) & (found < place)] = place
        return found

    def _draw(self, new: New, free: NDArray[np.bool_], split: NDArray[np.int8]) -> NDArray[np.int8]:
        """The splits of the new documents that may go to any, so that validation and test keep their shares."""
        strata = new.labelled.strata(
            new.texts.documents.label, counts=new.labelled.counts(new.texts.documents.label[split != DROPPED])
        )
        codes = new.texts.documents._replace(label=strata).take(free)
        every = len(self.data.documents) + int((split != DROPPED).sum())
        counts = {}
        for name in self.manifest.drawn:
            there = self.manifest.splits[name] + int((split == SPLITS.index(name)).sum())
            share = float(self.manifest.settings[f"{name}_size"])
            counts[name] = min(max(round(share * every) - there, 0), len(codes.text) // 3)
        return splits.draw(codes, counts, seed=int(self.manifest.settings["seed"]))

    def write(self, new: New, side: Side, config: PreprocessConfig) -> DataReport:
        """Write the whole directory, and return its report."""
        order = _Order.of(self.manifest, side.split)
        table = self._table(new, side, order)
        of = Parts(len(table), self.manifest.part_size)
        if of.count > MOST:
            raise UsageError(f"{self.data.layout.root} would have more than {MOST} parts; rebuild it from all files")
        added = replace(self.manifest, splits=dict(zip(SPLITS, table.names.counts, strict=True)))
        needed = room_needed(new.written.lengths, reused=0, has_tensors=added.has_tensors)
        whole = 4 * int(table.tokens.sum(dtype=np.int64))  # if all parts change
        files.refuse_full_disk(self.layout.root, needed=needed.bytes + whole, count=needed.files)
        self._link(self.data.layout.tokenizer, self.layout.tokenizer)
        packed.prepare(self.layout.packed)
        files.make_folder(self.layout.documents)
        crc32 = []
        for number, rows in enumerate(of):
            if self._is_kept(order, rows):
                self._link(self.data.layout.packed.part(number), self.layout.packed.part(number))
                self._link(self.data.layout.table(number), self.layout.table(number))
                crc32.append(self.manifest.packed[number])
                continue
            runs = self._runs(new, order, table, rows)
            crc32.append(packed.write_part(self.layout.packed, number, runs))
            write_table(self.layout.table(number), table, rows, ByteStrings.of(self._ids(new, order, rows)))
        if added.has_tensors:
            self._write_tensors(new, order, table)
        report = self._report(new, side, order, table, config)
        write_report(self.layout.report, report)
        files.remove(self.scratch)
        named = (self.layout.tokenizer, *self.layout.tables(of), self.layout.report)
        write_manifest(
            self.layout,
            replace(
                added,
                labels=self._labels(table),
                tiers=dict(report.tiers),
                packed=crc32,
                checksums={self.layout.name_of(path): checksums.sha256(path) for path in named},
                additions=[*self.manifest.additions, self._addition(new, side, table, config)],
            ),
        )
        return report

    def _is_kept(self, order: "_Order", rows: slice) -> bool:
        """Whether a part has the same documents as before."""
        before = self.manifest.parts
        number = rows.start // before.size
        return (
            number < before.count
            and before.rows(number) == rows
            and (order.rows[rows] == np.arange(*_bounds(rows))).all()
        )

    def _link(self, old: Path, new: Path) -> None:
        """Have the new directory have a file of the old one, without a copy if the disk can do that."""
        try:
            os.link(old, new)
        except FileNotFoundError as error:
            raise ArtefactError(f"{old} is missing; rebuild it: textclf preprocess SOURCE --overwrite") from error
        except OSError:
            shutil.copy2(old, new)

    def _table(self, new: New, side: Side, order: "_Order") -> Documents:
        old = self.data.documents
        labels = tuple(sorted({*old.labels, *new.labelled.labels()}))
        place = {label: at for at, label in enumerate(labels)}
        codes = [
            np.array([place[label] for label in some], dtype=np.int32)[label_of]
            for some, label_of in ((old.labels, old.label), (new.labelled.labels(), new.texts.documents.label))
        ]
        return Documents(
            DocumentNames(order.counts),
            (),
            np.concatenate(codes)[order.rows],
            labels,
            np.concatenate((old.tier, self._tiers(new, side)))[order.rows],
            np.concatenate((old.tokens, new.written.lengths))[order.rows],
            np.concatenate((old.crc32, new.written.crc32))[order.rows],
        )

    def _tiers(self, new: New, side: Side) -> NDArray[np.int8]:
        """The tier of each new document, shape (D,): those that are there keep theirs."""
        is_train = side.split == 0
        found = np.full(len(side.split), NO_TIER, dtype=np.int8)
        documents = new.texts.documents.label[is_train]
        known = {*self.manifest.labels}
        is_new = np.array([not known.issuperset(labels) for labels in new.labelled.sets], dtype=bool)
        strata = new.labelled.strata(documents, counts=new.labelled.counts(documents))
        found[is_train] = splits.more_tiers(
            strata, is_new[documents], before=self.manifest.tiers, seed=int(self.manifest.settings["seed"])
        )
        return found

    def _labels(self, table: Documents) -> list[str]:
        """The labels of the training split: those that are there in their order, then the new ones, sorted."""
        trained = {name for label in table.counts(table.names.slices()["train"]) for name in labels_of(label)}
        return [*self.manifest.labels, *sorted(trained.difference(self.manifest.labels))]

    def _runs(self, new: New, order: "_Order", table: Documents, rows: slice) -> Iterator[NDArray[np.int32]]:
        """The token ids of a part's documents, some at a time."""
        bounds = arrays.offsets(table.tokens[rows])
        for some in arrays.row_slices(bounds, at_most=TOKENS_AT_ONCE, rows=READ_AT_ONCE):
            places = order.rows[rows][some]
            for run in np.split(places, np.flatnonzero(np.diff(places >= order.first)) + 1):
                is_new = run[0] >= order.first
                store = new.tokens if is_new else self.old
                yield store.gather(run - order.first if is_new else run)[0]

    def _ids(self, new: New, order: "_Order", rows: slice) -> list[str]:
        """The source's ids of a part's documents."""
        places, ids = order.rows[rows], self.data.documents.source
        of_new = iter(new.texts.ids.strings(places[places >= order.first] - order.first))
        return [next(of_new) if place >= order.first else ids[place] for place in places.tolist()]

    def _write_tensors(self, new: New, order: "_Order", table: Documents) -> None:
        for number in range(256):
            files.make_folder(self.layout.tensors / f"{number:02x}")
        before = self.data.documents.names
        for place, name in zip(order.rows.tolist(), table.names.of(range(len(table))), strict=True):
            path = self.layout.tensors / folder_of(name) / f"{name}.pt"
            if place >= order.first:
                tensors.write_tensor(path, new.tokens.gather(np.array([place - order.first]))[0])
            else:
                self._link(self.data.layout.tensor(before.of([place])[0]), path)

    def _report(self, new: New, side: Side, order: "_Order", table: Documents, config: PreprocessConfig) -> DataReport:
        """The report for people; copies of a text are found by its tokens, as the texts from before are not there."""
        before = read_report(self.data.layout.report)
        columns = [np.concatenate(pair)[order.rows] for pair in zip(self.known, new.written, strict=True)]
        written = WrittenDocuments(*columns)
        has_empty = np.array([before.splits[name].empty > 0 if name in before.splits else False for name in SPLITS])
        old_split = np.repeat(np.arange(len(SPLITS)), self.data.documents.names.counts)
        is_old_empty = has_empty[old_split] & (self.known.lengths == 1) & (self.known.unknown == 1)
        is_empty = np.concatenate((is_old_empty, new.is_empty))[order.rows]
        split = np.repeat(np.arange(len(SPLITS), dtype=np.int8), table.names.counts)
        keys = _keys(table.crc32, table.tokens)
        keys[written.lengths == written.unknown] = -1 - np.flatnonzero(written.lengths == written.unknown)
        text = np.unique(keys, return_inverse=True)[1].astype(np.int32)
        named = replace(table, source=_Named(self, new, order))
        described = build.describe(
            new.corpus, named, written, is_empty, DocumentCodes(split, table.label, text), name=before.name
        )
        new_notes = [note for note in described.notes if note not in before.notes]
        about = [corrections.note(each) for each in new.record]
        return replace(
            described,
            source=before.source,
            task=before.task,
            notes=(*before.notes, *new_notes, *about, *self._warnings(new), self._sentence(new, side, table)),
        )

    def _warnings(self, new: New) -> Iterator[str]:
        """Why the directory should be rebuilt."""
        train = self.data.documents.names.slices()["train"]
        before = float(self.known.unknown[train].sum() / max(self.known.words[train].sum(), 1))
        share = float(new.written.unknown.sum() / max(new.written.words.sum(), 1))
        if share > max(MUCH_UNKNOWN * before, 0.05):
            yield (
                f"{share:.0%} of the words of {new.corpus.source} are not in the vocabulary, which stays; if they "
                "matter, rebuild the directory from all files"
            )

    def _sentence(self, new: New, side: Side, table: Documents) -> str:
        """What was added."""
        numbers = ", ".join(f"{count:,} to {name}" for name, count in _added(side).items() if count)
        total = counted(sum(_added(side).values()), "document was", "documents were")
        labels = self._labels(table)[len(self.manifest.labels) :]
        new_labels = f"; new labels: {', '.join(labels)}" if labels else ""
        are = counted(side.copies, "copy of a document that was there", "copies of documents that were there")
        copies = f"; with {are}, in the split of the other" if side.copies else ""
        left_out = f", {side.left_out:,} of them left out" if side.left_out else ""
        return f"{total} added from {new.corpus.source}: {numbers}{new_labels}{copies}{left_out}"

    def _addition(self, new: New, side: Side, table: Documents, config: PreprocessConfig) -> dict[str, Any]:
        """What the manifest says of this addition."""
        options = _options(config, self.manifest)
        return {
            "source": new.corpus.source,
            "revision": new.corpus.revision,
            "settings": {
                "source": list(config.add),
                "input_format": options.kind,
                "part": options.part,
                "subset": None,
                "revision": None,
                "test": [],
                "validation": [],
            },
            "columns": new.corpus.columns.to_json(),
            "documents": _added(side),
            "copies": side.copies,
            "left_out": side.left_out,
            "labels": self._labels(table)[len(self.manifest.labels) :],
            "corrections": new.record,
            "before": self.manifest.fingerprint,
        }


class _Order(NamedTuple):
    """The rows of the grown table."""

    rows: NDArray[np.int64]
    """Row of each document in the table of before, or ``first`` and its number among the new documents."""
    first: int
    counts: tuple[int, ...]
    """Documents of each of SPLITS."""

    @classmethod
    def of(cls, manifest: Manifest, split: NDArray[np.int8]) -> "_Order":
        """Of each split the documents that are there, then the new ones."""
        first = sum(manifest.splits.values())
        runs, counts = [], []
        for place, rows in enumerate(manifest.names.slices().values()):
            new = first + np.flatnonzero(split == place)
            runs += [np.arange(rows.start, rows.stop), new]
            counts.append(rows.stop - rows.start + len(new))
        return cls(np.concatenate(runs), first, tuple(counts))


class _Named(Sequence[str]):
    """The source's ids of the grown table, each found when it is asked for."""

    def __init__(self, growing: _Growing, new: New, order: _Order) -> None:
        self._of = (growing, new, order)

    def __len__(self) -> int:
        return len(self._of[2].rows)

    def __getitem__(self, row: Any) -> Any:
        growing, new, order = self._of
        return growing._ids(new, order, slice(row, row + 1))[0]


def _bounds(rows: slice) -> tuple[int, int]:
    return rows.start, rows.stop


def _keys(crc32: NDArray[np.uint32], tokens: NDArray[np.int32]) -> NDArray[np.int64]:
    """A number for each document, the same for those with the same token ids."""
    return crc32.astype(np.int64) << 31 | tokens


def _added(side: Side) -> dict[str, int]:
    return {name: int((side.split == place).sum()) for place, name in enumerate(SPLITS)}
