"""The report on a data directory, for people: sizes, lengths, unknown words, duplicates. Saved as report.json."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from textclf.dataset.documents import Label, labels_of
from textclf.dataset.examples import Example, Examples
from textclf.dataset.label_sets import SINGLE
from textclf.dataset.odd_labels import are_measured
from textclf.errors import ArtefactError
from textclf.system import failures, files
from textclf.system.wording import counted, form

FEW: Final = 5
"""Training documents below which a class can hardly be learned."""

MUCH_UNKNOWN: Final = 0.2
"""Share of unknown tokens above which a split differs in kind from the training split."""

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
    unlabelled: int = 0
    """Documents without a label, where that may be."""


@dataclass(frozen=True, slots=True)
class DataReport:
    """A data directory."""

    name: str
    source: str
    splits: Mapping[str, SplitReport]
    tiers: Mapping[str, int]
    """Training documents of each tier."""
    duplicates: Mapping[str, int]
    """See `splits.Duplicates`; near and near_crossing: the same for near-copies."""
    notes: Sequence[str]
    """What people should know about the source."""
    examples: Examples = field(default_factory=dict)
    """Documents that show a problem."""
    task: str = SINGLE
    """SINGLE if each document has one label, MULTI if it may have several or none."""


class Problem(NamedTuple):
    """What makes figures from the data less trustworthy."""

    sentence: str
    groups: Sequence[Sequence[Example]] = ()
    """Documents that show it: copies of each other, or one alone."""
    total: int = 0
    """Number of groups, of which the report keeps some."""


def describe_split(
    lengths: NDArray[np.int32], unknown: NDArray[np.int32], labels: Mapping[Label, int], *, empty: int
) -> SplitReport:
    """Sum up D documents: their lengths and unknown tokens, shape (D,), how many have each label, and are empty."""
    counts = Counter[str]()
    for label, documents in labels.items():
        counts.update(dict.fromkeys(labels_of(label), documents))
    percentiles = np.percentile(lengths, (0, 50, 95, 100)).round().astype(int).tolist()
    return SplitReport(
        documents=len(lengths),
        tokens=int(lengths.sum()),
        unknown=float(unknown.sum() / lengths.sum()),
        empty=empty,
        truncated=int((lengths > USUALLY_READ).sum()),
        lengths=dict(zip(("min", "median", "p95", "max"), percentiles, strict=True)),
        labels=dict(sorted(counts.items(), key=lambda item: (-item[1], item[0]))),
        unlabelled=labels.get((), 0),
    )


def problems(report: DataReport) -> list[Problem]:
    """What makes figures from this data less trustworthy; without the notes of the source."""
    return [*_duplicate_problems(report), *_split_problems(report), *map(Problem, _label_problems(report))]


def _duplicate_problems(report: DataReport) -> Iterator[Problem]:
    copies, where = report.duplicates, "in an earlier split"
    if count := copies["crossing"]:
        found = counted(count, f"document is a copy of one {where}", f"documents are copies of one {where}")
        sentence = f"{found}: the model has seen {form(count, 'it', 'them')}"
        yield Problem(sentence, report.examples.get("crossing", ()), count)
    if count := copies["near_crossing"]:
        sentence = counted(count, "document is", "documents are") + f" nearly the same as one {where}"
        yield Problem(sentence, report.examples.get("near_crossing", ()), count)
    if count := copies["conflicting"]:
        sentence = counted(count, "text has", "texts have") + " two labels"
        yield Problem(sentence, report.examples.get("conflicting", ()), count)


def _split_problems(report: DataReport) -> Iterator[Problem]:
    for name, split in report.splits.items():
        if split.empty:
            sentence = counted(split.empty, f"document of {name} is", f"documents of {name} are") + " empty"
            empty = [group for group in report.examples.get("empty", ()) if group[0].split == name]
            yield Problem(sentence, empty, split.empty)
        if name != "train" and split.unknown > MUCH_UNKNOWN:
            yield Problem(f"{split.unknown:.0%} of the tokens of {name} are not in the training split")
        if unseen := sorted(set(split.labels) - set(report.splits["train"].labels)):
            listed = ", ".join(f"{label!r} ({split.labels[label]:,})" for label in unseen)
            without = f"no training document has these labels of {name}, so their documents count as errors"
            yield Problem(f"{without}: {listed}")


def _label_problems(report: DataReport) -> Iterator[str]:
    if few := [label for label, count in report.splits["train"].labels.items() if count < FEW]:
        yield counted(len(few), "label has", "labels have") + f" fewer than {FEW} training documents: {_some(few)}"
    if are_measured(report.splits["train"].labels):
        measured = counted(len(report.splits["train"].labels), "label is a number", "labels are numbers")
        yield f"{measured} with fractions: are they classes?"
    alike: dict[str, list[str]] = {}
    for label in sorted({label for split in report.splits.values() for label in split.labels}):
        alike.setdefault(" ".join(label.casefold().split()), []).append(label)
    for labels in alike.values():
        if len(labels) > 1:
            yield f"these labels differ only in case or white space: {', '.join(map(repr, labels))}"


def _some(labels: Sequence[str], at_most: int = 5) -> str:
    listed = ", ".join(map(repr, labels[:at_most]))
    return listed + (f" and {len(labels) - at_most:,} more" if len(labels) > at_most else "")


def to_json(problem: Problem) -> dict[str, Any]:
    """A problem, the number of groups of documents that show it, and the documents of some of them."""
    groups = [[asdict(example) for example in group] for group in problem.groups]
    return {"problem": problem.sentence, "count": problem.total, "documents": groups}


def write_report(path: Path, report: DataReport) -> None:
    """Save the report."""
    files.write_json(path, asdict(report))


def read_report(path: Path) -> DataReport:
    """Read the report; raises ArtefactError if it is missing or damaged."""
    try:
        values = files.read_object(path)
        splits = {name: SplitReport(**split) for name, split in values.pop("splits").items()}
        examples = {
            problem: [[Example(**each) for each in group] for group in groups]
            for problem, groups in values.pop("examples", {}).items()
        }
        return DataReport(**{**values, "splits": splits, "notes": tuple(values["notes"]), "examples": examples})
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        damage = ArtefactError(f"{path} is missing or damaged; rebuild it: textclf preprocess SOURCE --overwrite")
        raise failures.refused(error, path) or damage from error
