"""`textclf info`."""

from dataclasses import asdict
from pathlib import Path
from time import time
from typing import Any

import click

from textclf.artefacts import runs
from textclf.cli import commands, options, run_info, terminal, values
from textclf.cli.display import show_columns, show_report, table
from textclf.config import TIERS
from textclf.errors import UsageError
from textclf.system import escaping
from textclf.system.folders import size_of
from textclf.system.wording import shown_age, shown_bytes


@commands.command("info")
@click.argument("path", type=values.RUN_OR_DATA, default=options.LATEST, metavar="[RUN|DATA]")
@options.text_or_json
def command(path: Path, layout: str) -> None:
    """Show the figures of a run or of a data directory.

    Without an argument, those of runs/latest. JSON has all values as they are.

    \b
    Examples:
      textclf info
      textclf info data/bbc_news
      textclf info runs/latest --format json
    """
    is_model = runs.is_one_file(path) or path.name == "model"
    if not path.is_file() or path.name == runs.LATEST:
        path = options.run_or_data(path)
    if (path / "manifest.json").exists() or (path / "tensors").exists():
        terminal.result(escaping.to_json(_data_record(path), indent=2) if layout == "json" else _data(path))
        return
    if path.name == runs.LATEST or runs.RunLayout(path).config.exists() or is_model:
        path, values = _run(path)
        terminal.result(escaping.to_json(values, indent=2) if layout == "json" else run_info.shown(path, values))
        return
    hint = f"; to see what it would become: textclf preprocess {path} --dry-run" if path.is_file() else ""
    raise UsageError(
        f"{path} is neither a run nor a data directory{hint or '; make one: textclf preprocess, textclf train'}"
    )


def _run(path: Path) -> tuple[Path, dict[str, Any]]:
    """The values of a run, or of a model that was copied from one."""
    if runs.is_one_file(path) or ((path / "labels.json").exists() and not runs.RunLayout(path.parent).metrics.exists()):
        return path, run_info.model_record(path)
    run = runs.resolve(path)
    return run.root, run_info.record(run)


def _data_record(path: Path) -> dict[str, Any]:
    from textclf.dataset import data_report, manifest

    made = manifest.read_manifest(path)
    report = data_report.read_report(manifest.DataLayout(path).report)
    about = {"fingerprint": made.fingerprint, "columns": made.columns.to_json(), "bytes": size_of(path)}
    return {"path": str(path), **asdict(made), **about, "report": asdict(report)}


def _data(path: Path) -> str:
    from textclf.dataset import data_report, finding, manifest

    made = manifest.read_manifest(path)
    report = data_report.read_report(manifest.DataLayout(path).report)
    rows = [(name, f"{made.tiers[name]:,}", str(tier.epochs), tier.purpose) for name, tier in TIERS.items()]
    tiers = table(("tier", "documents", "epochs", "to"), rows, align="<>><")
    columns = show_columns(made.columns)
    kept = "a .pt file for each document" if made.has_tensors else "no .pt files, but the packed copy"
    size, age = shown_bytes(size_of(path)), shown_age(time() - finding.made(path))
    end = f"{kept}\nfingerprint {made.fingerprint}, seed {made.settings['seed']}\n{size}, made {age} ago"
    return "\n\n".join(part for part in (show_report(report), columns, tiers, end) if part)
