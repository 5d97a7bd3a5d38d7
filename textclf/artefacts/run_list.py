"""A summary of each run in a folder, from its JSON files alone, so that a thousand are listed in a second."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from textclf.artefacts import runs
from textclf.artefacts.runs import RunLayout
from textclf.errors import ArtefactError, UsageError
from textclf.system import locks
from textclf.system.folders import size_of

MEASURED: Final = ("test", "validation")
"""Splits whose figures are shown, the first that a run has."""


class State(StrEnum):
    """How far a run got."""

    FINISHED = "finished"
    TRAINING = "training"
    """Another process is training it."""
    STOPPED = "stopped"
    """`textclf train --resume` trains it to its end."""
    UNREADABLE = "unreadable"
    """One of its files is damaged."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """A run in a folder of runs, or a copied ``model/`` folder."""

    path: Path
    state: State
    started: float
    """Seconds since 1970."""
    size: int
    """Bytes of all its files."""
    is_latest: bool
    """Whether ``runs/latest`` names it."""
    corpus: str = ""
    tier: str = ""
    shots: int | None = None
    """Documents of each label; None: all of the tier."""
    model: str = ""
    encoder: str = ""
    """Name of the model's sentence encoder."""
    seed: int | None = None
    split: str = ""
    """The split that was measured; empty if none was yet."""
    accuracy: float | None = None
    macro_f1: float | None = None
    error: str = ""
    """Why it is unreadable."""


def summaries(folder: Path) -> Iterator[Summary]:
    """The runs in a folder, the newest first; folders that are none are passed over."""
    latest = runs.latest_in(folder)
    for path in runs.home(folder).newest_first():
        yield _summary(path, is_latest=path.name == latest)


def _summary(path: Path, *, is_latest: bool) -> Summary:
    about: dict[str, Any] = {"path": path, "started": runs.started(path), "is_latest": is_latest}
    try:
        return Summary(**about, size=size_of(path), **_read(RunLayout(path)))
    except (ArtefactError, UsageError) as error:
        return Summary(**about, size=size_of(path), state=State.UNREADABLE, error=str(error))
    except OSError as error:
        return Summary(**about, size=0, state=State.UNREADABLE, error=str(error))


def _read(run: RunLayout) -> dict[str, Any]:
    """State and figures of a run; raises ArtefactError if a file is damaged, UsageError if it may not be read."""
    if not run.config.exists():
        return {"state": _unfinished(run)}
    config = runs.read_json(run.config)
    try:
        if "trained" in config:  # a model
            return {"state": State.FINISHED, **_figures({**config["trained"], "model": config["model"]})}
        if run.metrics.exists():
            return {"state": State.FINISHED, **_figures(runs.read_json(run.metrics))}
        settings = config["settings"]
        return {"state": _unfinished(run), **_figures({**settings, "corpus": config["data"]["name"]})}
    except (LookupError, TypeError, ValueError) as error:
        raise ArtefactError(f"{run.root} is damaged: its JSON files lack what they should have ({error})") from error


def _unfinished(run: RunLayout) -> State:
    return State.TRAINING if locks.is_held(run.root) else State.STOPPED


def _figures(values: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a summary; raises what `_read` takes for damage if a value is missing or of another type."""
    split = next((split for split in MEASURED if isinstance(values.get(split), Mapping)), "")
    found = {name: values[name] for name in ("corpus", "tier", "model", "seed")}
    if not all(isinstance(found[name], str) for name in ("corpus", "tier", "model")):
        raise TypeError("a name is no string")
    encoder = values.get("encoder")  # a name among settings, more in metrics
    found["encoder"] = str(encoder["name"] if isinstance(encoder, Mapping) else encoder or "")
    found["shots"] = values.get("shots")
    if split:
        found |= {"split": split} | {name: float(values[split][name]) for name in ("accuracy", "macro_f1")}
    return found
