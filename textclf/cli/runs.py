"""`textclf runs`."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from time import time
from typing import Any, Final

import click

from textclf.artefacts import run_list, runs
from textclf.artefacts.run_list import Summary
from textclf.cli import commands, display, options, terminal
from textclf.config import TIERS
from textclf.errors import UsageError
from textclf.system import escaping
from textclf.system.wording import shown_age, shown_bytes

KEYS: Final[Mapping[str, Callable[[Summary], Any]]] = {
    "name": lambda run: run.path.name,
    "corpus": lambda run: run.corpus,
    "tier": lambda run: list(TIERS).index(run.tier) if run.tier in TIERS else len(TIERS),
    "model": lambda run: run.model,
    "accuracy": lambda run: 1.0 if run.accuracy is None else -run.accuracy,
    "macro-f1": lambda run: 1.0 if run.macro_f1 is None else -run.macro_f1,
    "size": lambda run: -run.size,
    "age": lambda run: -run.started,
    "state": lambda run: run.state,
}
"""Column to the value that the runs are sorted by: names from A to Z, the best figures first, the newest first."""


@commands.command("runs")
@click.option(
    "--run-dir",
    type=click.Path(path_type=Path, file_okay=False),
    default=runs.RUNS,
    show_default=True,
    help="Folder of the runs.",
)
@options.sort(KEYS)
@options.text_or_json
def command(run_dir: Path, sort: str, layout: str) -> None:
    """List the runs with their figures, the newest first.

    * marks the run that runs/latest means. Accuracy and macro-F1 are those on the test split, or on validation (v) for
    runs that left it alone. Columns that a terminal has no room for are left out; JSON has all.

    \b
    Examples:
      textclf runs
      textclf runs --sort accuracy
      textclf runs --run-dir runs --format json
    """
    if run_dir != runs.RUNS and not run_dir.is_dir():
        raise UsageError(f"no folder {run_dir}; name the folder of your runs: --run-dir")
    found = sorted(run_list.summaries(run_dir), key=KEYS[sort])
    if layout == "json":
        terminal.result(escaping.to_json([_record(run) for run in found], indent=2))
    elif found:
        terminal.result(_table(found))
        for run in found:
            if run.error:
                terminal.detail(run.error)
    else:
        terminal.message(f"no runs in {run_dir}; train one: textclf train")


def _record(run: Summary) -> dict[str, Any]:
    return {
        "name": run.path.name,
        "path": str(run.path),
        "latest": run.is_latest,
        "state": run.state,
        **{name: getattr(run, name) or None for name in ("corpus", "tier", "model", "encoder")},
        "shots": run.shots,
        "seed": run.seed,
        "split": run.split or None,
        "accuracy": run.accuracy,
        "macro_f1": run.macro_f1,
        "bytes": run.size,
        "started": datetime.fromtimestamp(run.started, UTC).isoformat(timespec="seconds"),
        "error": run.error or None,
    }


def _table(found: list[Summary]) -> str:
    """The runs in as many columns as there is room for; corpus, tier and model go first, as names tell them."""
    now = time()
    head = {name: name for name in KEYS} | {"name": "  name", "macro-f1": "macro-F1"}
    rows = [_cells(run, now) for run in found]
    return display.fitted(
        {head[name]: [row[name] for row in rows] for name in KEYS},
        right=("accuracy", "macro-F1", "size", "age"),
        drop=("corpus", "tier", "model", "size", "macro-F1", "age"),
        cut="  name",
    )


def _cells(run: Summary, now: float) -> dict[str, str]:
    return {
        "name": f"{'*' if run.is_latest else ' '} {run.path.name}",
        "corpus": run.corpus,
        "tier": run.tier if run.shots is None else f"{run.tier}, {run.shots:,} per label",
        "model": " + ".join(filter(None, (run.model, run.encoder))),
        "accuracy": _figure(run.accuracy, run.split),
        "macro-f1": _figure(run.macro_f1, run.split),
        "size": shown_bytes(run.size),
        "age": shown_age(now - run.started),
        "state": run.state,
    }


def _figure(value: float | None, split: str) -> str:
    return "" if value is None else f"{'v ' if split == 'validation' else ''}{value:.4f}"
