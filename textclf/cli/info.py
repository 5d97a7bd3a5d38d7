"""`textclf info`."""

from pathlib import Path
from typing import Any

import click

from textclf.artefacts import runs
from textclf.cli import options, terminal
from textclf.cli.display import show_columns, show_report, table
from textclf.config import TIERS
from textclf.errors import UsageError
from textclf.system import escaping


@options.command("info")
@click.argument("path", type=click.Path(path_type=Path), default=options.LATEST, metavar="[RUN|DATA]")
def command(path: Path) -> None:
    """Show the figures of a run or of a data directory.

    Without an argument, those of runs/latest.

    \b
    Examples:
      textclf info
      textclf info data/bbc_news
    """
    if not path.is_file() or path.name == runs.LATEST:
        path = options.run_or_data(path)
    if (path / "manifest.json").exists() or (path / "tensors").exists():
        terminal.result(_data(path))
    elif path.name == runs.LATEST or runs.RunLayout(path).config.exists() or path.name == "model":
        terminal.result(escaping.to_json(_run(runs.resolve(path)), indent=2))
    else:
        hint = f"; to see what it would become: textclf preprocess {path} --dry-run" if path.is_file() else ""
        raise UsageError(
            f"{path} is neither a run nor a data directory{hint or '; make one: textclf preprocess, textclf train'}"
        )


def _run(layout: runs.RunLayout) -> dict[str, Any]:
    """The metrics, and the columns that `predict` takes of a table; a model for ONNX Runtime takes none."""
    config = layout.model / "config.json"
    columns = {"columns": runs.read_json(config)["columns"]} if config.exists() else {}
    return {**runs.read_json(layout.metrics), **columns}


def _data(path: Path) -> str:
    from textclf.dataset import data_report, manifest

    made = manifest.read_manifest(path)
    report = data_report.read_report(manifest.DataLayout(path).report)
    rows = [(name, f"{made.tiers[name]:,}", str(tier.epochs), tier.purpose) for name, tier in TIERS.items()]
    tiers = table(("tier", "documents", "epochs", "to"), rows, align="<>><")
    columns = show_columns(made.columns)
    kept = "a .pt file for each document" if made.has_tensors else "no .pt files, but the packed copy"
    end = f"{kept}\nfingerprint {made.fingerprint}, seed {made.settings['seed']}"
    return "\n\n".join(part for part in (show_report(report), columns, tiers, end) if part)
