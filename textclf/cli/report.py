"""`textclf report`."""

from pathlib import Path

import click

from textclf.cli import commands, options, terminal
from textclf.errors import UsageError
from textclf.system.wording import counted


@commands.command("report")
@options.run
@options.code
@click.option(
    "--split",
    type=click.Choice(["validation", "test"]),
    help="Split to measure on. [default: test; validation of a run that was trained with --no-test]",
)
@click.option(
    "--texts/--no-texts",
    default=True,
    show_default=True,
    help="Show the texts of the most confident mistakes. The source is read again for them, if it has not changed.",
)
@options.output("the report: a file. [default: report.html in the run directory]")
def command(run: Path, code: tuple[Path, ...], split: str | None, texts: bool, output: Path | None) -> None:
    """Write a report of a run as one HTML file.

    It shows classes, confusions, the most confident mistakes with their texts, calibration, training and settings. It
    needs no network and contains no scripts.

    \b
    Examples:
      textclf report --run runs/latest
      textclf report --no-texts --output report.html
    """
    from textclf.artefacts import runs
    from textclf.evaluation import report

    run = options.resolved(run)
    path = output or runs.RunLayout(run).report
    if path.exists() and not path.is_file():  # it would be replaced, not written to
        raise UsageError(f"{path} is not a file but a pipe or a device; name another --output")
    if held := report.write(run, path, split=split, code=code, texts=texts):
        terminal.note(f"it holds the texts of {counted(held, 'document')}; --no-texts leaves them out")
    terminal.result_line(path)
