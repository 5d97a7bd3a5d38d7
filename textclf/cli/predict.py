"""`textclf predict`."""

import json
import sys
from collections.abc import Iterable, Iterator
from functools import partial
from itertools import chain
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final

import click

from textclf import machine, runs
from textclf.errors import DataError, UsageError

if TYPE_CHECKING:
    from textclf.inference.classifier import Prediction


LONGEST: Final = 10_000_000
"""Bytes of one line; more is a file of another kind, and would fill the memory before anyone noticed."""


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
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="File with one text a line.",
)
@click.option(
    "--top-k",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Labels for each text, the most probable first.",
)
@click.option(
    "--explain",
    is_flag=True,
    help="Show what each word adds to the margin of the label (its logit less the mean of all others).",
)
@click.option(
    "--num-workers",
    type=click.IntRange(min=1),
    help="Processes that predict where there are many texts. [default: one per processor]",
)
@click.option(
    "--format", "layout", type=click.Choice(["text", "json", "jsonl", "csv"]), default="text", show_default=True
)
def command(
    texts: tuple[str, ...],
    *,
    run: Path,
    input_file: Path | None,
    top_k: int,
    explain: bool,
    num_workers: int | None,
    layout: str,
) -> None:
    """Say which label a text has.

    Each TEXT gets one answer; `-` stands for the lines of stdin, each of them a text. In the text format an answer is
    the label, or with --top-k tab-separated labels and probabilities.

    \b
    Examples:
      textclf predict "Shares fell after the bank cut its forecast"
      textclf predict --top-k 3 --format json "The band will play at the festival"
      cat headlines.txt | textclf predict -
      textclf predict --explain "Shares fell after the bank cut its forecast"
    """
    if not texts and input_file is None:
        raise UsageError('nothing to predict: give a text, "-" for the lines of stdin, or --input FILE')
    if explain and layout == "csv":
        raise UsageError("--explain does not fit into csv; use --format jsonl")
    model = runs.model_dir(run)
    machine.one_thread()
    with machine.loading_to_stay():
        from textclf.inference import classifier, parallel  # after what may be wrong: they import numpy

        trained = classifier.load_model(model)
    given = chain.from_iterable(_lines(sys.stdin.buffer, "stdin") if text == "-" else [text] for text in texts)
    if input_file is not None:
        given = chain(given, _file_lines(input_file))
    if explain:
        from textclf.cli import explanation

        explanation.write(trained, _warn_if_empty(given), top_k=top_k, layout=layout)
        return
    workers = num_workers or machine.processors()
    is_much = input_file is not None and input_file.stat().st_size >= parallel.MUCH
    batches = parallel.predict(
        trained,
        model,
        _warn_if_empty(given),
        top_k=top_k,
        num_workers=workers,
        patience=0 if is_much else parallel.PATIENCE,
    )
    WRITERS[layout](batches)


def _file_lines(path: Path) -> Iterator[str]:
    try:
        with path.open("rb") as file:
            yield from _lines(file, str(path))
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}") from error


def _lines(stream: IO[bytes], name: str) -> Iterator[str]:
    """Texts of a stream, one a line; raises DataError at a line that is not UTF-8 or has no end."""
    for number, line in enumerate(iter(partial(stream.readline, LONGEST), b""), start=1):
        if len(line) == LONGEST:
            raise DataError(f"{name}, line {number}: longer than {LONGEST:,} bytes")
        try:
            yield line.decode("utf-8-sig" if number == 1 else "utf-8").rstrip("\r\n")
        except UnicodeDecodeError as error:
            raise DataError(f"{name}, line {number}: not UTF-8 ({error.reason}); convert it: iconv -t utf-8") from error


def _warn_if_empty(texts: Iterable[str]) -> Iterator[str]:
    for number, text in enumerate(texts, start=1):
        if not text or text.isspace():
            click.echo(
                f"textclf: text {number} is empty; its answer is what the model says when it sees nothing", err=True
            )
        yield text


def _write_text(batches: Iterable[list["Prediction"]]) -> None:
    for batch in batches:
        click.echo("\n".join(map(_line, batch)))  # at once: a line at a time takes as long as predicting


def _line(prediction: "Prediction") -> str:
    if len(prediction.top) == 1:
        return prediction.label
    return "\t".join(f"{label}\t{probability:.4f}" for label, probability in prediction.top)


def _write_json(batches: Iterable[list["Prediction"]]) -> None:
    records = [_record(prediction) for batch in batches for prediction in batch]
    click.echo(json.dumps(records, ensure_ascii=False, indent=2))


def _write_jsonl(batches: Iterable[list["Prediction"]]) -> None:
    for batch in batches:
        click.echo("\n".join(json.dumps(_record(prediction), ensure_ascii=False) for prediction in batch))


def _write_csv(batches: Iterable[list["Prediction"]]) -> None:
    import csv

    writer = csv.writer(sys.stdout, lineterminator="\n")
    for number, batch in enumerate(batches):
        if number == 0:
            columns = [
                ("label", "probability"),
                *((f"label_{place}", f"probability_{place}") for place in range(2, len(batch[0].top) + 1)),
            ]
            writer.writerow(chain.from_iterable(columns))
        writer.writerows(
            chain.from_iterable((label, f"{probability:.6f}") for label, probability in prediction.top)
            for prediction in batch
        )
        sys.stdout.flush()


def _record(prediction: "Prediction") -> dict[str, object]:
    return {**prediction._asdict(), "top": [score._asdict() for score in prediction.top]}


WRITERS = {"text": _write_text, "json": _write_json, "jsonl": _write_jsonl, "csv": _write_csv}
