"""A finished data directory, opened for reading: its documents, their classes, and where their tokens are."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Final, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from textclf.config import changes
from textclf.dataset import packed
from textclf.dataset.documents import DocumentNames, Documents, Label, labels_of
from textclf.dataset.label_sets import MULTI, LabelSets
from textclf.dataset.manifest import DataLayout, Manifest, read_manifest
from textclf.dataset.packed import PackedTokens
from textclf.dataset.shots import Pairs, Shots, draw
from textclf.dataset.table import read_table
from textclf.dataset.tensors import TensorFiles, read_tensor
from textclf.errors import ArtefactError, UsageError
from textclf.sources.columns import cell_separator

UNSEEN: int = -1
"""Highest class index of a label that the training split does not have. Training calls all such labels by it."""


PERCENTILE: Final = 95
"""Of the documents' lengths, from which settings follow."""


class Size(NamedTuple):
    """What settings of training follow from: see `TrainConfig.completed`."""

    documents: int
    tokens: int
    length: int
    """Tokens of a document, at PERCENTILE."""


class Part(NamedTuple):
    """D documents to train or test on, in 12 bytes each."""

    rows: NDArray[np.int32]
    """Shape (D,), rows of the table of documents."""
    labels: NDArray[np.int32]
    """Shape (D,), class indices, see `DataDirectory.classes`; negative for a label that training does not have."""
    lengths: NDArray[np.int32]
    """Shape (D,), tokens."""

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def classes(self) -> NDArray[np.int64]:
        """The labels as integers that figures can be computed with."""
        return self.labels.astype(np.int64)

    def at(self, places: NDArray[np.integer] | NDArray[np.bool_]) -> "Part":
        """The documents at these places."""
        return Part(*(column[places] for column in self))

    def size(self) -> Size:
        """How many documents and tokens these are, and how long the documents."""
        return Size(len(self), int(self.lengths.sum(dtype=np.int64)), int(np.percentile(self.lengths, PERCENTILE)))


class Store(Protocol):
    """A source of token ids: the packed copy or the tensor files."""

    def gather(self, indices: NDArray[np.integer]) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        """Token ids of the documents, end to end, and the length of each."""


@dataclass(frozen=True, slots=True)
class DataDirectory:
    """What is in ``data/<name>/``."""

    layout: DataLayout
    manifest: Manifest
    documents: Documents

    @classmethod
    def open(
        cls,
        root: Path,
        *,
        fingerprint: str | None = None,
        described: Mapping[str, Any] | None = None,
        may_have_grown: bool = False,
    ) -> "DataDirectory":
        """Read the manifest and the table of documents; raises what `read_manifest` and `read_table` raise.

        With a fingerprint, raises UsageError if the directory has another one now, and says what differs from the
        ``described`` of then; one that ``may_have_grown`` may have had it before documents were added.
        """
        found = read_manifest(root)
        if fingerprint not in (None, *(found.fingerprints if may_have_grown else (found.fingerprint,))):
            changed = changes(described, found.described()) if described else []
            what = f" ({', '.join(changed or ['texts or labels changed'])})"
            raise UsageError(
                f"{root} has been rebuilt since this run was trained{what}; train a new model: textclf train"
            )
        layout = DataLayout(root)
        return cls(layout, found, read_table(layout.tables(found.parts), found.parts, found.names))

    def with_labels(self, labels: list[str]) -> "DataDirectory":
        """As a model sees it that was trained before labels were added: as labels that training does not have."""
        if labels == self.manifest.labels[: len(labels)]:
            return replace(self, manifest=replace(self.manifest, labels=labels))
        return self

    def rows(self, part: str) -> NDArray[np.int32]:
        """Row numbers of the documents of a tier (tiny, small, mid, full) or of a split (train, validation, test)."""
        return self.documents.rows(part)

    @property
    def is_multi(self) -> bool:
        """Whether a document may have several labels, or none."""
        return self.manifest.task == MULTI

    @property
    def separator(self) -> str:
        """What is between several labels in a cell that is written."""
        return cell_separator(
            self.manifest.columns, {name for label in self.documents.labels for name in labels_of(label)}
        )

    def label_sets(self) -> LabelSets:
        """The distinct sets of labels of documents that may have several, in alphabetical order."""
        return LabelSets(list(map(labels_of, self.documents.labels)), MULTI)

    def unseen_labels(self) -> list[str]:
        """The labels that the training split does not have, sorted."""
        found = {name for label in self.documents.labels for name in labels_of(label)}
        return sorted(found.difference(self.manifest.labels))

    def classes(self) -> NDArray[np.int32]:
        """Class index of each document: that of its label in ``manifest.labels``, or else a negative number.

        Each label that the training split does not have is a class of its own: UNSEEN, UNSEEN - 1 and so on. Where a
        document may have several labels, its class is the place of their set in `label_sets`.
        """
        if self.is_multi:
            return self.documents.label
        index: dict[Label, int] = {label: place for place, label in enumerate(self.manifest.labels)}
        unseen = sorted(set(self.documents.labels).difference(index))
        index |= {label: UNSEEN - place for place, label in enumerate(unseen)}
        return np.array([index[label] for label in self.documents.labels], dtype=np.int32)[self.documents.label]

    def counts(self, part: str) -> dict[str, int]:
        """How many documents of a tier or a split have each label."""
        return self.counts_of(self.rows(part))

    def counts_of(self, rows: NDArray[np.integer]) -> dict[str, int]:
        """How many of the documents of these rows have each label of the training split."""
        classes = self.classes()[rows]
        if self.is_multi:
            found = self.label_sets().counts(classes)
            return {label: found.get(label, 0) for label in self.manifest.labels}
        counts = np.bincount(classes[classes > UNSEEN], minlength=len(self.manifest.labels))
        return dict(zip(self.manifest.labels, counts.tolist(), strict=True))

    def parts(self, tier: str, *, shots: int | None = None, seed: int = 0) -> dict[str, Part]:
        """The training tier, and validation and test if the data has them, by split name.

        With ``shots``, train and validation are that many documents of each label of the tier: see `shots.draw`.
        """
        classes, lengths = self.classes(), self.documents.tokens
        rows = {"train": self.rows(tier), "validation": self.rows("validation"), "test": self.rows("test")}
        if shots is not None:
            drawn = self._draw(rows["train"], shots=shots, seed=seed)
            rows |= {"train": rows["train"][drawn.train], "validation": rows["train"][drawn.validation]}
        return {split: Part(places, classes[places], lengths[places]) for split, places in rows.items() if len(places)}

    def training_counts(self, metrics: Mapping[str, Any]) -> dict[str, int]:
        """How many of the training documents of a run, whose metrics.json this is, have each label."""
        rows, shots = self.rows(metrics["tier"]), metrics.get("shots")
        if shots is not None:
            rows = rows[self._draw(rows, shots=shots, seed=metrics["seed"]).train]
        return self.counts_of(rows)

    def _draw(self, rows: NDArray[np.int32], *, shots: int, seed: int) -> Shots:
        classes = self.classes()[rows]
        if self.is_multi:
            place, label = np.nonzero(self.label_sets().matrix(self.manifest.labels)[classes])  # (D, C)
            pairs = Pairs(place, label)
        else:
            pairs = Pairs(np.arange(len(rows)), classes.astype(np.int64))
        return draw(pairs, documents=len(rows), shots=shots, seed=seed)

    def store(self, name: str) -> Store:
        """The tokens from the packed copy ("packed") or the tensor files ("files")."""
        return self.packed() if name == "packed" else self.files()

    def tokens(self, row: int) -> NDArray[np.int32]:
        """Token ids of one document, shape (T,), without a check of the packed copy, if it has no file of its own."""
        if not self.manifest.has_tensors:
            return self._packed().gather(np.array([row]))[0]
        return read_tensor(self.layout.tensor(self.documents.id_of(row)))

    def files(self) -> TensorFiles:
        """The tokens in the tensor files; raises UsageError if the directory was made without."""
        if not self.manifest.has_tensors:
            raise UsageError(
                f"{self.layout.root} has no .pt files; train with --store packed, or make them: "
                f"textclf preprocess SOURCE --name {self.layout.root.name} --tensors all --overwrite"
            )
        return TensorFiles(partial(_tensor, self.layout, self.documents.names), self.documents.crc32)

    def packed(self) -> PackedTokens:
        """The tokens in the packed copy, whose parts are first rebuilt from the files if they are missing or damaged.

        Raises ArtefactError, naming the file, if a tensor is damaged, or if there are no tensors to rebuild it from.
        """
        layout, parts = self.layout.packed, self.manifest.parts
        for number in packed.damaged_parts(layout, self.documents.tokens, parts, self.manifest.packed):
            if not self.manifest.has_tensors:
                raise ArtefactError(
                    f"{layout.part(number)} is damaged; rebuild it: "
                    f"textclf preprocess SOURCE --name {self.layout.root.name} --overwrite"
                )
            files, rows = self.files(), parts.rows(number)
            packed.prepare(layout)
            packed.write_part(layout, number, (files.read(row) for row in range(rows.start, rows.stop)))
        return self._packed()

    def _packed(self) -> PackedTokens:
        """The tokens in the packed copy as it is."""
        return PackedTokens(self.layout.packed, self.documents.tokens, self.manifest.parts)


def _tensor(layout: DataLayout, names: DocumentNames, row: int) -> Path:
    """The tensor file of a document."""
    return layout.tensor(names.of([row])[0])


def together(first: Part, second: Part) -> Part:
    """The documents of both, without those whose label no training document has."""
    both = Part(*(np.concatenate(pair) for pair in zip(first, second, strict=True)))
    return both.at(both.labels > UNSEEN)
