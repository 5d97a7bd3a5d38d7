"""Train a run again from its config.json, and compare: the same data, versions and threads give the same bits."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, NamedTuple

from textclf.artefacts import loading, runs
from textclf.config import changes
from textclf.dataset.directory import DataDirectory
from textclf.errors import UsageError
from textclf.system import checksums, requirements
from textclf.training.display import Display
from textclf.training.setup import set_up, settings_of

MEASURED: Final = {"seconds", "profile"}
"""Times, in history.jsonl and metrics.json, which no run repeats."""


class Verification(NamedTuple):
    """How a run compares with the same run trained again."""

    weights: str
    """SHA-256 of the run's model.safetensors."""
    differences: list[str]
    """Names of the files that differ; none: the run repeats."""
    circumstances: list[str]
    """Possible causes: versions, threads or a processor that have changed since."""


def verify(run: runs.RunLayout, *, display: Display | None = None, code: Sequence[Path] = ()) -> Verification:
    """Train a finished run again, in a temporary folder, and compare.

    A user's class comes from one of the files ``code``. Raises UsageError if the run has not ended or its data or code
    has changed, and what `training.train` raises.
    """
    requirements.need("verify", requirements.TRAINING, install=requirements.ALL)
    if not run.metrics.exists():
        raise UsageError(f"{run.root} has not ended; {runs.next_step(run.root)}")
    loading.check(run.model)
    config, record = settings_of(run, code=code), runs.read_json(run.config)
    if (ranks := record.get("machine", {}).get("ranks", 1)) > 1:
        raise UsageError(
            f"{run.root} was trained by {ranks} processes, and verify trains in one; "
            f"train it again with torchrun, and compare the files checksums.json"
        )
    made = runs.data_of(run)
    data = DataDirectory.open(made.path, fingerprint=made.fingerprint, described=made.described)
    with TemporaryDirectory(prefix="textclf-verify-") as folder:
        setup = set_up(replace(config, data=str(made.path), run_dir=Path(folder)), data)
        from textclf.training import run as training

        again = training.train(setup, display=display)
        before, now = outcome(run), outcome(again)
        circumstances = _circumstances(record, runs.read_json(again.config))
    differences = sorted(name for name in before.keys() | now.keys() if before.get(name) != now.get(name))
    return Verification(before["model/model.safetensors"], differences, circumstances)


def outcome(run: runs.RunLayout) -> dict[str, Any]:
    """Everything that training decides: the hashes of the model's files, the history and the metrics, without times."""
    written = [path for path in run.model.rglob("*") if path.is_file()]
    hashes = {path.relative_to(run.root).as_posix(): checksums.sha256(path) for path in written}
    history = [_without_seconds(epoch) for epoch in runs.read_lines(run.history)]
    return hashes | {run.history.name: history, run.metrics.name: _without_seconds(runs.read_json(run.metrics))}


def _without_seconds(record: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in record.items() if name not in MEASURED}


def _circumstances(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Versions, threads, processor and encoder that have changed."""
    parts = ("versions", "machine", "vectors", "encoder")
    return [change for part in parts for change in changes(before.get(part, {}), now.get(part, {}))]
