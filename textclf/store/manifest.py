"""The data directory: the names of its files, and the manifest that is written last and says what is in them."""

import hashlib
import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Final

from textclf import atomic
from textclf.errors import ArtefactError, DataError, UsageError
from textclf.store import packed

FORMAT_VERSION: Final = 3


@dataclass(frozen=True, slots=True)
class Layout:
    """The files of ``data/<name>/``."""

    root: Path

    @property
    def manifest(self) -> Path:
        """Written last: without it the directory is unfinished."""
        return self.root / "manifest.json"

    @property
    def begun(self) -> Path:
        """What an unfinished directory is made from; gone once it is finished."""
        return self.root / "begun.json"

    @property
    def documents(self) -> Path:
        """The table of documents."""
        return self.root / "documents.parquet"

    @property
    def tokenizer(self) -> Path:
        """The vocabulary."""
        return self.root / "tokenizer.json"

    @property
    def report(self) -> Path:
        """What the data check found."""
        return self.root / "report.json"

    @property
    def tensors(self) -> Path:
        """One ``.pt`` a document, in 256 folders."""
        return self.root / "tensors"

    @property
    def packed(self) -> packed.Layout:
        """The same tokens end to end."""
        return packed.Layout(self.root / "packed")

    def tensor(self, document_id: str) -> Path:
        """The tensor file of a document."""
        return self.tensors / folder_of(document_id) / f"{document_id}.pt"


def folder_of(document_id: str) -> str:
    """Name of the folder of a document's tensor: documents are spread by a hash of the id, so none grows too large."""
    return hashlib.blake2b(document_id.encode(), digest_size=1).hexdigest()


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a data directory holds and what it was made from."""

    name: str
    source: str
    revision: str
    settings: dict[str, Any]
    """Those of `PreprocessConfig` that shape the data."""
    labels: list[str]
    """Of the training split, sorted: a label's place is its class index."""
    splits: dict[str, int]
    """Documents of each split."""
    tiers: dict[str, int]
    """Documents of each tier."""
    vocabulary: int
    """Words, ``<pad>`` and ``<unk>`` included."""
    checksums: dict[str, str]
    """SHA-256 of tokenizer.json and documents.parquet, whose rows hold the CRC-32 of each tensor."""
    format_version: int = FORMAT_VERSION

    @property
    def fingerprint(self) -> str:
        """Sixteen hex digits that change with any document, label, split or word."""
        return hashlib.sha256(json.dumps(self.checksums, sort_keys=True).encode()).hexdigest()[:16]


def write(layout: Layout, manifest: Manifest) -> None:
    """Finish the data directory."""
    atomic.write_json(layout.manifest, asdict(manifest))


def read(root: Path) -> Manifest:
    """Read and check the manifest of a data directory.

    Raises UsageError if there is no such directory, DataError if it is unfinished, ArtefactError if a newer textclf
    wrote it or if its files are not those that the manifest names.
    """
    layout = Layout(root)
    if not root.is_dir():
        raise UsageError(f"no data directory {root}; make it: textclf preprocess")
    if not layout.manifest.exists():
        raise DataError(
            f"{root} is unfinished (it has no manifest.json); finish it: textclf preprocess --name {root.name}"
        )
    manifest = _parse(layout.manifest)
    for name, expected in manifest.checksums.items():
        if sha256(root / name) != expected:
            raise ArtefactError(
                f"{root / name} is damaged; make it again: textclf preprocess --name {root.name} --overwrite"
            )
    return manifest


def sha256(path: Path) -> str:
    """Hex digest of a file's bytes; empty if there is no such file."""
    if not path.exists():
        return ""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _parse(path: Path) -> Manifest:
    try:
        values = atomic.read_object(path)
        version = values["format_version"]
    except (ValueError, KeyError, TypeError) as error:
        raise ArtefactError(f"{path} is damaged ({error}); make it again: textclf preprocess --overwrite") from error
    if version != FORMAT_VERSION:
        raise ArtefactError(
            f"{path} has format {version}, and this textclf reads format {FORMAT_VERSION}; "
            "upgrade textclf, or make the directory again: textclf preprocess --overwrite"
        )
    if set(values) != {field.name for field in fields(Manifest)}:
        raise ArtefactError(f"{path} has other keys than a manifest; make it again: textclf preprocess --overwrite")
    checksums = values["checksums"]
    if not isinstance(checksums, dict) or set(checksums) != {
        Layout(path.parent).tokenizer.name,
        Layout(path.parent).documents.name,
    }:
        raise ArtefactError(f"{path} lacks checksums; make it again: textclf preprocess --overwrite")
    return Manifest(**values)
