"""`textclf info`."""

import json
from pathlib import Path

import click

from textclf.artefacts import runs
from textclf.cli.display import show_report, table
from textclf.config import TIERS
from textclf.errors import UsageError


@click.command("info")
@click.argument("path", type=click.Path(path_type=Path), default=Path("runs/latest"), metavar="[RUN|DATA]")
def command(path: Path) -> None:
    """Show the metrics of a run or the report of a data directory; without an argument, of runs/latest.

    \b
    Examples:
      textclf info
      textclf info data/bbc_news
    """
    if (path / "manifest.json").exists() or (path / "tensors").exists():
        click.echo(_data(path))
    elif path.name == runs.LATEST or runs.RunLayout(path).config.exists() or path.name == "model":
        click.echo(json.dumps(runs.read_json(runs.resolve(path).metrics), indent=2, ensure_ascii=False))
    else:
        raise UsageError(f"{path} is neither a run nor a data directory; make one: textclf preprocess, textclf train")


def _data(path: Path) -> str:
    from textclf.dataset import data_report, manifest

    made = manifest.read_manifest(path)
    report = data_report.read_report(manifest.DataLayout(path).report)
    rows = [(name, f"{made.tiers[name]:,}", str(tier.epochs), tier.purpose) for name, tier in TIERS.items()]
    tiers = table(("tier", "documents", "epochs", "to"), rows, align="<>><")
    return f"{show_report(report)}\n\n{tiers}\n\nfingerprint {made.fingerprint}, seed {made.settings['seed']}"
