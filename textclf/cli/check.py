"""`textclf check`."""

from pathlib import Path

import click

from textclf.cli.display import show_report


@click.command("check")
@click.argument("data", type=click.Path(path_type=Path))
@click.option("--strict", is_flag=True, help="Exit with 3 if there is a problem.")
def command(data: Path, strict: bool) -> None:
    """Show what is in a data directory, and what makes figures from it less trustworthy.

    Among that: copies and near-copies in two splits, texts with two labels, empty documents, labels of a few documents,
    labels that differ only in case, labels and words that the training split does not have.

    \b
    Examples:
      textclf check data/bbc_news
      textclf check data/reviews --strict
    """
    from textclf import data_report
    from textclf.errors import DataError
    from textclf.store import manifest

    manifest.read(data)
    report = data_report.read(manifest.Layout(data).report)
    found = data_report.problems(report)
    click.echo(show_report(report))
    if not found:
        click.echo("no problems")
    elif strict:
        raise DataError(f"{data}: {'; '.join(found)}")
