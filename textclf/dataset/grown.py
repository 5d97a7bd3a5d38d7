"""Write the data directory that has grown by an addition; files that stay as they are are linked, not copied."""

import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from textclf.dataset import build, corrections, packed, splits, tensors
from textclf.dataset.addition import Addition
from textclf.dataset.data_report import DataReport, read_report, write_report
from textclf.dataset.documents import NO_TIER, DocumentNames, Documents, labels_of
from textclf.dataset.manifest import DataLayout, Manifest, folder_of, write_manifest
from textclf.dataset.parts import MOST, Parts
from textclf.dataset.scanned import READ_AT_ONCE, TOKENS_AT_ONCE, ScannedData, token_keys
from textclf.dataset.splits import DocumentCodes
from textclf.dataset.table import write_table
from textclf.dataset.write_parts import WrittenDocuments, room_needed
from textclf.errors import ArtefactError, UsageError
from textclf.sources import SPLITS
from textclf.system import checksums, files
from textclf.system.wording import counted
from textclf.text import arrays
from textclf.text.batch_encoder import ByteStrings

MUCH_UNKNOWN: Final = 2.0
"""How many times the share of unknown words of the training split new documents may have before it is said."""


def write_grown(layout: DataLayout, there: ScannedData, new: Addition, *, settings: dict[str, Any]) -> DataReport:
    """Write the whole directory, and return its report; ``settings``: how the addition was read, for the manifest.

    Raises UsageError if it would have too many parts, ArtefactError if a file of the old directory is missing,
    ResourceError if the disk is full.
    """
    grown = _Grown(there, new)
    of = grown.parts
    if of.count > MOST:
        raise UsageError(f"{there.data.layout.root} would have more than {MOST} parts; rebuild it from all files")
    manifest = there.data.manifest
    needed = room_needed(new.written.lengths, reused=0, has_tensors=manifest.has_tensors)
    whole = 4 * int(grown.table.tokens.sum(dtype=np.int64))  # if all parts change
    files.refuse_full_disk(layout.root, needed=needed.bytes + whole, count=needed.files)
    _link(there.data.layout.tokenizer, layout.tokenizer)
    crc32 = _write_parts(grown, layout)
    if manifest.has_tensors:
        _write_tensors(grown, layout)
    report = grown.report()
    write_report(layout.report, report)
    named = (layout.tokenizer, *layout.tables(of), layout.report)
    write_manifest(
        layout,
        replace(
            manifest,
            splits=dict(zip(SPLITS, grown.table.names.counts, strict=True)),
            labels=[*manifest.labels, *grown.new_labels],
            tiers=dict(report.tiers),
            packed=crc32,
            checksums={layout.name_of(path): checksums.sha256(path) for path in named},
            additions=[*manifest.additions, grown.record(settings)],
        ),
    )
    return report


def _write_parts(grown: "_Grown", layout: DataLayout) -> list[int]:
    """Write the packed copy and the table of each part; returns the CRC-32 of each part of the packed copy."""
    old, crc32 = grown.there.data, []
    packed.prepare(layout.packed)
    files.make_folder(layout.documents)
    for number, rows in enumerate(grown.parts):
        if grown.is_kept(rows):
            _link(old.layout.packed.part(number), layout.packed.part(number))
            _link(old.layout.table(number), layout.table(number))
            crc32.append(old.manifest.packed[number])
        else:
            crc32.append(packed.write_part(layout.packed, number, grown.runs(rows)))
            write_table(layout.table(number), grown.table, rows, ByteStrings.of(grown.ids(rows)))
    return crc32


def _write_tensors(grown: "_Grown", layout: DataLayout) -> None:
    for number in range(256):
        files.make_folder(layout.tensors / f"{number:02x}")
    order, old = grown.order, grown.there.data
    for place, name in zip(order.rows.tolist(), grown.table.names.of(range(len(grown.table))), strict=True):
        path = layout.tensors / folder_of(name) / f"{name}.pt"
        if place >= order.first:
            tensors.write_tensor(path, grown.new.tokens.gather(np.array([place - order.first]))[0])
        else:
            _link(old.layout.tensor(old.documents.names.of([place])[0]), path)


def _link(old: Path, new: Path) -> None:
    """Have the new directory have a file of the old one, without a copy if the disk can do that."""
    try:
        os.link(old, new)
    except FileNotFoundError as error:
        raise ArtefactError(f"{old} is missing; rebuild it: textclf preprocess SOURCE --overwrite") from error
    except OSError:
        shutil.copy2(old, new)


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


class _Grown:
    """The content of a data directory and of an addition, in the order of the grown directory."""

    def __init__(self, there: ScannedData, new: Addition) -> None:
        self.there, self.new = there, new
        self.manifest = there.data.manifest
        self.order = _Order.of(self.manifest, new.split)
        self.table = self._table()
        self.parts = Parts(len(self.table), self.manifest.part_size)
        trained = self.table.counts(self.table.names.slices()["train"])
        names = {name for label in trained for name in labels_of(label)}
        self.new_labels = sorted(names.difference(self.manifest.labels))
        """Labels of the training split that the directory did not know."""

    def _table(self) -> Documents:
        old, new, rows = self.there.data.documents, self.new, self.order.rows
        labels = tuple(sorted({*old.labels, *new.labelled.labels()}))
        place = {label: at for at, label in enumerate(labels)}
        codes = [
            np.array([place[label] for label in some], dtype=np.int32)[label_of]
            for some, label_of in ((old.labels, old.label), (new.labelled.labels(), new.texts.documents.label))
        ]
        return Documents(
            DocumentNames(self.order.counts),
            (),
            np.concatenate(codes)[rows],
            labels,
            np.concatenate((old.tier, self._new_tiers()))[rows],
            np.concatenate((old.tokens, new.written.lengths))[rows],
            np.concatenate((old.crc32, new.written.crc32))[rows],
        )

    def _new_tiers(self) -> NDArray[np.int8]:
        """The tier of each new document, shape (D,): those that are there keep theirs."""
        new = self.new
        is_train = new.split == 0
        found = np.full(len(new.split), NO_TIER, dtype=np.int8)
        documents = new.texts.documents.label[is_train]
        known = {*self.manifest.labels}
        is_new = np.array([not known.issuperset(labels) for labels in new.labelled.sets], dtype=bool)
        strata = new.labelled.strata(documents, counts=new.labelled.counts(documents))
        found[is_train] = splits.more_tiers(
            strata, is_new[documents], before=self.manifest.tiers, seed=int(self.manifest.settings["seed"])
        )
        return found

    def is_kept(self, rows: slice) -> bool:
        """Whether a part has the same documents as before."""
        before = self.manifest.parts
        number = rows.start // before.size
        return (
            number < before.count
            and before.rows(number) == rows
            and bool((self.order.rows[rows] == np.arange(rows.start, rows.stop)).all())
        )

    def runs(self, rows: slice) -> Iterator[NDArray[np.int32]]:
        """The token ids of a part's documents, some at a time."""
        first = self.order.first
        bounds = arrays.offsets(self.table.tokens[rows])
        for some in arrays.row_slices(bounds, at_most=TOKENS_AT_ONCE, rows=READ_AT_ONCE):
            places = self.order.rows[rows][some]
            for run in np.split(places, np.flatnonzero(np.diff(places >= first)) + 1):
                is_new = run[0] >= first
                store = self.new.tokens if is_new else self.there.tokens
                yield store.gather(run - first if is_new else run)[0]

    def ids(self, rows: slice) -> list[str]:
        """The source's ids of a part's documents."""
        places, first, ids = self.order.rows[rows], self.order.first, self.there.data.documents.source
        of_new = iter(self.new.texts.ids.strings(places[places >= first] - first))
        return [next(of_new) if place >= first else ids[place] for place in places.tolist()]

    def report(self) -> DataReport:
        """The report for people; copies of a text are found by its tokens, as the texts from before are not there."""
        there, new, rows = self.there, self.new, self.order.rows
        before = read_report(there.data.layout.report)
        columns = [np.concatenate(pair)[rows] for pair in zip(there.written, new.written, strict=True)]
        written = WrittenDocuments(*columns)
        has_empty = np.array([before.splits[name].empty > 0 if name in before.splits else False for name in SPLITS])
        is_old_empty = has_empty[there.split] & (there.written.lengths == 1) & (there.written.unknown == 1)
        is_empty = np.concatenate((is_old_empty, new.is_empty))[rows]
        split = np.repeat(np.arange(len(SPLITS), dtype=np.int8), self.table.names.counts)
        keys = token_keys(self.table.crc32, self.table.tokens)
        says_nothing = written.lengths == written.unknown
        keys[says_nothing] = -1 - np.flatnonzero(says_nothing)
        text = np.unique(keys, return_inverse=True)[1].astype(np.int32)
        codes = DocumentCodes(split, self.table.label, text)
        named = replace(self.table, source=_Ids(self))
        described = build.describe(new.corpus, named, written, is_empty, codes, name=before.name)
        return replace(
            described,
            source=before.source,
            task=before.task,
            notes=(
                *before.notes,
                *(note for note in described.notes if note not in before.notes),
                *map(corrections.note, new.record),
                *self._warnings(),
                self._sentence(),
            ),
        )

    def _warnings(self) -> Iterator[str]:
        """Why the directory should be rebuilt."""
        old, new = self.there.written, self.new.written
        train = self.there.data.documents.names.slices()["train"]
        before = float(old.unknown[train].sum() / max(old.words[train].sum(), 1))
        share = float(new.unknown.sum() / max(new.words.sum(), 1))
        if share > max(MUCH_UNKNOWN * before, 0.05):
            yield (
                f"{share:.0%} of the words of {self.new.corpus.source} are not in the vocabulary, which stays; if they "
                "matter, rebuild the directory from all files"
            )

    def _sentence(self) -> str:
        """What was added."""
        new = self.new
        numbers = ", ".join(f"{count:,} to {name}" for name, count in new.counts.items() if count)
        total = counted(sum(new.counts.values()), "document was", "documents were")
        new_labels = f"; new labels: {', '.join(self.new_labels)}" if self.new_labels else ""
        are = counted(new.copies, "copy of a document that was there", "copies of documents that were there")
        copies = f"; with {are}, in the split of the other" if new.copies else ""
        left_out = f", {new.left_out:,} of them left out" if new.left_out else ""
        return f"{total} added from {new.corpus.source}: {numbers}{new_labels}{copies}{left_out}"

    def record(self, settings: dict[str, Any]) -> dict[str, Any]:
        """What the manifest says of this addition."""
        new = self.new
        return {
            "source": new.corpus.source,
            "revision": new.corpus.revision,
            "settings": settings,
            "columns": new.corpus.columns.to_json(),
            "documents": new.counts,
            "copies": new.copies,
            "left_out": new.left_out,
            "labels": self.new_labels,
            "corrections": new.record,
            "before": self.manifest.fingerprint,
        }


class _Ids(Sequence[str]):
    """The source's ids of the grown table, each found when it is asked for."""

    def __init__(self, grown: _Grown) -> None:
        self._grown = grown

    def __len__(self) -> int:
        return len(self._grown.table)

    def __getitem__(self, row: Any) -> Any:
        return self._grown.ids(slice(row, row + 1))[0]
