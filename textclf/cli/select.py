"""`textclf select`."""

from pathlib import Path
from typing import Any

import click

from textclf.cli import commands, options, terminal, values
from textclf.config import SELECT_BY, SelectConfig
from textclf.errors import UsageError
from textclf.inference import job
from textclf.system import listing


@commands.command("select")
@options.inputs("The texts to choose from.")
@options.run
@options.code
@click.option(
    "--n", type=values.setting(SelectConfig, "n"), default=100, show_default=True, help="Number of texts to choose."
)
@click.option(
    "--by",
    type=click.Choice(SELECT_BY),
    default="margin",
    show_default=True,
    help="What makes a text worth a label: a small margin between its two most probable labels, a high entropy, a low "
    "confidence, chance, or diverse: a small margin, spread over different texts.",
)
@click.option(
    "--labelled",
    multiple=True,
    metavar="FILE",
    shell_complete=values.completing("paths"),
    help="File, or its URL, whose texts are labelled already and not chosen; repeatable.",
)
@options.of_rows
@options.id_column(", to copy into the list.")
@click.option("--strict", is_flag=True, help="Exit with 3 at the first row that cannot be read.")
@options.seed(SelectConfig, "random, and for the clusters of diverse")
@options.output("the list: a file, .csv or .jsonl. [default: CSV to stdout]")
def command(
    *,
    run: Path,
    code: tuple[Path, ...],
    n: int,
    by: str,
    seed: int,
    labelled: tuple[str, ...],
    output: Path | None,
    **given: Any,
) -> None:
    """Choose the texts to label next.

    The texts that the model is least sure of teach it most. Of texts that are nearly the same, one is chosen. A row has
    the id, the text, the suggested label with its probability, the score, and an empty column for the label. Filled in,
    the list goes to textclf preprocess beside the first documents.

    \b
    Examples:
      textclf select --input pool.csv --n 50 --output next.csv
      textclf select --input 'pool/*.jsonl' --by diverse --labelled first.csv \\
          --output next.jsonl
    """
    listing.check(output)
    config = SelectConfig(n=n, by=by, seed=seed)
    if not given["inputs"]:
        raise UsageError("nothing to choose from: name a file with --input FILE")
    asked = job.Job.create(**given)
    files = job.check(asked)
    if output is not None and output.exists() and any(file.exists() and output.samefile(file) for file in files):
        raise UsageError(f"{output} is also the input: name another --output")
    before = job.Job.create(**{**given, "inputs": labelled})
    files_before = job.check(before) if labelled else []
    model = options.model_of(run)
    from textclf.experiments import select  # after the checks: numpy takes 0.1 s
    from textclf.inference.classifier import load_model
    from textclf.system.signals import stopping

    classifier = load_model(model, code=code)
    options.note_torch(classifier.trained)
    with stopping():
        known = job.rows_of(before, files_before, classifier, warn=terminal.message)
        rows = job.rows_of(asked, files, classifier, warn=terminal.message)
        selection = select.select(classifier, rows, config, labelled=known)
    selection.write(output)
    for line in select.sentences(selection, config):
        terminal.message(line)
    if output is not None:
        terminal.result_line(output)
