"""`textclf corpora`."""

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from textclf.cli.display import table

if TYPE_CHECKING:
    from textclf.sources.catalogue import Entry


@click.command("corpora")
@click.option(
    "--format",
    "layout",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="Format of the list.",
)
def command(layout: str) -> None:
    """List the public corpora that `textclf preprocess` knows by name.

    \b
    Example:
      textclf corpora
    """
    from textclf.sources.catalogue import CATALOGUE

    entries = list(CATALOGUE.values())
    if layout == "json":
        click.echo(json.dumps([{**asdict(entry), "needs_network": entry.needs_network} for entry in entries], indent=2))
        return
    click.echo(
        table(("corpus", "documents", "classes", "network", "where", "licence"), map(_row, entries), align="<>><<<")
    )
    click.echo("\nContents and citations:\n")
    for entry in entries:
        click.echo(f"{entry.name}: {entry.description}\n    {entry.citation}")


def _row(entry: "Entry") -> tuple[str, ...]:
    network = "needed" if entry.needs_network else "none"
    where = f"Hugging Face Hub, {entry.where}" if entry.kind == "hub" else f"Python package {entry.where}"
    return (entry.name, f"{entry.documents:,}", f"{entry.classes:,}", network, where, entry.licence)
