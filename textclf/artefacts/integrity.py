"""What is damaged, missing or foreign in a data directory, a run or a model: each byte of it is read.

Training and prediction check what they read. This names all that is wrong, so that one may know before.
"""

import os
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

from textclf.artefacts import artefact, runs
from textclf.dataset import documents, manifest, packed, tensors
from textclf.dataset.documents import Documents
from textclf.dataset.manifest import DataLayout
from textclf.system import checksums, files

Progress = Callable[[Iterable[Any], str, int | None], Iterable[Any]]

DAMAGED: Final = "damaged"
MISSING: Final = "missing"
FOREIGN: Final = "foreign"
UNCHECKED: Final = "not checked"


class Finding(NamedTuple):
    """Something about one file."""

    path: Path
    what: str
    """DAMAGED; MISSING; FOREIGN: none of ours, or a link; UNCHECKED: there is nothing to check it against."""


def of_data(root: Path, *, progress: Progress = lambda items, _title, _total: items) -> Iterator[Finding]:
    """What is wrong in a data directory.

    Raises UsageError if there is none, DataError if it is unfinished, ArtefactError if its manifest cannot tell.
    """
    layout = DataLayout(root)
    made = manifest.parse_manifest(root)
    if not manifest.is_as_written(layout):
        yield Finding(layout.manifest, DAMAGED)
    damaged = list(manifest.damaged_files(layout, made))
    yield from map(_damaged, damaged)
    if layout.report.name not in made.checksums:
        yield Finding(layout.report, UNCHECKED)  # by an earlier version
    ours = {layout.manifest, layout.documents, layout.tokenizer, layout.report}
    if layout.documents in damaged:  # nothing else says what should be there
        yield from (Finding(folder, UNCHECKED) for folder in (layout.tensors, layout.packed.root) if folder.exists())
        yield from _foreign(root, ours, except_in=(layout.tensors, layout.packed.root))
        return
    table = documents.read_documents(layout.documents, rows=sum(made.splits.values()))
    yield from _of_tokens(layout, table, made.fingerprint, progress)
    copy = {layout.packed.tokens, layout.packed.offsets, layout.packed.stamp}
    yield from _foreign(root, {*ours, *copy, *map(layout.tensor, table.id.tolist())})


def _of_tokens(layout: DataLayout, table: Documents, fingerprint: str, progress: Progress) -> Iterator[Finding]:
    """What is wrong with the tensor files and the packed copy of them."""
    together: int | None = 0  # checksum of all tokens end to end
    expected = zip(table.id.tolist(), table.tokens.tolist(), table.crc32.tolist(), strict=True)
    for name, length, checksum in progress(expected, "checking", len(table)):
        path = layout.tensor(name)
        ids = tensors.as_written(path, length=length)
        if ids is None or tensors.checksum(ids) != checksum:
            yield _damaged(path)
            together = None
        elif together is not None:
            together = zlib.crc32(ids.tobytes(), together)
    if layout.packed.root.exists():  # without it, it is made again
        damaged = packed.damaged_files(layout.packed, table.tokens, fingerprint=fingerprint, checksum=together)
        yield from map(_damaged, damaged)


def of_run(run: runs.RunLayout) -> Iterator[Finding]:
    """What is wrong in a run; of one that has not ended, or that an earlier version made, only some can be known.

    Raises ArtefactError if its checksums cannot tell.
    """
    kept = runs.sealed(run)
    if kept is None:
        yield from _of_unsealed(run)
        return
    for name, expected in kept.items():
        if checksums.sha256(run.root / name) != expected:
            yield _damaged(run.root / name)
    yield from _foreign(run.root, {run.checksums, run.report, *(run.root / name for name in kept)})


def _of_unsealed(run: runs.RunLayout) -> Iterator[Finding]:
    """What is wrong as far as the files themselves tell: the model has checksums, checkpoints have some."""
    if artefact.Layout(run.model).config.exists():
        yield from of_model(run.model)
    ours = {run.config, run.history, run.metrics, run.last, run.best}
    for path in _files(run.root):
        if run.model in path.parents:
            continue
        if path.is_symlink() or not (path in ours or path == run.report or _is_of_tensorboard(path, run)):
            yield Finding(path, FOREIGN)
        else:
            yield Finding(path, UNCHECKED if path not in ours or _is_readable(path) else DAMAGED)


def _is_of_tensorboard(path: Path, run: runs.RunLayout) -> bool:
    """Whether a name is one that TensorBoard's writer gives."""
    name = path.relative_to(run.root).parts
    return name[0].startswith("events.out.tfevents.") or name[0] == "projector_config.pbtxt" or name[0].isdecimal()


def _is_readable(path: Path) -> bool:
    """Whether a file is what its name says; of a checkpoint, whether its members have the CRCs that it tells."""
    try:
        if path.suffix == ".pt":
            with zipfile.ZipFile(path) as archive:
                is_stored = all(member.compress_type == zipfile.ZIP_STORED for member in archive.infolist())
                return is_stored and archive.testzip() is None
        if path.suffix == ".jsonl":
            files.read_lines(path)
        else:
            files.read_object(path)
    except (OSError, ValueError, RecursionError, EOFError, RuntimeError, zipfile.BadZipFile):
        return False
    return True


def of_model(root: Path) -> Iterator[Finding]:
    """What is wrong in a model's folder; raises ArtefactError if its config.json, which has the checksums, is damaged.

    A model whose files are as they were written, but do not belong together, raises that, too.
    """
    damaged = list(artefact.damaged(root))
    yield from map(_damaged, damaged)
    layout = artefact.Layout(root)
    yield from _foreign(root, {layout.config, layout.weights, layout.tokenizer, layout.labels, layout.card})
    if not damaged:
        artefact.load(root)


def _damaged(path: Path) -> Finding:
    return Finding(path, DAMAGED if path.exists() else MISSING)


def _foreign(root: Path, ours: set[Path], *, except_in: Iterable[Path] = ()) -> Iterator[Finding]:
    """Files that are none of ours, and all links: textclf makes none, and what they lead to lies elsewhere."""
    for path in _files(root, except_in=except_in):
        if path not in ours or path.is_symlink():
            yield Finding(path, FOREIGN)


def _files(root: Path, *, except_in: Iterable[Path] = ()) -> Iterator[Path]:
    """All files and links below a folder, in order; no link is followed."""
    for entry in sorted(os.scandir(root), key=lambda entry: entry.name):
        path = root / entry.name
        if path in except_in:
            continue
        if entry.is_dir(follow_symlinks=False):
            yield from _files(path, except_in=except_in)
        else:
            yield path
