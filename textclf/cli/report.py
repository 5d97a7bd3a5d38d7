"""`textclf report`."""

from pathlib import Path

import click

from textclf.cli import options


@click.command("report")
@options.run
@options.split
@click.option(
    "--output", type=click.Path(path_type=Path, dir_okay=False), help="[default: report.html in the run directory]"
)
def command(run: Path, split: str, output: Path | None) -> None:
    """Write a run as one HTML file: curves, classes, confusion, reliability, and the worst mistakes with their texts.

    It needs no network and holds no script.

    \b
    Example:
      textclf report --run runs/latest
    """
    from textclf.artefacts import runs
    from textclf.evaluation import report

    path = output or runs.resolve(run).report
    report.write(run, path, split=split)
    click.echo(path)
