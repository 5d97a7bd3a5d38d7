"""Check each byte of a data directory, a run or a model: which files are damaged, missing or unexpected.

Training and prediction check the files that they read. This checks all files, and names all that are wrong.
"""

import os
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

from textclf.artefacts import loading, model_folder, runs
from textclf.artefacts.containers import Archive
from textclf.dataset import manifest, own_encoder, packed, tensors, vectors
from textclf.dataset.documents import Documents
from textclf.dataset.manifest import DataLayout
from textclf.dataset.read_corpus import Progress
from textclf.dataset.table import read_table
from textclf.errors import ArtefactError
from textclf.system import checksums, failures, files, requirements

DAMAGED: Final = "damaged"
MISSING: Final = "missing"
UNEXPECTED: Final = "unexpected"
UNCHECKED: Final = "not checked"


class Finding(NamedTuple):
    """What was found about one file."""

    path: Path
    what: str
    """DAMAGED; MISSING; UNEXPECTED: a link, or not a file that textclf writes here; UNCHECKED: it has no checksum."""


def of_data(root: Path, *, progress: Progress = lambda items, _title, _total: items) -> Iterator[Finding]:
    """What is wrong in a data directory.

    Raises UsageError if there is none, DataError if it is unfinished, ArtefactError if its manifest cannot be read.
    """
    layout = DataLayout(root)
    made = manifest.parse_manifest(root)
    requirements.need("the check of a data directory", requirements.TABLES)
    if not manifest.is_as_written(layout):
        yield Finding(layout.manifest, DAMAGED)
    damaged = list(manifest.damaged_files(layout, made))
    yield from map(_damaged_or_missing, damaged)
    if layout.report.name not in made.checksums:  # written by an earlier version
        yield Finding(layout.report, UNCHECKED)
    tables = layout.tables(made.parts)
    expected = {layout.manifest, *tables, layout.tokenizer, layout.report}
    if not set(tables).isdisjoint(damaged):
        yield from _without_table(layout, expected)
        return
    table = read_table(tables, made.parts, made.names)
    expected |= {layout.packed.part(number) for number in range(made.parts.count)}
    if made.has_tensors:
        yield from _tensors(layout, table, progress=progress)
        expected |= set(map(layout.tensor, made.names.of(range(len(table)))))
    if layout.packed.root.exists() or not made.has_tensors:  # else training rebuilds it
        copies = packed.damaged_parts(layout.packed, table.tokens, made.parts, made.packed)
        yield from (_damaged_or_missing(layout.packed.part(number)) for number in copies)
    for path, is_damaged in (*vectors.pieces(layout.vectors), *own_encoder.kept_files(layout.vectors)):
        expected.add(path)
        if is_damaged:  # training computes it again
            yield _damaged_or_missing(path)
    yield from _unexpected(root, expected)


def _without_table(layout: DataLayout, expected: set[Path]) -> Iterator[Finding]:
    """What is wrong if the table of documents, which names the tensors and their checksums, is damaged."""
    folders = (layout.tensors, layout.packed.root, layout.vectors)
    yield from (Finding(folder, UNCHECKED) for folder in folders if folder.exists())
    yield from _unexpected(layout.root, expected, except_in=folders)


def _tensors(layout: DataLayout, table: Documents, *, progress: Progress) -> Iterator[Finding]:
    """What is wrong with the tensor files."""
    names = table.names.of(range(len(table)))
    expected = zip(names, table.tokens.tolist(), table.crc32.tolist(), strict=True)
    for name, length, checksum in progress(expected, "checking", len(table)):
        path = layout.tensor(name)
        ids = tensors.as_written(path, length=length)
        if ids is None or tensors.checksum(ids) != checksum:
            yield _damaged_or_missing(path)


def of_run(run: runs.RunLayout) -> Iterator[Finding]:
    """What is wrong in a run; an unfinished run, or one of an earlier version, has checksums of only some files.

    Raises ArtefactError if the file of checksums is damaged.
    """
    kept = runs.sealed(run)
    if kept is None:
        yield from _without_checksums(run)
        return
    for name, expected in kept.items():
        if checksums.sha256(run.root / name) != expected:
            yield _damaged_or_missing(run.root / name)
    yield from _unexpected(run.root, {run.checksums, run.report, *(run.root / name for name in kept)})


def _without_checksums(run: runs.RunLayout) -> Iterator[Finding]:
    """What is wrong as far as the files themselves tell: the model has checksums, and checkpoints have CRCs."""
    if model_folder.Layout(run.model).config.exists():
        yield from of_model(run.model)
    readable = {run.config, run.history, run.metrics, run.last, run.best}
    for path in _files(run.root, except_in=(run.model,)):
        if path in readable and not path.is_symlink():
            yield Finding(path, UNCHECKED if _is_readable(path) else DAMAGED)
        else:
            is_ours = path == run.report or _is_of_tensorboard(path, run) or runs.is_temporary(path)
            yield Finding(path, UNCHECKED if is_ours and not path.is_symlink() else UNEXPECTED)


def _is_of_tensorboard(path: Path, run: runs.RunLayout) -> bool:
    """Whether TensorBoard's writer gives files this name."""
    name = path.relative_to(run.root).parts
    return name[0].startswith("events.out.tfevents.") or name[0] == "projector_config.pbtxt" or name[0].isdecimal()


def _is_readable(path: Path) -> bool:
    """Whether a file has the format that its name says; for a checkpoint, whether its members match their CRCs."""
    try:
        files.refuse_other_kind(path)
        if path.suffix == ".pt":
            with zipfile.ZipFile(path) as archive:
                is_stored = all(member.compress_type == zipfile.ZIP_STORED for member in archive.infolist())
                return is_stored and archive.testzip() is None
        if path.suffix == ".jsonl":
            files.read_lines(path)
        else:
            files.read_object(path)
    except (OSError, ValueError, RecursionError, EOFError, RuntimeError, zipfile.BadZipFile) as error:
        if refused := failures.refused(error, path):
            raise refused from error
        return False
    return True


def of_model(root: Path) -> Iterator[Finding]:
    """What is wrong in a model's folder.

    Raises ArtefactError if config.json, which has the checksums, is damaged, or if undamaged files do not fit together.
    """
    damaged = list(model_folder.damaged(root))
    yield from map(_damaged_or_missing, damaged)
    layout = model_folder.Layout(root)
    ours = {layout.config, layout.weights, layout.tokenizer, layout.labels, layout.card}
    yield from _unexpected(root, ours | set(model_folder.files_of_encoder(root)))
    if not damaged:
        loading.check(root)


def of_one_file(path: Path) -> Iterator[Finding]:
    """What is wrong in a model that is one file; raises ArtefactError if what is whole does not fit together."""
    try:
        Archive.open(path)
    except ArtefactError:
        yield Finding(path, DAMAGED)
    else:
        loading.check(path)


def _damaged_or_missing(path: Path) -> Finding:
    return Finding(path, DAMAGED if path.exists() else MISSING)


def _unexpected(root: Path, expected: set[Path], *, except_in: Iterable[Path] = ()) -> Iterator[Finding]:
    """Files that textclf does not write here, and all links: textclf makes none, and their targets are elsewhere."""
    for path in _files(root, except_in=except_in):
        if path not in expected or path.is_symlink():
            yield Finding(path, UNEXPECTED)


def _files(root: Path, *, except_in: Iterable[Path] = ()) -> Iterator[Path]:
    """All files and links below a folder, sorted, except in these folders; no link is followed."""
    for entry in sorted(os.scandir(root), key=lambda entry: entry.name):
        path = root / entry.name
        if path in except_in:
            continue
        if entry.is_dir(follow_symlinks=False):
            yield from _files(path, except_in=except_in)
        else:
            yield path
