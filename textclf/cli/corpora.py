"""`textclf corpora`."""

from dataclasses import asdict
from typing import TYPE_CHECKING

from textclf.cli import options, terminal
from textclf.cli.display import table
from textclf.system import escaping

if TYPE_CHECKING:
    from textclf.sources.catalogue import Entry


@options.command("corpora")
@options.text_or_json
def command(layout: str) -> None:
    """List the public corpora that preprocess knows by name.

    \b
    Example:
      textclf corpora
    """
    from textclf.sources.catalogue import CATALOGUE

    entries = list(CATALOGUE.values())
    if layout == "json":
        records = [{**asdict(entry), "needs_network": entry.needs_network} for entry in entries]
        terminal.result(escaping.to_json(records, indent=2))
        return
    terminal.result(
        table(("corpus", "documents", "classes", "network", "where", "licence"), map(_row, entries), align="<>><<<")
    )
    terminal.result("\nContents and citations:\n")
    for entry in entries:
        terminal.result(f"{entry.name}: {entry.description}\n    {entry.citation}")


def _row(entry: "Entry") -> tuple[str, ...]:
    network = "needed" if entry.needs_network else "none"
    where = f"Hugging Face Hub, {entry.where}" if entry.kind == "hub" else f"Python package {entry.where}"
    return (entry.name, f"{entry.documents:,}", f"{entry.classes:,}", network, where, entry.licence)
