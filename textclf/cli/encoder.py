"""`textclf encoder`."""

from typing import TYPE_CHECKING, Final

import click

from textclf.cli import display, options, terminal
from textclf.errors import UsageError
from textclf.system import escaping
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


@options.command("encoder")
@click.argument("action", type=click.Choice(list(_NEEDS)), default="list")
@click.argument("what", required=False, metavar="[NAME|FOLDER]")
@click.option("--name", help="Name of the encoder. [default: that of the folder]")
@options.text_or_json
def command(action: str, what: str | None, name: str | None, layout: str) -> None:
    """List, add or remove sentence encoders.

    A sentence encoder turns a text into a vector that was learned from other texts. `add` takes minilm
    (all-MiniLM-L6-v2, English, 23 MB), or a folder with any BERT-like encoder in safetensors that has a WordPiece
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
        _list(store.summaries(), layout)
        return
    if action == "add":
        from textclf.encoders import adding

        done = adding.add(what, name=name)
        about = f"{done.dimension} dimensions, {shown_bytes(done.size)}, licence {done.licence}"
        terminal.note_line(f"{done.name}: {about}, from {done.source}")
    else:
        done = store.remove(what)
        terminal.note_line(f"removed {done.name}")
    if layout == "json":
        terminal.result(escaping.to_json(store.record(done), indent=2))
    else:
        terminal.result_line(done.path)


def _list(found: list["Summary"], layout: str) -> None:
    from textclf.encoders import store

    if layout == "json":
        terminal.result(escaping.to_json([store.record(each) for each in found], indent=2))
    elif found:
        terminal.result(_table(found))
        for each in found:
            if each.error:
                terminal.message(each.error)
    else:
        terminal.message(f"no encoders in {store.home().folder}; add one: textclf encoder add minilm")


def _table(found: list["Summary"]) -> str:
    columns = {
        "name": [each.name for each in found],
        "dimension": ["damaged" if each.error else f"{each.dimension:,}" for each in found],
        "size": [shown_bytes(each.size) for each in found],
        "licence": [each.licence for each in found],
        "hash": [each.hash[:_HASH] for each in found],
        "path": [str(each.path) for each in found],
    }
    return display.fitted(columns, right=("dimension", "size"), drop=("hash", "licence"), cut="path")
