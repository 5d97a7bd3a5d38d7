"""`textclf predict`."""

from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from textclf.cli import commands, options, terminal, values
from textclf.cli.terminal import Volume
from textclf.errors import TextclfError
from textclf.inference import job, parts
from textclf.system.signals import stopping
from textclf.system.wording import counted

if TYPE_CHECKING:
    from tqdm import tqdm

    from textclf.sources import Columns


@commands.command("predict")
@click.argument("texts", nargs=-1, metavar="[TEXT|-]...")
@options.run
@options.code
@options.inputs("Each row gets one answer, in order.")
@options.of_rows
@options.id_column(", to copy into the answer.")
@click.option(
    "--keep-columns",
    is_flag=True,
    help="Copy all columns of the files before the answers.",
)
@click.option("--strict", is_flag=True, help="Exit with 3 at the first row that cannot be read.")
@click.option(
    "--top-k",
    type=values.COUNT,
    help="Number of labels per text, the most probable first; of several labels, at most so many. [default: 1, or all]",
)
@click.option(
    "--threshold",
    type=values.SHARE,
    help="Where a text may have several labels, give those that are at least this probable. [default: as learned]",
)
@click.option(
    "--reject-below",
    type=values.SHARE,
    help="Give no label that is less probable than this.",
)
@click.option(
    "--explain",
    is_flag=True,
    help="Show how much each word adds to the margin of the label: its logit minus the mean of all others.",
)
@click.option(
    "--target-precision",
    type=values.SHARE,
    help="Give only labels of which this share is right on validation documents; none to texts unlike the corpus.",
)
@options.num_workers(values.COUNT, "predict many texts. [default: one per processor]")
@click.option(
    "--format",
    "layout",
    type=click.Choice(["text", "json", "jsonl", "csv", "spreadsheet", "parquet", "fasttext"]),
    default="text",
    show_default=True,
    help="Format of what is printed or written.",
)
@click.option(
    "--output",
    type=click.Path(),
    metavar="PATH",
    help="Where to write the answers, instead of stdout: a file, which appears when it is complete, or a folder (its "
    "name ends in /, or it is there), which gets such a file for each file of --input.",
)
@options.engine("a file of --input per task")
def command(run: Path, code: tuple[Path, ...], engine: str, ray_address: str | None, **given: Any) -> None:
    """Predict the label of each text.

    Each TEXT gets one answer; `-` stands for the lines of stdin, one text per line. In the text format an answer is the
    label, or with --top-k labels and probabilities separated by tabs.

    Each row of --input gets one answer. A row that cannot be read gets its error instead of a label (an empty line in
    the formats text and fasttext), and stderr gets the number of such rows. With a column of labels, stderr also gets
    the accuracy. CSV has labels and ids as they are, and a spreadsheet takes those that begin with = + - or @ for
    formulas; --format spreadsheet is CSV with an apostrophe before them. An id keeps the name of its column. With
    --keep-columns, the label is in predicted_label, and so is each other field of the answer whose name the file has.
    JSON lines are copied to JSON lines or JSON, other files to tables, too; Parquet keeps its types.

    With --output FOLDER/, files whose answers are in the folder already, by the same model and options, are skipped.
    --engine ray predicts such files on all nodes of a Ray cluster, which must share the folders.

    \b
    Examples:
      textclf predict "Shares fell after the bank cut its forecast"
      textclf predict --top-k 3 --format json "The band will play at the festival"
      textclf predict --input reviews.csv --id-column id --format csv > labels.csv
      textclf predict --input 'data/*.csv' --keep-columns --format csv \\
          --output labelled.csv
      textclf predict --input reviews.csv --target-precision 0.95 --format jsonl
      textclf predict --input 'part-*.parquet' --format parquet --output labels/
    """
    asked = job.Job.create(**given)
    files = job.check(asked)
    if engine != "local":
        parts.check(asked, files)
    model = options.model_of(run)
    from textclf.inference.classifier import load_model  # after the checks: numpy takes 0.1 s

    classifier = load_model(model, code=code)
    options.note_torch(classifier.trained)
    if terminal.says(Volume.VERBOSE):
        _tell_columns(asked, files, known=classifier.trained.columns)
    with (
        stopping("the same command resumes" if asked.has_parts else ""),
        options.cluster(engine, ray_address, most=asked.num_workers) as cluster,
        _progress(files) as progress,
    ):
        if cluster is None:
            job.run(asked, files, classifier, model, warn=terminal.message, progress=progress)
            return
        tell = terminal.message
        parts.run(asked, files, classifier, model, code=code, cluster=cluster, warn=tell, progress=progress)


def _tell_columns(asked: job.Job, files: Iterable[Path], *, known: "Columns") -> None:
    """Say how each file is read; what cannot be found out now, reading it will say."""
    from textclf import sources
    from textclf.cli.display import show_columns

    for path in files:
        with suppress(TextclfError, OSError):
            kind, columns = sources.described(
                path, kind=asked.input_format, columns=asked.columns, known=known, part=asked.part
            )
            terminal.detail(f"reading {path} as {kind}; {show_columns(columns) or 'no columns'}")


@contextmanager
def _progress(files: Collection[Path]) -> Iterator[job.Progress]:
    """Progress on a terminal: the share of the files that is read and the time left, or the rows alone of a pipe."""
    if not terminal.shows_progress():  # then tqdm need not be imported
        yield job.NOT_SHOWN
        return
    from textclf.cli import display

    if files and all(file.is_file() for file in files):
        size = sum(file.stat().st_size for file in files)
        with display.bar(total=size, unit="B", unit_scale=True, delay=1) as shown:
            yield _OfFiles(shown)
    else:
        with display.bar(unit=" rows", unit_scale=True, delay=1) as shown:
            yield _OfRows(shown)


class _OfRows(job.Progress):
    """A bar of rows, whose number is not known."""

    def __init__(self, shown: "tqdm[Any]") -> None:
        self._shown = shown

    def answered(self, rows: int) -> None:
        self._shown.update(rows)


class _OfFiles(job.Progress):
    """A bar of bytes, with the number of rows after it."""

    def __init__(self, shown: "tqdm[Any]") -> None:
        self._shown, self._rows = shown, 0

    def read(self, size: int) -> None:
        self._shown.update(size)

    def answered(self, rows: int) -> None:
        self._rows += rows
        self._shown.set_postfix_str(counted(self._rows, "row"), refresh=False)
