"""`textclf report`."""

from pathlib import Path

from textclf.cli import options, terminal
from textclf.errors import UsageError


@options.command("report")
@options.run
@options.code
@options.split()
@options.output("the report: a file. [default: report.html in the run directory]")
def command(run: Path, code: tuple[Path, ...], split: str, output: Path | None) -> None:
    """Write a report of a run as one HTML file.

    It shows curves, classes, confusion, calibration and the most confident mistakes. It needs no network and contains
    no scripts.

    \b
    Example:
      textclf report --run runs/latest
    """
    from textclf.artefacts import runs
    from textclf.evaluation import report

    run = options.resolved(run)
    path = output or runs.RunLayout(run).report
    if path.exists() and not path.is_file():  # it would be replaced, not written to
        raise UsageError(f"{path} is not a file but a pipe or a device; name another --output")
    report.write(run, path, split=split, code=code)
    terminal.result_line(path)
