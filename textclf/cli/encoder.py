"""`textclf encoder`."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import click

from textclf.cli import commands, display, kept, options, terminal
from textclf.errors import UsageError
from textclf.system.wording import shown_bytes

if TYPE_CHECKING:
    from textclf.encoders.store import Summary

_NEEDS: Final = {
    "list": "lists all of them: it takes no name",
    "add": "needs what to add, such as minilm or a folder",
    "remove": "needs the name of an encoder",
}
_HASH: Final = 12
"""Hex digits of a hash that are shown."""


@commands.command("encoder")
@click.argument("action", type=click.Choice(list(_NEEDS)), default="list")
@click.argument("what", required=False, metavar="[NAME|FOLDER]")
@click.option("--name", help="Name of the encoder. [default: that of the folder]")
@options.text_or_json
def command(action: str, what: str | None, name: str | None, layout: str) -> None:
    """List, add or remove sentence encoders.

    A sentence encoder turns a text into a vector that was learned from other texts. `add` takes minilm
    (all-MiniLM-L6-v2, English, 28 MB), or a folder with any BERT-like encoder in safetensors that has a WordPiece
    vocabulary. They are kept, with their licence, in ~/.local/share/textclf/encoders, or where TEXTCLF_ENCODERS says.

    \b
    Examples:
      textclf encoder list
      textclf encoder add minilm
      textclf encoder add models/bge-small-en-v1.5 --name bge
      textclf encoder remove bge
    """
    if (what is None) != (action == "list"):
        raise UsageError(f"textclf encoder {action} {_NEEDS[action]}; see textclf encoder --help")
    if name is not None and action != "add":
        raise UsageError("--name goes with textclf encoder add")
    from textclf.encoders import store

    if what is None:
        none = f"no encoders in {store.home().folder}; add one: textclf encoder add minilm"
        kept.show_all(store.summaries(), layout, record=store.record, table=_table, none=none)
        return
    if action == "add":
        from textclf.encoders import adding

        done = adding.add(what, name=name)
        about = f"{done.dimension} dimensions, {shown_bytes(done.size)}, licence {done.licence}"
        terminal.note_line(f"{done.name}: {about}, from {done.source}")
    else:
        done = store.remove(what)
        terminal.note_line(f"removed {done.name}")
    kept.show(done, layout, record=store.record)


def _table(found: Sequence["Summary"]) -> str:
    columns = {
        "name": [each.name for each in found],
        "dimension": ["unreadable" if each.error else f"{each.dimension:,}" for each in found],
        "size": [shown_bytes(each.size) for each in found],
        "licence": [each.licence for each in found],
        "hash": [each.hash[:_HASH] for each in found],
        "path": [str(each.path) for each in found],
    }
    return display.fitted(columns, right=("dimension", "size"), drop=("hash", "licence"), cut="path")
