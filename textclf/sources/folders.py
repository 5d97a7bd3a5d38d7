"""Finds the splits of a source on disk: a file, several files, or a folder.

    a file                       one split, or those that it names, as JSON and workbooks can
    several files                one split, or those that their names tell: see `textclf.sources.layouts`
    a folder of split files      the same
    a folder of split folders    each as a folder of classes
    a folder of classes          one split: a folder of texts for each class, or a file with a text per line

Without an id column a document's id is its number in its split, from 1; in class folders it is the file's path.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from textclf.errors import DataError, UsageError
from textclf.sources.columns import listed
from textclf.sources.document import Corpus
from textclf.sources.formats import Reading, parts_of, refuse_part
from textclf.sources.kinds import HEAD, KINDS_BY_ENDING, kind_of
from textclf.sources.layouts import (
    CLASS_FILES,
    CLASS_FOLDERS,
    FASTTEXT,
    FILES,
    SIDE_BY_SIDE,
    Part,
    arrange,
    classes_of,
    may_be_data,
    split_of,
)  # fmt: skip
from textclf.sources.opening import ending_of, expanded, is_there, opened, stem_of
from textclf.sources.parts import (
    MAPPING,
    FileDocuments,
    class_folders,
    digest,
    printable,
    training_kind,
    visible,
)  # fmt: skip
from textclf.sources.urls import without_secrets

FEWEST_LINES: Final = 2
"""Lines of a file that is a class."""

MOST_NAMES: Final = 3
"""Files whose names make up that of a corpus."""


def read_paths(sources: Sequence[str], reading: Reading) -> Corpus:
    """Find the documents of files, or of a folder; what has no splits in it is the ``train`` split.

    They are read, and checked, when they are iterated over. Raises UsageError or DataError.
    """
    paths = expanded(sources)
    parts = parts_of_paths(paths)
    notes = _notes(paths, parts)
    reading = reading._replace(warn=notes.append)
    inner = _inner_parts(parts, reading)
    train = FileDocuments.of(parts["train"], reading._replace(part=inner.get("train", reading.part)))
    others = reading._replace(known=train.columns)
    splits = {split: train if split == "train" else FileDocuments.of(part, others) for split, part in parts.items()}
    for split, name in inner.items():
        splits.setdefault(split, FileDocuments.of(parts["train"], others._replace(part=name)))
    return Corpus(
        name=_name(paths, parts),
        source=" ".join(map(without_secrets, sources)),
        revision="+".join(digest(part) for part in parts.values()),
        splits=splits,
        notes=notes,
        size=sum(documents.size for documents in splits.values()),
        columns=train.columns,
    )


def parts_of_paths(paths: Sequence[Path]) -> dict[str, Part]:
    """Return the part of each split of one path, or of several files; raises UsageError or DataError."""
    if len(paths) == 1:
        return _folder_parts(paths[0]) if _is_folder(paths[0]) else {"train": Part(FILES, tuple(paths))}
    if folders := [path for path in paths if _is_folder(path)]:
        raise UsageError(f"{folders[0]} is a folder among several files: name files, or one folder")
    found = arrange(paths, listed([str(path) for path in paths[:3]]))
    if None in found and len(found) == 1:
        return {"train": found[None]}
    parts = {split: part for split, part in found.items() if split is not None}
    named = {path for part in parts.values() for path in part.paths}
    if "train" not in parts:
        return {"train": Part(FILES, tuple(paths))}
    if left := [path for path in paths if path not in named and path.name != MAPPING]:
        raise UsageError(f"{left[0]} is of no split by its name, as {parts['train'].paths[0]} is: name it with --test")
    return parts


def part_of_paths(paths: Sequence[Path], option: str) -> Part:
    """Return the part that an option for one split names; raises UsageError if there are several."""
    if len(paths) == 1:
        folder = _is_folder(paths[0])
        return _folder_part(paths[0]) if folder else Part(FILES, tuple(paths))
    found = arrange(paths, option)
    pairs = [part for part in found.values() if part.form == SIDE_BY_SIDE]
    return pairs[0] if len(pairs) == 1 else Part(FILES, tuple(paths))


def _is_folder(path: Path) -> bool:
    return is_there(path) and path.is_dir()


def _folder_parts(folder: Path) -> dict[str, Part]:
    """The parts of a folder's splits, if it has a train part; else the folder is the train split."""
    found: dict[str, Part] = {}
    children = visible(folder)
    files = [child for child in children if not child.is_dir() and may_be_data(child)]
    arranged = {split: part for split, part in arrange(files, str(folder)).items() if split is not None}
    for child in children:
        split = split_of(child.name) if child.is_dir() else None
        if split is None:
            continue
        if other := found.get(split) or arranged.get(split):
            names = " and ".join(sorted((other.paths[0].name, child.name)))
            raise UsageError(f"{folder} has two {split} parts, {names}: name one file")
        found[split] = Part(CLASS_FOLDERS, (child,))
    found |= arranged
    if "train" not in found:
        return {"train": _folder_part(folder)}
    return {
        split: _folder_part(part.paths[0], of_split=True) if part.form == CLASS_FOLDERS else part
        for split, part in found.items()
    }


def _folder_part(folder: Path, *, of_split: bool = False) -> Part:
    """The part that a folder is as a whole; raises DataError if it is none. One of a split may have tables in it."""
    if class_folders(folder):
        return Part(CLASS_FOLDERS, (folder,))
    files = [child for child in visible(folder) if child.is_file()]
    data = [child for child in files if may_be_data(child)]
    if (pair := arrange(data, str(folder)).get(None)) and pair.form == SIDE_BY_SIDE:
        return pair
    texts = [child for child in files if child.name != MAPPING]
    if classes := classes_of(texts):
        _refuse_documents(folder, list(classes))
        return Part(CLASS_FILES, tuple(classes))
    if of_split and data and all(ending_of(path) in KINDS_BY_ENDING for path in data):
        return Part(FILES, tuple(data))
    hint = f"; name the files: textclf preprocess '{folder}/*{data[0].suffix}'" if data else ""
    raise DataError(f"{folder}: no class folders and no train file or folder in it{hint}")


def _refuse_documents(folder: Path, files: Sequence[Path]) -> None:
    """Raise DataError for files that are no lists of texts, one per line, though their names could be classes."""
    for path in files:
        kind = kind_of(path)
        if kind == FASTTEXT:
            raise DataError(f"{folder}: no class folders and no train file or folder in it; name its files of {kind}")
        if kind != "lines":
            continue
        with opened(path) as stream:
            lines = [line for line in stream.read(HEAD).splitlines() if line.strip()]
        if len(lines) < FEWEST_LINES:
            raise DataError(
                f"{path}: a file that is a class has at least {FEWEST_LINES} lines, each a text; if it is one text, "
                "put those of a class into a folder with its name"
            )


def _inner_parts(parts: Mapping[str, Part], reading: Reading) -> dict[str, str]:
    """The lists of documents in a JSON file, or the sheets of a workbook, that are splits, by split.

    Raises UsageError if there are several and none is named like a training split.
    """
    (path, *others), form = parts["train"].paths, parts["train"].form
    if len(parts) > 1 or others or form != FILES or not (is_there(path) and path.is_file()):
        return {}
    kind = training_kind(path, reading)
    refuse_part(path, kind, reading)
    names = parts_of(path, kind, reading) if reading.part is None else []
    splits: dict[str, str] = {}
    for name in names:
        if split := split_of(name.rpartition(".")[2]):
            splits.setdefault(split, name)
    if names and "train" not in splits:
        raise UsageError(f"{path} has several parts, {listed(names)}; name one, as in --part {names[0]!r}")
    if left := [name for name in names if name not in splits.values()]:
        reading.warn(f"not read: {', '.join(left[:5])}{' and more' if len(left) > 5 else ''} of {path.name}")
    return splits


def _name(paths: Sequence[Path], parts: Mapping[str, Part]) -> str:
    """The name of a corpus: that of its folder, or of its files."""
    if _is_folder(paths[0]):
        return paths[0].resolve().name
    if len(paths) > 1 and (len(parts) > 1 or parts["train"].form == SIDE_BY_SIDE or len(paths) > MOST_NAMES):
        return paths[0].resolve().parent.name
    return "-".join(stem_of(path) for path in paths)


def _notes(paths: Sequence[Path], parts: Mapping[str, Part]) -> list[str]:
    """Say which files are classes, and which files and folders of a folder are not read."""
    notes = []
    if parts["train"].form == CLASS_FILES:
        names = _shown([Path(path.name) for path in parts["train"].paths])
        notes.append(f"each file is a class, and each of its lines or rows a text: {names}")
    if parts["train"].form == SIDE_BY_SIDE:
        texts, labels, *_ = parts["train"].paths
        names = f", whose names are in {MAPPING}" if texts.with_name(MAPPING).is_file() else ""
        notes.append(f"each line of {texts.name} is a text, and the same line of {labels.name} its label{names}")
    read = {path for part in parts.values() for path in part.paths}
    inside = [path.parent for path in sorted(read) if path not in paths and path.is_file()]
    folders = [path for path in dict.fromkeys((*paths, *sorted(read), *inside)) if _is_folder(path)]
    for part in parts.values():
        read.update(class_folders(part.paths[0]) if part.form == CLASS_FOLDERS else part.paths)
        read.update(path.with_name(MAPPING) for path in part.paths if part.form == SIDE_BY_SIDE)
    top = next(iter(folders), Path())
    children = (child for folder in folders for child in visible(folder))
    left = [child.relative_to(top) for child in children if child not in read and child not in folders]
    return [*notes, f"not read: {_shown(left)}"] if left else notes


def _shown(paths: Sequence[Path]) -> str:
    return ", ".join(printable(path) for path in paths[:5]) + (" and more" if len(paths) > 5 else "")
