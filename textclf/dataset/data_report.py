"""What is in a data directory, for people: sizes, lengths, unknown words, duplicates. Kept as report.json."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from textclf.errors import ArtefactError
from textclf.system import files

FEW: Final = 5
"""Training documents below which a class can hardly be learnt."""

MUCH_UNKNOWN: Final = 0.2
"""Share of unknown tokens above which a split is of another kind than the training split."""


USUALLY_READ: Final = 256
"""Tokens per document that a model which reads tokens in order reads by default."""


@dataclass(frozen=True, slots=True)
class SplitReport:
    """One split."""

    documents: int
    tokens: int
    unknown: float
    """Share of tokens that are not in the vocabulary, between 0 and 1."""
    empty: int
    """Documents without any token."""
    truncated: int
    """Documents of more than USUALLY_READ tokens."""
    lengths: Mapping[str, int]
    """Tokens of the shortest and longest document, and at the median and the 95th percentile."""
    labels: Mapping[str, int]
    """Documents of each label, the most frequent first."""


@dataclass(frozen=True, slots=True)
class DataReport:
    """A data directory."""

    name: str
    source: str
    splits: Mapping[str, SplitReport]
    tiers: Mapping[str, int]
    """Training documents of each tier."""
    duplicates: Mapping[str, int]
    """See `corpora.splits.Duplicates`; and near, near_crossing: the same of documents that are nearly copies."""
    notes: Sequence[str]
    """What deserves a look."""


def describe_split(
    lengths: NDArray[np.int32], unknown: NDArray[np.int32], labels: Sequence[str], *, empty: int, most: int
) -> SplitReport:
    """Sum up documents: their lengths and unknown tokens, shape (D,), their labels, how many are empty.

    ``most`` is the length up to which they are read whole.
    """
    shown = dict(
        zip(
            ("min", "median", "p95", "max"),
            np.percentile(lengths, (0, 50, 95, 100)).round().astype(int).tolist(),
            strict=True,
        )
    )
    return SplitReport(
        documents=len(lengths),
        tokens=int(lengths.sum()),
        unknown=float(unknown.sum() / lengths.sum()),
        empty=empty,
        truncated=int((lengths > most).sum()),
        lengths=shown,
        labels=dict(sorted(Counter(labels).items(), key=lambda item: (-item[1], item[0]))),
    )


def problems(report: DataReport) -> list[str]:
    """What makes figures from this data less trustworthy, a line each; notes of the source are not among it."""
    copies, train = report.duplicates, report.splits["train"]
    found = []
    if copies["crossing"]:
        found.append(f"{copies['crossing']:,} documents are copies of one in an earlier split: the model has seen them")
    if copies["near_crossing"]:
        found.append(f"{copies['near_crossing']:,} documents are nearly the same as one in an earlier split")
    if copies["conflicting"]:
        found.append(f"{copies['conflicting']:,} texts have two labels")
    for name, split in report.splits.items():
        if split.empty:
            found.append(f"{split.empty:,} documents of {name} are empty")
        if name != "train" and split.unknown > MUCH_UNKNOWN:
            found.append(f"{split.unknown:.0%} of the tokens of {name} are not in the training split")
        if unseen := sorted(set(split.labels) - set(train.labels)):
            found.append(f"no training document has these labels of {name}: {', '.join(map(repr, unseen))}")
    if few := [label for label, count in train.labels.items() if count < FEW]:
        found.append(f"{len(few):,} labels have fewer than {FEW} training documents: {_some(few)}")
    alike: dict[str, list[str]] = {}
    for label in sorted({label for split in report.splits.values() for label in split.labels}):
        alike.setdefault(" ".join(label.casefold().split()), []).append(label)
    for labels in alike.values():
        if len(labels) > 1:
            found.append(f"these labels differ only in case or white space: {', '.join(map(repr, labels))}")
    return found


def _some(labels: Sequence[str], most: int = 5) -> str:
    listed = ", ".join(map(repr, labels[:most]))
    return listed + (f" and {len(labels) - most:,} more" if len(labels) > most else "")


def write(path: Path, report: DataReport) -> None:
    """Keep the report."""
    files.write_json(path, asdict(report))


def read(path: Path) -> DataReport:
    """Read the report; raises ArtefactError if it is missing or damaged."""
    try:
        values = files.read_object(path)
        splits = {name: SplitReport(**split) for name, split in values.pop("splits").items()}
        return DataReport(**{**values, "splits": splits, "notes": tuple(values["notes"])})
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ArtefactError(f"{path} is missing or damaged; make it again: textclf preprocess --overwrite") from error
