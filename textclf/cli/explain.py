"""`textclf explain`."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from textclf.cli import commands, options, terminal, values
from textclf.cli.display import aligned
from textclf.system import escaping

if TYPE_CHECKING:
    from textclf.inference.explain import Word


@commands.command("explain")
@options.run
@options.code
@click.option(
    "--top-words",
    "labels",
    multiple=True,
    metavar="LABEL",
    shell_complete=values.completing("labels"),
    help="Label to explain; repeatable. [default: all]",
)
@click.option(
    "--top-k",
    type=values.COUNT,
    default=20,
    show_default=True,
    help="Number of words per label, the most probable first.",
)
@options.text_or_json
def command(run: Path, code: tuple[Path, ...], labels: tuple[str, ...], top_k: int, layout: str) -> None:
    """Show which words speak for a label.

    Each known word is classified alone; the words that give the label the highest probability are shown. To explain the
    label of one text, use `textclf predict --explain`.

    \b
    Examples:
      textclf explain --top-words sports
      textclf explain --run runs/NAME --top-k 5 --format json
    """
    model = options.model_of(run)
    from textclf.artefacts import loading
    from textclf.inference import explain  # after the checks: it imports numpy

    trained = loading.load(model, code=code)
    options.note_torch(trained)
    found = explain.top_words(trained, labels or trained.labels, top_k=top_k)
    if layout == "json":
        terminal.result(escaping.to_json(_records(found), indent=2))
    else:
        terminal.result("\n\n".join(_table(label, words) for label, words in found.items()))


def _records(found: "dict[str, list[Word]]") -> dict[str, list[dict[str, object]]]:
    return {label: [word._asdict() for word in words] for label, words in found.items()}


def _table(label: str, words: "list[Word]") -> str:
    rows = [(f"  {word.word}", f"{word.probability:.4f}") for word in words]
    return f"{escaping.line(label)}\n{aligned(rows, align='<<')}"
