"""What is in a data directory, for people: sizes, lengths, unknown words, duplicates. Kept as report.json."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from textclf import atomic
from textclf.errors import ArtefactError


@dataclass(frozen=True, slots=True)
class SplitReport:
    """One split."""

    documents: int
    tokens: int
    unknown: float
    """Share of tokens that are not in the vocabulary, between 0 and 1."""
    empty: int
    """Documents without any token."""
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
    """See `corpora.splits.Duplicates`."""
    notes: Sequence[str]
    """What deserves a look."""


def describe_split(
    lengths: NDArray[np.int32], unknown: NDArray[np.int32], empty: int, labels: Sequence[str]
) -> SplitReport:
    """Sum up documents: their lengths and unknown tokens, shape (D,), how many are empty, and their labels."""
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
        lengths=shown,
        labels=dict(sorted(Counter(labels).items(), key=lambda item: (-item[1], item[0]))),
    )


def write(path: Path, report: DataReport) -> None:
    """Keep the report."""
    atomic.write_json(path, asdict(report))


def read(path: Path) -> DataReport:
    """Read the report; raises ArtefactError if it is missing or damaged."""
    try:
        values = atomic.read_object(path)
        splits = {name: SplitReport(**split) for name, split in values.pop("splits").items()}
        return DataReport(**{**values, "splits": splits, "notes": tuple(values["notes"])})
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ArtefactError(f"{path} is missing or damaged; make it again: textclf preprocess --overwrite") from error
