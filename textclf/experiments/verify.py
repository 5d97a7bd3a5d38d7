"""A run trained again from its config.json, and compared: the same data, versions and threads give the same bits."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, NamedTuple

from textclf.artefacts import runs
from textclf.config import changes
from textclf.dataset.directory import DataDirectory
from textclf.errors import UsageError
from textclf.system import files
from textclf.training import run as training
from textclf.training.prepared import prepare
from textclf.training.run import Display

MEASURED: Final = {"seconds", "profile"}
"""What a clock says, in history.jsonl and metrics.json."""


class Verification(NamedTuple):
    """What training a run again gave."""

    weights: str
    """SHA-256 of the run's model.safetensors."""
    differences: list[str]
    """Files that came out different; none: the run repeats."""
    circumstances: list[str]
    """What was different this time, such as a version or the number of threads: it may be why."""


def verify(run: runs.RunLayout, *, display: Display | None = None, code: Sequence[Path] = ()) -> Verification:
    """Train a finished run again, in a folder that goes afterwards, and compare.

    Raises UsageError if the run has not ended or its data was made anew, and what `training.run.train` raises.
    """
    if not run.metrics.exists():
        raise UsageError(f"{run.root} has not ended; finish it: textclf train --resume {run.root}")
    config, record = training.settings_of(run, code=code), runs.read_json(run.config)
    made = runs.data_of(run)
    data = DataDirectory.open(made.path, fingerprint=made.fingerprint, described=made.described)
    with TemporaryDirectory(prefix="textclf-verify-") as folder:
        ready = prepare(replace(config, data=str(made.path), run_dir=Path(folder)), data)
        again = training.train(ready.config, display=display, prepared=ready)
        before, now = outcome(run), outcome(again)
        circumstances = _circumstances(record, runs.read_json(again.config))
    differences = sorted(name for name in before.keys() | now.keys() if before.get(name) != now.get(name))
    return Verification(before["model/model.safetensors"], differences, circumstances)


def outcome(run: runs.RunLayout) -> dict[str, Any]:
    """All that training decides: the model's files by their hashes, the figures as they are."""
    hashes = {f"model/{path.name}": _sha256(path) for path in run.model.iterdir()}
    history = [_without_seconds(epoch) for epoch in files.read_lines(run.history)]
    return hashes | {run.history.name: history, run.metrics.name: _without_seconds(runs.read_json(run.metrics))}


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _without_seconds(record: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in record.items() if name not in MEASURED}


def _circumstances(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Versions, threads and processor that are no longer what they were."""
    return [change for part in ("versions", "machine") for change in changes(before.get(part, {}), now[part])]
