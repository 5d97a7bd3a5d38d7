"""`textclf corpora`."""

import textwrap
from dataclasses import asdict
from typing import TYPE_CHECKING

from textclf.cli import commands, options, terminal
from textclf.cli.display import table
from textclf.system import escaping

if TYPE_CHECKING:
    from textclf.sources.catalogue import Entry


@commands.command("corpora")
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
    rows = [(entry.name, f"{entry.documents:,}", f"{entry.classes:,}", entry.description) for entry in entries]
    terminal.result(table(("corpus", "documents", "classes", "contents"), rows, align="<>><"))
    terminal.result("\nLicences, sources and citations:\n")
    for entry in entries:
        terminal.result(entry.name)
        for line in (f"{_where(entry)}; licence: {entry.licence}", entry.citation):
            terminal.result(textwrap.indent(terminal.wrapped(line, width=terminal.WIDTH - 4), "    "))


def _where(entry: "Entry") -> str:
    where = f"Hugging Face Hub, {entry.where}" if entry.kind == "hub" else f"Python package {entry.where}"
    return where if entry.needs_network else f"{where}, installed with textclf: needs no network"
