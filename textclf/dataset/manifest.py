"""The data directory: the names of its files, and the manifest, which is written last and says what they hold."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Final

from textclf.config import TIERS
from textclf.dataset import packed, parts
from textclf.dataset.documents import DocumentNames
from textclf.dataset.label_sets import MULTI, SINGLE
from textclf.dataset.parts import PART, Parts
from textclf.errors import ArtefactError, DataError, UsageError
from textclf.sources.document import SPLITS, Columns
from textclf.system import checksums, files

FORMAT_VERSION: Final = 7
"""Formats before 7 did not say which splits were drawn, and had no marks in scripts without spaces between words.

Before 6 there was one file for the table and one for the packed copy, whatever the number of documents, and in these
scripts a token was a whole clause.
"""

REPORT: Final = "report.json"


@dataclass(frozen=True, slots=True)
class DataLayout:
    """The files of ``data/<name>/``."""

    root: Path

    @property
    def manifest(self) -> Path:
        """Written last: without it the directory is unfinished."""
        return self.root / "manifest.json"

    @property
    def begun(self) -> Path:
        """What the tensors of an unfinished directory are made from; removed at the end."""
        return self.root / "begun.json"

    @property
    def documents(self) -> Path:
        """The table of documents, a file for each part."""
        return self.root / "documents"

    def table(self, number: int) -> Path:
        """The table of a part's documents."""
        return self.documents / f"{parts.name_of(number)}.parquet"

    def tables(self, of: Parts) -> list[Path]:
        """The tables of all parts."""
        return [self.table(number) for number in range(of.count)]

    @property
    def tokenizer(self) -> Path:
        """The vocabulary."""
        return self.root / "tokenizer.json"

    @property
    def report(self) -> Path:
        """The report for people."""
        return self.root / REPORT

    @property
    def tensors(self) -> Path:
        """One ``.pt`` per document, in 256 folders; absent if documents have no tensor files."""
        return self.root / "tensors"

    @property
    def packed(self) -> packed.PackedLayout:
        """The same tokens end to end, a file for each part."""
        return packed.PackedLayout(self.root / "packed")

    @property
    def vectors(self) -> Path:
        """Vectors of documents by sentence encoders, a folder for each; absent before one is trained with."""
        return self.root / "vectors"

    @property
    def written_parts(self) -> Path:
        """What is known of each part of an unfinished directory that was written; removed at the end."""
        return self.root / "written"

    def written(self, number: int) -> Path:
        """The same of one part."""
        return self.written_parts / f"{parts.name_of(number)}.bin"

    def name_of(self, path: Path) -> str:
        """How the manifest names a file."""
        return path.relative_to(self.root).as_posix()

    def tensor(self, document_id: str) -> Path:
        """The tensor file of a document."""
        return self.tensors / folder_of(document_id) / f"{document_id}.pt"


def folder_of(document_id: str) -> str:
    """Name of the folder of a document's tensor, by a hash of the id, so that no folder grows too large."""
    return hashlib.blake2b(document_id.encode(), digest_size=1).hexdigest()


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a data directory holds and what it was made from."""

    name: str
    source: str
    revision: str
    settings: dict[str, Any]
    """The fields of `PreprocessConfig` that shape the data, without those about columns."""
    labels: list[str]
    """Labels of the training split: a label's index is its class. Sorted, and those of later additions after that."""
    splits: dict[str, int]
    """Documents of each split."""
    drawn: list[str]
    """The splits that the source lacked, and that were drawn from its train split."""
    tiers: dict[str, int]
    """Documents of each tier."""
    vocabulary: int
    """Number of words, including ``<pad>`` and ``<unk>``."""
    checksums: dict[str, str]
    """SHA-256 of tokenizer.json, report.json, and each part's table, whose rows hold the CRC-32 of each document."""
    packed: list[int]
    """CRC-32 of each part of the packed copy."""
    columns: Columns = field(default_factory=Columns)
    """Those that were read."""
    task: str = SINGLE
    """SINGLE if each document has one label, MULTI if it may have several or none."""
    has_tensors: bool = True
    """Whether each document has a tensor file; else its tokens are in the packed copy alone."""
    part_size: int = PART
    """Documents of each part but the last."""
    corrections: list[dict[str, Any]] = field(default_factory=list)
    """The lists of corrections that were applied, in order: file, sha256, documents relabelled and dropped.

    JSON has it only if there are any, so that other directories are as earlier versions wrote them.
    """
    additions: list[dict[str, Any]] = field(default_factory=list)
    """The documents that were added later, in order: see `textclf.dataset.grow`. JSON has it only if there are any."""
    format_version: int = FORMAT_VERSION

    @property
    def names(self) -> DocumentNames:
        """The ids of the documents."""
        return DocumentNames(tuple(self.splits[split] for split in SPLITS))

    @property
    def parts(self) -> Parts:
        """How the documents are divided into parts."""
        return Parts(sum(self.splits.values()), self.part_size)

    @property
    def fingerprint(self) -> str:
        """Sixteen hex digits that change with any document, label, split or word."""
        return checksums.digest({name: self.checksums[name] for name in sorted(self.checksums) if name != REPORT})[:16]

    @property
    def fingerprints(self) -> tuple[str, ...]:
        """Those of the directory, and of all that it has grown from, whose validation and test documents it keeps."""
        return (self.fingerprint, *(str(each["before"]) for each in self.additions))

    @property
    def origin(self) -> dict[str, Any]:
        """What the directory was made from."""
        about: dict[str, Any] = {"source": self.source, "revision": self.revision}
        if self.corrections:
            about["corrections"] = [each["sha256"] for each in self.corrections]
        return {**self.settings, "columns": self.columns.to_json(), **about}

    def described(self) -> dict[str, Any]:
        """What the directory was made from and its sizes, to tell how it differs from another."""
        documents = {f"{split} documents": count for split, count in self.splits.items()}
        sizes = {"task": self.task, "classes": len(self.labels), "vocabulary": self.vocabulary}
        return {**self.origin, **documents, **sizes}


def write_manifest(layout: DataLayout, manifest: Manifest) -> None:
    """Finish the data directory."""
    values = asdict(manifest) | {"columns": manifest.columns.to_json()}
    for name in OPTIONAL:
        if not values[name]:
            del values[name]
    files.write_bytes(layout.manifest, checksums.seal(values))


def read_manifest(root: Path) -> Manifest:
    """Read and check the manifest of a data directory.

    Raises UsageError if there is no such directory, DataError if it is unfinished, ArtefactError if another version of
    textclf wrote it or if a file does not have the checksum that the manifest gives.
    """
    manifest = parse_manifest(root)
    for path in damaged_files(DataLayout(root), manifest):
        raise ArtefactError(f"{path} is damaged; rebuild it: textclf preprocess SOURCE --name {root.name} --overwrite")
    return manifest


def parse_manifest(root: Path) -> Manifest:
    """The manifest, without a check of the files that it names; raises what `read_manifest` raises."""
    layout = DataLayout(root)
    if not root.is_dir():
        raise UsageError(f"no data directory {root}; make it: textclf preprocess")
    if not layout.manifest.exists():
        raise DataError(
            f"{root} is unfinished (it has no manifest.json); finish it: textclf preprocess SOURCE --name {root.name}"
        )
    return _parse(layout.manifest)


def damaged_files(layout: DataLayout, manifest: Manifest) -> Iterator[Path]:
    """The files that do not have the checksum that the manifest gives."""
    for name, expected in manifest.checksums.items():
        if checksums.sha256(layout.root / name) != expected:
            yield layout.root / name


def is_as_written(layout: DataLayout) -> bool:
    """Whether each byte of manifest.json is as it was written; earlier versions wrote no checksum of it."""
    content = files.read_bytes(layout.manifest, most=files.MAX_JSON_BYTES)
    values = files.parse_object(content)
    return checksums.is_sealed(content) if checksums.OWN in values else content == files.to_json(values)


def _parse(path: Path) -> Manifest:
    try:
        values = files.read_object(path)
        version = values["format_version"]
    except (ValueError, KeyError, TypeError) as error:
        damage = f"{path} is damaged ({error}); rebuild it: textclf preprocess SOURCE --overwrite"
        raise ArtefactError(damage) from error
    if version != FORMAT_VERSION:
        raise ArtefactError(
            f"{path} has format {version}, and this textclf reads format {FORMAT_VERSION}; "
            "upgrade textclf, or rebuild the directory: textclf preprocess SOURCE --overwrite"
        )
    own = values.pop(checksums.OWN, None)  # earlier versions wrote none
    if own not in (None, checksums.digest(values)) or not _is_sound(OPTIONAL | values, DataLayout(path.parent)):
        raise ArtefactError(f"{path} is not as it was written; rebuild it: textclf preprocess SOURCE --overwrite")
    return Manifest(**{**values, "columns": Columns.from_json(values["columns"])})


OPTIONAL: Final[dict[str, Any]] = {"corrections": [], "additions": []}
"""Fields that the file may lack, and their values then."""


def _is_sound(values: Mapping[str, Any], layout: DataLayout) -> bool:
    """Whether keys and types are right, which a manifest without a checksum, or a forged one, may not have."""
    if set(values) != {each.name for each in fields(Manifest)}:
        return False
    labels, counts = values["labels"], [values["splits"], values["tiers"], {"vocabulary": values["vocabulary"]}]
    return (
        all(isinstance(values[name], str) for name in ("name", "source", "revision"))
        and _are_columns(values["columns"])
        and values["task"] in (SINGLE, MULTI)
        and isinstance(values["has_tensors"], bool)
        and isinstance(values["settings"], dict)
        and "seed" in values["settings"]
        and _are_corrections(values["corrections"])
        and _are_additions(values["additions"])
        and isinstance(labels, list)
        and all(isinstance(label, str) for label in labels)
        and len(set(labels)) == len(labels)
        and all(isinstance(count, dict) for count in counts)
        and all(type(number) is int and number >= 0 for count in counts for number in count.values())
        and set(values["splits"]) == set(SPLITS)
        and isinstance(values["drawn"], list)
        and all(name in SPLITS[1:] for name in values["drawn"])
        and set(TIERS) <= set(values["tiers"])
        and _are_checksums(values, layout)
    )


def _are_checksums(values: Mapping[str, Any], layout: DataLayout) -> bool:
    """Whether there is a checksum of each file, and of no other one."""
    size, named, packed_parts = values["part_size"], values["checksums"], values["packed"]
    if type(size) is not int or size < 1 or not isinstance(named, dict) or not isinstance(packed_parts, list):
        return False
    of = Parts(sum(values["splits"].values()), size)
    return (
        len(packed_parts) == of.count
        and all(type(checksum) is int for checksum in packed_parts)
        and set(named) - {REPORT} == set(map(layout.name_of, [layout.tokenizer, *layout.tables(of)]))
    )


def _are_corrections(values: Any) -> bool:
    """Whether each list of corrections has its name, its checksum and its numbers."""
    kinds = {"file": str, "sha256": str, "relabelled": int, "dropped": int}
    return isinstance(values, list) and all(
        isinstance(each, dict)
        and set(each) == set(kinds)
        and all(type(each[name]) is kind for name, kind in kinds.items())
        for each in values
    )


def _are_additions(values: Any) -> bool:
    """Whether each addition says what it was read from and how many documents it has brought."""
    kinds = {
        "source": str,
        "revision": str,
        "settings": dict,
        "columns": dict,
        "documents": dict,
        "copies": int,
        "left_out": int,
        "labels": list,
        "corrections": list,
        "before": str,
    }
    return isinstance(values, list) and all(
        isinstance(each, dict)
        and set(each) == set(kinds)
        and all(type(each[name]) is kind for name, kind in kinds.items())
        and _are_columns(each["columns"])
        and _are_corrections(each["corrections"])
        and set(each["documents"]) == set(SPLITS)
        and all(type(count) is int and count >= 0 for count in each["documents"].values())
        for each in values
    )


def _are_columns(values: Any) -> bool:
    try:
        Columns.from_json(values)
    except (AttributeError, TypeError, ValueError):
        return False
    return True
