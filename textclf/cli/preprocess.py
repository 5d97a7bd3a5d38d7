"""`textclf preprocess`."""

from functools import partial
from typing import Any

import click

from textclf.cli import commands, display, options, terminal, values
from textclf.config import TASKS, TENSORS, TENSORS_UP_TO, PreprocessConfig
from textclf.errors import UsageError

DEFAULTS = PreprocessConfig()

number = partial(values.setting, PreprocessConfig)


@commands.command("preprocess")
@click.argument("source", nargs=-1, metavar="[SOURCE]...", shell_complete=values.completing("sources"))
@click.option("--name", help="Name of the data directory. [default: from the source]")
@options.data_dir
@options.text_column
@options.label_column
@options.label_columns
@options.label_separator
@click.option(
    "--task",
    type=click.Choice(TASKS),
    default=DEFAULTS.task,
    show_default=True,
    help="Whether a document has a single label or may have several; auto: as the source has them.",
)
@options.id_column(". [default: its row number]")
@options.input_format
@options.part
@options.label_prefix
@click.option(
    "--validation",
    multiple=True,
    metavar="PATH",
    shell_complete=values.completing("paths"),
    help="Folder or file with the validation split; repeatable.",
)
@click.option(
    "--test",
    multiple=True,
    metavar="PATH",
    shell_complete=values.completing("paths"),
    help="Folder or file with the test split; repeatable.",
)
@click.option(
    "--validation-size",
    type=number("validation_size"),
    default=DEFAULTS.validation_size,
    show_default=True,
    help="Fraction of the training split to draw if the source has no validation split.",
)
@click.option(
    "--test-size",
    type=number("test_size"),
    default=DEFAULTS.test_size,
    show_default=True,
    help="Fraction of the training split to draw if the source has no test split.",
)
@click.option("--subset", help="Configuration of a Hub dataset, which the Hub calls a subset.")
@click.option("--revision", help="Branch, tag or commit of a Hub dataset.")
@options.delimiter
@options.quote
@options.column_names
@options.encoding
@click.option(
    "--lowercase/--no-lowercase",
    default=DEFAULTS.lowercase,
    show_default=True,
    help="Whether texts are turned into lower case.",
)
@click.option(
    "--max-vocab",
    type=number("max_vocab"),
    default=DEFAULTS.max_vocab,
    show_default=True,
    help="Maximum number of words in the vocabulary, the most frequent first.",
)
@click.option(
    "--max-parts",
    type=number("max_parts"),
    help="Maximum number of subwords in the vocabulary. [default: by the length of the training text]",
)
@click.option(
    "--min-count",
    type=number("min_count"),
    default=DEFAULTS.min_count,
    show_default=True,
    help="Minimum occurrences of a word in the vocabulary.",
)
@click.option(
    "--tensors",
    type=click.Choice(TENSORS),
    help=f"Whether each document gets a .pt file. [default: all, with at most {TENSORS_UP_TO:,} documents]",
)
@options.num_workers(number("num_workers"), "tokenize and write. [default: one per processor]")
@options.seed(PreprocessConfig, "splits and tiers")
@click.option(
    "--whole-labels", is_flag=True, help="Accept labels that look like lists (billing;cancel), each as one class."
)
@click.option("--strict", is_flag=True, help="Exit with 3 if a label occurs only in validation or test.")
@click.option(
    "--corrections",
    multiple=True,
    metavar="FILE",
    shell_complete=values.completing("paths"),
    help="Reviewed list of wrong labels: a table with id and label, add, remove or drop; repeatable.",
)
@click.option(
    "--add",
    multiple=True,
    metavar="FILE",
    shell_complete=values.completing("paths"),
    help="File whose documents are added to the data directory of --name, by default the newest, which keeps its "
    "vocabulary, ids and splits; repeatable.",
)
@click.option("--overwrite", is_flag=True, help="Replace a data directory that was built with other settings.")
@click.option(
    "--dry-run", is_flag=True, help="Show the first documents, the columns, the labels and the splits; write nothing."
)
@options.engine("a file of SOURCE per task")
def command(*, dry_run: bool, engine: str, ray_address: str | None, **given: Any) -> None:
    """Turn a corpus into one tensor per document.

    SOURCE is a name that `textclf corpora` lists, an owner/name on the Hugging Face Hub, a file or several (CSV, TSV,
    JSONL, JSON, Parquet, XLSX, fastText lines, or texts and labels in two files), a folder with a folder or a file per
    class, or a folder with train, validation and test files. 'data/*.csv' stands for all files of such a name, and
    s3://, gs://, hf:// and https:// name files elsewhere, which are copied to the user's cache folder first.

    \b
    Examples:
      textclf preprocess
      textclf preprocess ag_news
      textclf preprocess reviews.csv --text-column title --text-column body \\
          --label-column stars
      textclf preprocess reviews.csv --dry-run
      textclf preprocess 'data/*.jsonl.gz' --test held_out.jsonl
      textclf preprocess 's3://bucket/reviews/*.parquet'
      textclf preprocess reviews.csv --corrections reviewed.csv --name fixed
      textclf preprocess --add november.csv --name reviews
      textclf preprocess 'part-*.parquet' --engine ray --ray-address auto
    """
    config = PreprocessConfig(**given | {"source": given["source"] or DEFAULTS.source})
    if config.add:
        _refuse_options(dry_run=dry_run, engine=engine)
    elif not given["source"] and config.name:
        from textclf.dataset.existing import refuse_default_source

        refuse_default_source(config.data_dir / config.name, default=DEFAULTS.source[0])
    if dry_run:
        from textclf.dataset.preview import preview

        terminal.result(display.show_preview(preview(config)))
        return
    from textclf.dataset import manifest
    from textclf.dataset.build import preprocess
    from textclf.dataset.grow import grow
    from textclf.system.signals import stopping

    with (
        stopping("the same command resumes"),
        options.cluster(engine, ray_address, most=config.num_workers) as cluster,
    ):
        if config.add:
            path, report = grow(config, progress=display.progress)
        else:
            path, report = preprocess(config, progress=display.progress, tell=terminal.note_line, cluster=cluster)
    terminal.note(display.show_report(report))
    if columns := display.show_columns(manifest.parse_manifest(path).columns):
        terminal.note(columns)
    terminal.result_line(path)


def _refuse_options(*, dry_run: bool, engine: str) -> None:
    """Raise UsageError for what cannot be done while a directory grows."""
    if dry_run:
        raise UsageError("--dry-run shows how a directory would be made: leave it out with --add")
    if engine != options.ENGINES[0]:
        raise UsageError(f"--add works on this machine: leave out --engine {engine}")
