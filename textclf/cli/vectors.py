"""`textclf vectors`."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import click

from textclf.cli import commands, display, kept, options, terminal
from textclf.errors import UsageError
from textclf.system.wording import counted, shown_bytes

if TYPE_CHECKING:
    from textclf.word_vectors.store import Summary

_NEEDS: Final = {
    "list": "lists all of them: it takes no name",
    "add": "needs what to add: glove",
    "remove": "needs the name of the vectors",
}


@commands.command("vectors")
@click.argument("action", type=click.Choice(list(_NEEDS)), default="list")
@click.argument("name", required=False)
@options.text_or_json
def command(action: str, name: str | None, layout: str) -> None:
    """List, add or remove word vectors.

    Word vectors say what words mean, as learned from other texts. `add` takes glove (GloVe 6B, 50 dimensions, 400,000
    English words, 43 MB). They are kept, with their licence, in ~/.local/share/textclf/vectors, or where
    TEXTCLF_VECTORS says. A file of your own needs no name: textclf train --vectors FILE.

    \b
    Examples:
      textclf vectors list
      textclf vectors add glove
      textclf vectors remove glove
    """
    if (name is None) != (action == "list"):
        raise UsageError(f"textclf vectors {action} {_NEEDS[action]}; see textclf vectors --help")
    from textclf.word_vectors import store

    if name is None:
        none = f"no vectors in {store.home().folder}; add some: textclf vectors add glove"
        kept.show_all(store.summaries(), layout, record=store.record, table=_table, none=none)
        return
    if action == "add":
        from textclf.word_vectors import known

        done = known.add(name)
        sizes = (
            f"{counted(done.words or 0, 'word')}, {counted(done.dimension or 0, 'dimension')}, {shown_bytes(done.size)}"
        )
        about = f"{sizes}, licence {done.licence}"
        terminal.note_line(f"{done.name}: {about}, from {done.source}")
    else:
        done = store.remove(name)
        terminal.note_line(f"removed {done.name}")
    kept.show(done, layout, record=store.record)


def _table(found: Sequence["Summary"]) -> str:
    columns = {
        "name": [each.name for each in found],
        "words": ["unreadable" if each.error else f"{each.words:,}" for each in found],
        "dimension": ["" if each.error else f"{each.dimension:,}" for each in found],
        "size": [shown_bytes(each.size) for each in found],
        "licence": [each.licence for each in found],
        "path": [str(each.path) for each in found],
    }
    return display.fitted(columns, right=("words", "dimension", "size"), drop=("licence",), cut="path")
