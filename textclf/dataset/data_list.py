"""A summary of each data directory in a folder, from its manifest alone."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from textclf.dataset import finding
from textclf.dataset.manifest import DataLayout, parse_manifest
from textclf.errors import ArtefactError, DataError, UsageError
from textclf.system.folders import size_of


class State(StrEnum):
    """How far a data directory got."""

    FINISHED = "finished"
    UNFINISHED = "unfinished"
    """The same `textclf preprocess` makes it complete."""
    UNREADABLE = "unreadable"
    """Its manifest is damaged, or of another version."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """A data directory."""

    path: Path
    state: State
    made: float
    """When it was finished, in seconds since 1970, or else begun."""
    size: int
    """Bytes of all its files."""
    source: str = ""
    splits: Mapping[str, int] = field(default_factory=dict)
    """Documents of each split."""
    labels: int = 0
    is_latest: bool = False
    """Whether it is the one that is trained on by default."""
    error: str = ""
    """Why it is unreadable."""


def summaries(folder: Path) -> Iterator[Summary]:
    """The data directories in a folder, the newest first; folders that are none are passed over."""
    has_latest = False
    for path in finding.home(folder).newest_first():
        found = _summary(path, may_be_latest=not has_latest)
        has_latest = has_latest or found.is_latest
        yield found


def _summary(path: Path, *, may_be_latest: bool) -> Summary:
    about: dict[str, Any] = {"path": path, "made": finding.made(path)}
    try:
        about["size"] = size_of(path)
        if not DataLayout(path).manifest.exists():
            return Summary(**about, state=State.UNFINISHED)
        about["is_latest"] = may_be_latest
        made = parse_manifest(path)
    except (ArtefactError, DataError, UsageError, OSError) as error:
        return Summary(**{"size": 0, **about}, state=State.UNREADABLE, error=str(error))
    return Summary(**about, state=State.FINISHED, source=made.source, splits=made.splits, labels=len(made.labels))
