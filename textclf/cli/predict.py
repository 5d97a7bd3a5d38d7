"""`textclf predict`."""

import sys
from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from textclf.artefacts import runs
from textclf.cli import options, terminal
from textclf.errors import UsageError
from textclf.system import startup

if TYPE_CHECKING:
    from textclf.inference.outputs import Answer, Fields
    from textclf.inference.predicting import Reading, Tally
    from textclf.sources import Columns

EXPLAINED: Final = ("text", "json", "jsonl")
"""Formats that have room for the contribution of each word."""


@options.command("predict")
@click.argument("texts", nargs=-1, metavar="[TEXT|-]...")
@options.run
@options.code
@click.option(
    "--input",
    "inputs",
    multiple=True,
    metavar="FILE",
    help="File with one text per row, or - for stdin; repeatable. Each row gets one answer, in order.",
)
@options.input_format
@options.part
@click.option("--text-column", multiple=True, help="Column with the text; repeat it to join several columns in order.")
@click.option("--label-column", help="Column with the labels to compare the answers with.")
@click.option("--id-column", help="Column with an id to copy into the answer.")
@options.label_prefix
@options.delimiter
@options.quote
@options.column_names
@options.encoding
@click.option("--strict", is_flag=True, help="Stop at the first row that cannot be read.")
@click.option(
    "--top-k",
    type=options.COUNT,
    help="Number of labels per text, the most probable first. [default: 1]",
)
@click.option(
    "--reject-below",
    type=options.SHARE,
    help="Give no label that is less probable than this.",
)
@click.option(
    "--explain",
    is_flag=True,
    help="Show how much each word adds to the margin of the label: its logit minus the mean of all others.",
)
@click.option(
    "--target-precision",
    type=options.SHARE,
    help="Give only labels of which this share is right on validation documents; none to texts unlike the corpus.",
)
@click.option(
    "--num-workers",
    type=options.COUNT,
    help="Number of processes for many texts. [default: one per processor]",
)
@click.option(
    "--format",
    "layout",
    type=click.Choice(["text", "json", "jsonl", "csv", "spreadsheet", "parquet", "fasttext"]),
    default="text",
    show_default=True,
)
@click.option(
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    help="File for the answers, instead of stdout; it appears when it is complete.",
)
def command(
    texts: tuple[str, ...],
    *,
    run: Path,
    code: tuple[Path, ...],
    inputs: tuple[str, ...],
    strict: bool,
    top_k: int | None,
    explain: bool,
    reject_below: float | None,
    target_precision: float | None,
    num_workers: int | None,
    layout: str,
    output: Path | None,
    **reading: Any,
) -> None:
    """Predict the label of each text.

    Each TEXT gets one answer; `-` stands for the lines of stdin, one text per line. In the text format an answer is the
    label, or with --top-k labels and probabilities separated by tabs.

    Each row of --input gets one answer. A row that cannot be read gets its error instead of a label (an empty line in
    the formats text and fasttext), and stderr gets the number of such rows. With a column of labels, stderr also gets
    the accuracy. CSV has labels and ids as they are, and a spreadsheet takes those that begin with = + - or @ for
    formulas; --format spreadsheet is CSV with an apostrophe before them.

    \b
    Examples:
      textclf predict "Shares fell after the bank cut its forecast"
      textclf predict --top-k 3 --format json "The band will play at the festival"
      textclf predict --input reviews.csv --id-column id --format csv --output labels.csv
      textclf predict --input reviews.csv --target-precision 0.95 --format jsonl
    """
    if not texts and not inputs:
        raise UsageError('nothing to predict: give a text, "-" for the lines of stdin, or --input FILE')
    _refuse_names_of_files(texts, inputs)
    files = _input_files(inputs)
    _check_output(layout, files, output, explain=explain)
    model = runs.model_dir(run)
    from textclf.inference import classifier, outputs, parallel, predicting  # after the checks: numpy takes 0.1 s

    trained = classifier.load_model(model, code=code)
    options.note_torch(trained.trained)
    how = _reading(reading, known=trained.trained.columns, strict=strict)
    rows = predicting.rows(texts, files, how, warn=terminal.message)
    if explain:
        from textclf.cli import explanation

        explanation.write(trained, predicting.texts_of(rows), top_k=top_k or 1, layout=layout)
        return
    learned = trained.trained.abstention
    rejection = predicting.Rejection.of(learned, below=reject_below, target_precision=target_precision)
    is_rejecting = reject_below is not None or target_precision is not None
    best = min(top_k or 1, len(trained.labels))
    fields = outputs.Fields(best, top_k is not None, reading["id_column"] is not None, is_rejecting, bool(files))
    workers = num_workers or startup.processors()
    predict = parallel.predictor(trained, model, top_k=best, num_workers=workers, files=files)
    tally = predicting.Tally(trained.labels)
    _write(predicting.answer(rows, predict, rejection), tally, fields, layout=layout, output=output)


def _reading(options: Mapping[str, Any], *, known: "Columns", strict: bool) -> "Reading":
    """How files are read, by the options for that and the columns of the training documents."""
    from textclf.inference.predicting import Reading
    from textclf.sources import Columns

    asked = Columns(
        text=options["text_column"],
        label=options["label_column"],
        id=options["id_column"],
        names=options["columns"],
        delimiter=options["delimiter"],
        quote=options["quote"],
        encoding=options["encoding"],
        label_prefix=options["label_prefix"],
    )
    return Reading(options["input_format"], options["part"], asked, known, strict)


def _write(
    answers: "Generator[list[Answer], None, None]",
    tally: "Tally",
    fields: "Fields",
    *,
    layout: str,
    output: Path | None,
) -> None:
    """Write the answers, and say on stderr what they come to."""
    from textclf.inference import outputs

    # Closing the answers ends the other processes.
    with closing(answers) as batches:
        outputs.write(tally.watch(_with_progress(batches)), layout, fields, output)
    for sentence in tally.summary(with_coverage=fields.rejected):
        terminal.message(sentence)


def _refuse_names_of_files(texts: tuple[str, ...], inputs: tuple[str, ...]) -> None:
    """Raise UsageError for a text that is the name of a file, as where a shell has expanded ``--input *.csv``."""
    for text in texts:
        if text != "-" and (inputs or Path(text).suffix) and _is_file(text):
            raise UsageError(
                f"{text} is a file, and its name would be answered as a text: add --input before it, and put a pattern "
                "of files in quotes, such as --input '*.csv'"
            )


def _is_file(text: str) -> bool:
    try:
        return Path(text).is_file()
    except OSError:  # too long for a name
        return False


def _input_files(inputs: tuple[str, ...]) -> list[Path]:
    """The files that --input names, by patterns, too; raises UsageError if there is no such file."""
    if not inputs:
        return []
    from textclf import sources

    return sources.files(inputs)


def _check_output(layout: str, inputs: list[Path], output: Path | None, *, explain: bool) -> None:
    """Raise UsageError for a format or file that answers cannot be written to."""
    if explain and layout not in EXPLAINED:
        raise UsageError(f"--explain does not fit into {layout}; use --format jsonl")
    if output is None:
        if layout == "parquet":
            raise UsageError("Parquet goes to a file: add --output FILE")
        return
    if explain:
        raise UsageError("--explain writes to stdout; leave out --output")
    if not output.parent.is_dir():
        raise UsageError(f"no such folder: {output.parent}")
    if output.exists() and not output.is_file():  # it would be replaced, not written to
        raise UsageError(f"{output} is not a file but a pipe or a device: leave out --output and write to it with >")
    if output.exists() and any(path.exists() and output.samefile(path) for path in inputs):
        raise UsageError(f"{output} is also the input: name another --output")


def _with_progress(batches: Iterable[list["Answer"]]) -> Iterator[list["Answer"]]:
    """Pass answers through; on a terminal, count them."""
    if not sys.stderr.isatty():  # then tqdm need not be imported
        yield from batches
        return
    from textclf.cli import display

    with display.bar(unit=" rows", unit_scale=True, delay=1) as shown:
        for batch in batches:
            yield batch
            shown.update(len(batch))
