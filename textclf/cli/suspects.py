"""`textclf suspects`."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from textclf.cli import commands, display, options, terminal, training_options, values
from textclf.config import SuspectsConfig
from textclf.system import listing
from textclf.system.wording import counted

if TYPE_CHECKING:
    from textclf.experiments.suspects import Suspects

DEFAULTS: Final = SuspectsConfig()
DOUBTFUL: Final = 0.85
"""Accuracy below which the estimate counts many right labels: see docs/suspects.md for figures."""

number = partial(values.setting, SuspectsConfig)


@commands.command("suspects")
@click.argument("data", required=False, type=values.Data(), metavar="[DATA]")
@options.data_dir
@click.option(
    "--folds",
    type=number("folds"),
    default=DEFAULTS.folds,
    show_default=True,
    help="Number of parts of the documents, each predicted by a model that was trained on the others.",
)
@click.option(
    "--limit", type=number("limit"), help="Maximum number of rows. [default: as many as are wrong by the estimate]"
)
@options.seed(SuspectsConfig, "folds, weights, data order and dropout")
@training_options.device
@options.output("the list: a file, .csv or .jsonl. [default: CSV to stdout]")
def command(output: Path | None, **given: Any) -> None:
    """List labels that are probably wrong, to review them.

    Each document of all splits is predicted by a model that has not seen it. The less probable its own label, the
    earlier it comes in the list; confident learning estimates how many labels are wrong. A row has the id and the text
    of the source, the given and the suggested label, and empty columns for a verdict. Fill label or drop where the
    suspicion is right; textclf preprocess --corrections applies the list.

    No run is written. If it is stopped, the same command goes on with the folds that are done.

    \b
    Examples:
      textclf suspects data/bbc_news
      textclf suspects bbc_news --limit 100 --output suspects.csv
    """
    listing.check(output)
    from textclf.experiments.suspects import find_suspects
    from textclf.system.signals import stopping

    config = SuspectsConfig(**given)
    with stopping("the same command goes on with the folds that are done"):
        suspects = find_suspects(config, progress=display.progress, tell=terminal.note_line)
    suspects.write(output)
    for line in _lines(suspects):
        terminal.message(line)
    if output is not None:
        terminal.result_line(output)


def _lines(suspects: "Suspects") -> list[str]:
    """What the list comes to."""
    share = "" if suspects.is_multi else f" ({suspects.estimate / max(suspects.documents, 1):.1%})"
    of = f"{counted(suspects.estimate, 'label')}{share} of {counted(suspects.documents, 'document')}"
    lines = [
        f"{of} are wrong by confident learning's estimate; {suspects.accuracy:.1%} are as predicted; "
        f"{counted(len(suspects.found), 'row')} listed"
    ]
    if suspects.accuracy < DOUBTFUL and not suspects.is_multi:
        lines.append("the models are often wrong here, so that the estimate counts right labels, too: begin at the top")
    return [*lines, *suspects.notes]
