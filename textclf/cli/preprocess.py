"""`textclf preprocess`."""

from functools import partial
from pathlib import Path
from typing import Any

import click

from textclf.cli import display
from textclf.config import PreprocessConfig
from textclf.system import startup

DEFAULTS = PreprocessConfig()


@click.command("preprocess")
@click.argument("source", default=DEFAULTS.source)
@click.option("--name", help="Name of the data directory. [default: made from the source]")
@click.option(
    "--data-dir", type=click.Path(path_type=Path, file_okay=False), default=DEFAULTS.data_dir, show_default=True
)
@click.option(
    "--text-column", multiple=True, help="Column that holds the text; give it again to join several, in order."
)
@click.option("--label-column", help="Column that holds the label.")
@click.option("--id-column", help="Column that names a document. [default: its row]")
@click.option(
    "--validation", type=click.Path(path_type=Path, exists=True), help="File or folder with the validation split."
)
@click.option("--test", type=click.Path(path_type=Path, exists=True), help="File or folder with the test split.")
@click.option(
    "--validation-size",
    type=float,
    default=DEFAULTS.validation_size,
    show_default=True,
    help="Fraction to draw where the source has no validation split.",
)
@click.option(
    "--test-size",
    type=float,
    default=DEFAULTS.test_size,
    show_default=True,
    help="Fraction to draw where the source has no test split.",
)
@click.option("--config", help="Configuration of a Hub dataset.")
@click.option("--revision", help="Branch, tag or commit of a Hub dataset.")
@click.option("--encoding", help="Of text files. [default: utf-8]")
@click.option("--lowercase/--no-lowercase", default=DEFAULTS.lowercase, show_default=True)
@click.option(
    "--max-vocab",
    type=click.IntRange(min=1),
    default=DEFAULTS.max_vocab,
    show_default=True,
    help="Words at the most, the most frequent first.",
)
@click.option(
    "--max-parts",
    type=click.IntRange(min=0),
    help="Parts of words at the most. [default: by the length of the training text]",
)
@click.option(
    "--min-count",
    type=click.IntRange(min=1),
    default=DEFAULTS.min_count,
    show_default=True,
    help="Occurrences that make a word part of the vocabulary.",
)
@click.option(
    "--num-workers", type=click.IntRange(min=1), help="Processes that tokenize and write. [default: one per processor]"
)
@click.option(
    "--seed", type=click.IntRange(min=0), default=DEFAULTS.seed, show_default=True, help="Of the splits and tiers."
)
@click.option("--strict", is_flag=True, help="Refuse labels that only validation or test has.")
@click.option("--overwrite", is_flag=True, help="Replace a data directory made from other settings.")
def command(**options: Any) -> None:
    """Turn a corpus into one tensor a document, ready to train on.

    SOURCE is a corpus of `textclf corpora`, an owner/name on the Hugging Face Hub, a file (CSV, TSV, JSONL, Parquet, or
    fastText lines), a folder with a folder for each class, or a folder with train, validation and test files.

    \b
    Examples:
      textclf preprocess
      textclf preprocess ag_news
      textclf preprocess reviews.csv --text-column title --text-column body --label-column stars
    """
    startup.one_thread()  # as there is nothing to multiply, and beside a second this process could not be copied

    from textclf.dataset.build import preprocess
    from textclf.system.signals import stopping

    with stopping("the same command goes on where it was"):
        path, report = preprocess(
            PreprocessConfig(**options), progress=display.progress, tell=partial(click.echo, err=True)
        )
    click.echo(display.show_report(report), err=True)
    click.echo(path)
