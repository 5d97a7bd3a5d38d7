"""`textclf verify`."""

from pathlib import Path

import click

from textclf.cli import commands, options, terminal, values
from textclf.errors import TextclfError


@commands.command("verify")
@click.argument("run", type=values.RUN, default=options.LATEST)
@options.code
def command(run: Path, code: tuple[Path, ...]) -> None:
    """Train a finished run again, and compare every bit.

    It is trained from its config.json, and weights, history and figures are compared. The same data, versions, machine
    and number of threads give the same bits. The run is not changed. Exits with 1 if anything differs.

    \b
    Examples:
      textclf verify
      textclf verify runs/bbc_news-mid-mlp-20261123T120000Z
    """
    from textclf.artefacts import runs
    from textclf.cli.training_display import TerminalDisplay
    from textclf.experiments.verify import verify

    layout = runs.RunLayout(options.resolved(run))
    found = verify(layout, display=TerminalDisplay(), code=code)
    if found.differences:
        reason = "; ".join(found.circumstances) or "versions, threads and processor are the same"
        raise TextclfError(f"{layout.root} does not repeat: different {', '.join(found.differences)} ({reason})")
    terminal.result_line(f"{layout.root} repeats to the bit")
    terminal.result_line(f"weights {found.weights}")
