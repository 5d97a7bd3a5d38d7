"""`textclf predict`."""

import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import closing
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from textclf.artefacts import runs
from textclf.errors import DataError, ResourceError, UsageError
from textclf.system import files, startup

if TYPE_CHECKING:
    from textclf.inference.classifier import Prediction
    from textclf.inference.outputs import Answer, Shape, Tally
    from textclf.sources.columns import Columns
    from textclf.sources.lines import Row

CLOSED: Final = 141
"""Exit code where nobody reads on: that of other programs, which the signal SIGPIPE ends, in a shell."""

EXPLAINED: Final = ("text", "json", "jsonl")
"""Formats that have room for what each word adds."""

MOST_SHOWN: Final = 300
"""Characters of a row's error on stderr."""


@click.command("predict")
@click.argument("texts", nargs=-1, metavar="[TEXT|-]...")
@click.option(
    "--run",
    type=click.Path(path_type=Path),
    default=Path("runs/latest"),
    show_default=True,
    help="Run directory, or its model/ folder.",
)
@click.option(
    "--input",
    "input_file",
    type=click.Path(path_type=Path, exists=True, dir_okay=False, allow_dash=True),
    help="File with a text in each row, or - for stdin: one answer a row, in order.",
)
@click.option(
    "--input-format",
    type=click.Choice(["auto", "lines", "csv", "tsv", "jsonl", "parquet", "fasttext"]),
    default="auto",
    show_default=True,
    help="Of --input; auto goes by the file's name, and takes stdin for lines.",
)
@click.option(
    "--text-column", multiple=True, help="Column that holds the text; give it again to join several, in order."
)
@click.option("--label-column", help="Column with a label to compare the answers with.")
@click.option("--id-column", help="Column that names a row, for the answer to have it, too.")
@click.option("--strict", is_flag=True, help="Stop at the first row that cannot be read.")
@click.option(
    "--top-k",
    type=click.IntRange(min=1),
    help="Labels for each text, the most probable first. [default: 1]",
)
@click.option(
    "--reject-below",
    type=click.FloatRange(0, 1),
    help="Give no label that is less probable than this.",
)
@click.option(
    "--explain",
    is_flag=True,
    help="Show what each word adds to the margin of the label (its logit less the mean of all others).",
)
@click.option(
    "--target-precision",
    type=click.FloatRange(0, 1),
    help="Give labels of which this share is right, as validation has shown, and none to texts unlike the corpus.",
)
@click.option(
    "--num-workers",
    type=click.IntRange(min=1),
    help="Processes that predict where there are many texts. [default: one per processor]",
)
@click.option(
    "--format",
    "layout",
    type=click.Choice(["text", "json", "jsonl", "csv", "parquet", "fasttext"]),
    default="text",
    show_default=True,
)
@click.option(
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    help="File to write the answers to, instead of stdout; it appears when it is complete.",
)
@click.pass_context
def command(
    context: click.Context,
    texts: tuple[str, ...],
    *,
    run: Path,
    input_file: Path | None,
    input_format: str,
    text_column: tuple[str, ...],
    label_column: str | None,
    id_column: str | None,
    strict: bool,
    top_k: int | None,
    explain: bool,
    reject_below: float | None,
    target_precision: float | None,
    num_workers: int | None,
    layout: str,
    output: Path | None,
) -> None:
    """Say which label a text has.

    Each TEXT gets one answer; `-` stands for the lines of stdin, each of them a text. In the text format an answer is
    the label, or with --top-k tab-separated labels and probabilities.

    Each row of --input gets one answer, too. A row that cannot be read has its error in place of a label (an empty line
    in the formats text and fasttext), and is counted on stderr; where there is a column of labels, stderr also gets
    the score. CSV is written as it is: a label that begins with one of = + - @ is a formula to a spreadsheet.

    \b
    Examples:
      textclf predict "Shares fell after the bank cut its forecast"
      textclf predict --top-k 3 --format json "The band will play at the festival"
      cat headlines.txt | textclf predict -
      textclf predict --explain "Shares fell after the bank cut its forecast"
      textclf predict --input reviews.csv --id-column id --format csv --output labels.csv
      textclf predict --input reviews.csv --target-precision 0.95 --format jsonl
      textclf predict --input cooking.test --format fasttext --top-k 1
    """
    if not texts and input_file is None:
        raise UsageError('nothing to predict: give a text, "-" for the lines of stdin, or --input FILE')
    if explain and layout not in EXPLAINED:
        raise UsageError(f"--explain does not fit into {layout}; use --format jsonl")
    if explain and output is not None:
        raise UsageError("--explain writes to stdout; leave out --output")
    _check_files(layout, input_file, output)
    model = runs.model_dir(run)
    startup.one_thread()
    with startup.loading_to_stay():
        from textclf.inference import classifier, outputs, parallel  # after what may be wrong: they import numpy

        trained = classifier.load_model(model)
    rows = _rows_of_texts(texts)
    if input_file is not None:
        from textclf.sources.columns import Columns

        columns = Columns(text_column, label_column, id_column)
        rows = chain(rows, _rows_of_input(input_file, input_format, columns, strict=strict))
    if explain:
        from textclf.cli import explanation

        explanation.write(trained, _texts(rows), top_k=top_k or 1, layout=layout)
        return
    shape = outputs.Shape(
        top=min(top_k or 1, len(trained.labels)),
        probabilities=top_k is not None,
        ids=id_column is not None,
        rejects=reject_below is not None or target_precision is not None,
        details=input_file is not None,
    )
    predict = partial(
        parallel.predict,
        trained,
        model,
        top_k=shape.top,
        num_workers=num_workers or startup.processors(),
        patience=0 if _is_much(input_file, parallel.MUCH) else parallel.PATIENCE,
    )
    tally = outputs.Tally()
    least = max(reject_below or 0, trained.trained.abstention.threshold(target_precision) if target_precision else 0)
    rejects = partial(_rejects, least=least, unlike=target_precision is not None)
    try:
        with closing(outputs.answer(rows, predict, rejects=rejects)) as batches:  # and the other processes with it
            _write(tally.watch(_shown(batches)), shape, layout, output)
    except BrokenPipeError:
        _forget_stdout()
        context.exit(CLOSED)
    except ResourceError:
        if output is None:
            _forget_stdout()
        raise
    _conclude(tally, shape)


def _forget_stdout() -> None:
    """Let Python's last flush at the end of the program go nowhere, instead of failing once more."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _check_files(layout: str, input_file: Path | None, output: Path | None) -> None:
    """Raise UsageError for an output that cannot be."""
    if output is None:
        if layout == "parquet":
            raise UsageError("Parquet goes to a file: add --output FILE")
        return
    if not output.parent.is_dir():
        raise UsageError(f"no such folder: {output.parent}")
    if output.exists() and not output.is_file():  # it would be replaced, not written to
        raise UsageError(f"{output} is not a file but a pipe or a device: leave out --output and write to it with >")
    if input_file is not None and output.exists() and input_file.exists() and output.samefile(input_file):
        raise UsageError(f"{output} is the input, too: name another --output")


def _is_much(path: Path | None, much: int) -> bool:
    return path is not None and path.is_file() and path.stat().st_size >= much


# Rows


def _rows_of_texts(texts: tuple[str, ...]) -> Iterator["Row"]:
    """The texts of the command line; raises DataError at a line of stdin that is no text."""
    from textclf.sources.lines import Row, lines, plain

    number = 0
    for text in texts:
        for row in plain(lines(sys.stdin.buffer, "stdin")) if text == "-" else [Row(text)]:
            number += 1
            if row.error:
                raise DataError(row.error)
            if not row.text or row.text.isspace():
                click.echo(
                    f"textclf: text {number} is empty; its answer is what the model says when it sees nothing", err=True
                )
            yield row


def _texts(rows: Iterable["Row"]) -> Iterator[str]:
    """The texts of rows that must be some; raises DataError at one that is not."""
    for row in rows:
        if row.error:
            raise DataError(row.error)
        yield row.text


def _rows_of_input(path: Path, kind: str, columns: "Columns", *, strict: bool) -> Iterator["Row"]:
    from textclf.sources import rows

    for row in rows.read(path, kind=kind, columns=columns, tell=_tell):
        if row.error and strict:
            raise DataError(row.error)
        yield row


def _tell(said: str) -> None:
    click.echo(f"textclf: {said}", err=True)


# Answers


def _rejects(prediction: "Prediction", *, least: float, unlike: bool) -> bool:
    return prediction.probability < least or (unlike and prediction.unlike)


def _shown(batches: Iterable[list["Answer"]]) -> Iterator[list["Answer"]]:
    """Pass answers through and count them on a terminal."""
    if not sys.stderr.isatty():  # where nothing is shown, what shows it need not be loaded
        yield from batches
        return
    from textclf.cli import display

    with display.bar(unit=" rows", unit_scale=True, delay=1) as shown:
        for batch in batches:
            yield batch
            shown.update(len(batch))


def _write(batches: Iterator[list["Answer"]], shape: "Shape", layout: str, output: Path | None) -> None:
    """Write answers to stdout, or to a file that is whole or absent."""
    from textclf.inference import outputs

    if output is None:
        with files.naming_full_disk(Path("stdout")):
            outputs.LINES[layout](batches, sys.stdout, shape)
        return
    with files.replacing(output.resolve()) as temporary:  # a link stays one
        if layout == "parquet":
            outputs.write_parquet(batches, temporary, shape)
            return
        with temporary.open("w", encoding="utf-8", newline="") as file:
            outputs.LINES[layout](batches, file, shape)


def _conclude(tally: "Tally", shape: "Shape") -> None:
    """Say on stderr what the answers add up to."""
    if tally.errors:
        _tell(
            f"{tally.errors:,} of {tally.rows:,} rows could not be read, the first: {_short(tally.first_error or '')}"
        )
    if shape.rejects:
        answered = tally.rows - tally.errors - tally.rejected
        _tell(f"{answered:,} of {tally.rows:,} rows have an answer ({answered / max(tally.rows, 1):.2%})")
    if score := tally.score():
        _tell(score)


def _short(message: str) -> str:
    return " ".join(message.split())[:MOST_SHOWN]
