"""Grow a data directory by more documents, without rebuilding it: existing documents stay as they are.

The vocabulary stays, so that token ids, and the models that read them, stay valid: a new word is ``<unk>`` and its
subwords. Documents keep their ids, splits and tiers; those of a split that are new follow those that are there.
The directory appears whole in place of the old one.
"""

from dataclasses import fields, replace
from pathlib import Path
from typing import Any, Final

from textclf import sources
from textclf.config import PreprocessConfig
from textclf.dataset import build, corrections, finding
from textclf.dataset.addition import read_addition
from textclf.dataset.data_report import DataReport
from textclf.dataset.directory import DataDirectory
from textclf.dataset.existing import COLUMNS
from textclf.dataset.grown import write_grown
from textclf.dataset.manifest import DataLayout, Manifest
from textclf.dataset.read_corpus import BATCH, BatchSize, Progress, Work
from textclf.dataset.scanned import scan
from textclf.dataset.write_parts import PartPlan
from textclf.errors import UsageError
from textclf.sources import Columns, Corpus, SourceOptions
from textclf.system import files, folders, requirements, workers
from textclf.system.startup import processors

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
        layout, work = DataLayout(folder), Work(pool, progress, batch)
        scratch = layout.root / "scratch"
        there = scan(DataDirectory.open(root), work)
        new = read_addition(corpus, lists, there, scratch=scratch, work=work)
        report = write_grown(layout, there, new, settings=_settings(config, manifest))
        files.remove(scratch)
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


def _settings(config: PreprocessConfig, manifest: Manifest) -> dict[str, Any]:
    """How the files were read, as the settings of a directory made from them would say it."""
    options = _options(config, manifest)
    return {
        "source": list(config.add),
        "input_format": options.kind,
        "part": options.part,
        "subset": None,
        "revision": None,
        "test": [],
        "validation": [],
    }
