"""What files are to each other, by their names: splits, parts of a split, texts and their labels. Opens none.

train.csv, dev.csv, test.csv                   a file for each split
train-00000-of-00002.parquet, ...              several files for a split
reviews_train.txt, reviews_test.txt            the same with more in the name
cooking.train, cooking.valid                   the same as fastText's authors name them
train_text.txt, train_labels.txt               texts and labels, line by line; likewise seq.in, label
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from textclf.errors import UsageError
from textclf.sources.kinds import KINDS_BY_ENDING
from textclf.sources.opening import ending_of, stem_of

SPLIT_NAMES: Final = {
    "train": "train", "training": "train",
    "validation": "validation", "valid": "validation", "val": "validation", "dev": "validation",
    "test": "test",
}  # fmt: skip

ROLES: Final = {
    **dict.fromkeys(("text", "texts", "sentence", "sentences", "input", "inputs", "x"), "text"),
    **dict.fromkeys(("label", "labels", "target", "targets", "y"), "label"),
}
"""Words in the names of two files with a text and its label on the same line."""

ABOUT: Final = {"readme", "license", "licence", "copying", "authors", "changelog", "citation", "mapping", "classes"}
"""Words in the names of files that tell about others."""

DATA_ENDINGS: Final = {*KINDS_BY_ENDING, ".txt", "", ".in", *(f".{word}" for word in (*SPLIT_NAMES, *ROLES))}

FASTTEXT: Final = "fasttext"
FILES: Final = "files"
SIDE_BY_SIDE: Final = "side by side"
CLASS_FILES: Final = "class files"
CLASS_FOLDERS: Final = "class folders"


class Part(NamedTuple):
    """Where the documents of a split are."""

    form: str
    """FILES, SIDE_BY_SIDE, CLASS_FILES or CLASS_FOLDERS."""
    paths: tuple[Path, ...]
    """Of SIDE_BY_SIDE: texts and labels in turns; of CLASS_FOLDERS: the folder that they are in."""


class Name(NamedTuple):
    """What the name of a file says."""

    split: str | None
    role: str | None
    numbers: tuple[str, ...]
    rest: tuple[str, ...]
    """Words that say nothing about splits and roles, in lower case."""

    @classmethod
    def of(cls, path: Path) -> "Name":
        """Read a name; an ending that is no format counts as a word, and so does .train."""
        says_format = ending_of(path) in KINDS_BY_ENDING or ending_of(path) == ".txt"
        is_split = ending_of(path).removeprefix(".") in SPLIT_NAMES
        name = stem_of(path) if says_format and not is_split else stem_of(path) + ending_of(path)
        words = [word.lower() for word in re.findall(r"[^\W\d_]+|\d+", name)]
        numbers = tuple(word for word in words if word.isdecimal())
        splits = {SPLIT_NAMES[word] for word in words if word in SPLIT_NAMES}
        roles = {ROLES[word] for word in words if word in ROLES} or ({"text"} if words[-2:] == ["seq", "in"] else set())
        known = {*SPLIT_NAMES, *ROLES, *numbers, "of", *(("seq", "in") if words[-2:] == ["seq", "in"] else ())}
        rest = tuple(word for word in words if word not in known)
        return cls(_only(splits), _only(roles), numbers, rest)


def split_of(name: str) -> str | None:
    """Return the split that a file, folder or Hub split of this name is, if it is one."""
    return SPLIT_NAMES.get(name.lower())


def arrange(files: Sequence[Path], where: str) -> dict[str | None, Part]:
    """Return the part of each split that the names of files tell, that without a split being None.

    Files that say nothing of splits are left out where others do. Raises UsageError if it is not clear which files are
    those of a split.
    """
    names = {path: Name.of(path) for path in files}
    if pairs := _pairs(names):
        return _by_split(pairs, where)
    of_splits = {Part(FILES, (path,)): name for path, name in names.items() if name.split}
    without_role = {part: name for part, name in of_splits.items() if not name.role}
    if any(name.split == "train" for name in without_role.values()):
        of_splits = without_role
    trains = {name.rest for name in of_splits.values() if name.split == "train"}
    rest = () if () in trains else next(iter(trains), None)
    if rest != () and len(trains) > 1:
        return _by_split(of_splits, where)  # which refuses them
    return _by_split({part: name for part, name in of_splits.items() if name.rest == rest}, where)


def may_be_data(path: Path) -> bool:
    """Whether a file of this name in a folder may hold documents: train.csv may, train.py may not."""
    return ending_of(path) in DATA_ENDINGS


def classes_of(files: Sequence[Path]) -> dict[Path, str]:
    """Return the class of each file, by its name: pos.txt and neg.txt, pos.csv and neg.csv, or my.pos and my.neg.

    Empty if there are not two, or if their names are numbers, or differ in numbers alone, as those of documents do.
    """
    texts = [path for path in files if ABOUT.isdisjoint(re.findall(r"[^\W\d_]+", path.name.lower()))]
    if len({stem_of(path) for path in texts}) == 1:
        classes = {path: ending_of(path).removeprefix(".") for path in texts}
    else:
        lines = {path: stem_of(path) for path in texts if ending_of(path) in (".txt", "")}
        tables = {path: stem_of(path) for path in texts if KINDS_BY_ENDING.get(ending_of(path), FASTTEXT) != FASTTEXT}
        classes = lines or tables
    words = {re.sub(r"[\W\d_]+", "", name) for name in classes.values()}
    return classes if len(classes) > 1 and len(words) == len(classes) and "" not in words else {}


def _pairs(names: Mapping[Path, Name]) -> dict[Part, Name]:
    """Files of texts with the file of their labels, which has the same split and other words."""
    lines = {path: name for path, name in names.items() if KINDS_BY_ENDING.get(ending_of(path)) in (None, "fasttext")}
    pairs = {}
    for path, name in lines.items():
        alike = [other for other, said in lines.items() if other != path and said[0::3] == name[0::3]]
        texts = [other for other in alike if lines[other].role == "text"] or (
            [other for other in alike if lines[other].role is None] if name.split else []
        )
        if name.role == "label" and len(texts) == 1:
            pairs[Part(SIDE_BY_SIDE, (texts[0], path))] = name
    return pairs


def _by_split(parts: Mapping[Part, Name], where: str) -> dict[str | None, Part]:
    """One part for each split: files that differ in their number alone are joined."""
    found: dict[str | None, list[tuple[Part, Name]]] = {}
    for part, name in parts.items():
        found.setdefault(name.split, []).append((part, name))
    joined: dict[str | None, Part] = {}
    for split, several in found.items():
        forms = {(part.form, name.rest, ending_of(part.paths[0])) for part, name in several}
        if len(several) > 1 and (len(forms) > 1 or not all(name.numbers for _, name in several)):
            shown = " and ".join(part.paths[0].name for part, _ in several[:2])
            raise UsageError(f"{where} has two {split or 'other'} parts, {shown}: name one file")
        joined[split] = several[0][0]._replace(paths=tuple(path for part, _ in several for path in part.paths))
    return joined


def _only(values: set[str]) -> str | None:
    return next(iter(values)) if len(values) == 1 else None
