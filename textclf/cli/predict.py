"""`textclf predict`."""

import csv
import json
import sys
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import click

from textclf import runs
from textclf.errors import DataError, UsageError

if TYPE_CHECKING:
    from textclf.inference.classifier import Prediction


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
    "--format", "layout", type=click.Choice(["text", "json", "jsonl", "csv"]), default="text", show_default=True
)
def command(texts: tuple[str, ...], run: Path, input_file: Path | None, top_k: int, layout: str) -> None:
    """Say which label a text has.

    Each TEXT gets one answer; `-` stands for the lines of stdin, each of them a text. In the text format an answer is
    the label, or with --top-k tab-separated labels and probabilities.

    \b
    Examples:
      textclf predict "Shares fell after the bank cut its forecast"
      textclf predict --top-k 3 --format json "The band will play at the festival"
      cat headlines.txt | textclf predict -
    """
    if not texts and input_file is None:
        raise UsageError('nothing to predict: give a text, "-" for the lines of stdin, or --input FILE')
    model = runs.model_dir(run)
    from textclf.inference.classifier import load_model  # after what may be wrong: it imports numpy

    classifier = load_model(model)
    given = chain.from_iterable(_lines(sys.stdin.buffer, "stdin") if text == "-" else [text] for text in texts)
    if input_file is not None:
        given = chain(given, _file_lines(input_file))
    WRITERS[layout](classifier.stream(_warn_if_empty(given), top_k=top_k))


def _file_lines(path: Path) -> Iterator[str]:
    with path.open("rb") as file:
        yield from _lines(file, str(path))


def _lines(stream: Iterable[bytes], name: str) -> Iterator[str]:
    """Texts of a stream, one a line; raises DataError at a line that is not UTF-8."""
    for number, line in enumerate(stream, start=1):
        try:
            yield line.decode("utf-8-sig" if number == 1 else "utf-8").rstrip("\r\n")
        except UnicodeDecodeError as error:
            raise DataError(f"{name}, line {number}: not UTF-8 ({error.reason}); convert it: iconv -t utf-8") from error


def _warn_if_empty(texts: Iterable[str]) -> Iterator[str]:
    for number, text in enumerate(texts, start=1):
        if not text.strip():
            click.echo(
                f"textclf: text {number} is empty; its answer is what the model says when it sees nothing", err=True
            )
        yield text


def _write_text(predictions: Iterable["Prediction"]) -> None:
    for prediction in predictions:
        scores = prediction.top
        click.echo(
            scores[0].label
            if len(scores) == 1
            else "\t".join(f"{label}\t{probability:.4f}" for label, probability in scores)
        )


def _write_json(predictions: Iterable["Prediction"]) -> None:
    click.echo(json.dumps([_record(prediction) for prediction in predictions], ensure_ascii=False, indent=2))


def _write_jsonl(predictions: Iterable["Prediction"]) -> None:
    for prediction in predictions:
        click.echo(json.dumps(_record(prediction), ensure_ascii=False))


def _write_csv(predictions: Iterable["Prediction"]) -> None:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    for number, prediction in enumerate(predictions):
        if number == 0:
            columns = [
                ("label", "probability"),
                *((f"label_{place}", f"probability_{place}") for place in range(2, len(prediction.top) + 1)),
            ]
            writer.writerow(chain.from_iterable(columns))
        writer.writerow(chain.from_iterable((label, f"{probability:.6f}") for label, probability in prediction.top))


def _record(prediction: "Prediction") -> dict[str, object]:
    return {**prediction._asdict(), "top": [score._asdict() for score in prediction.top]}


WRITERS = {"text": _write_text, "json": _write_json, "jsonl": _write_jsonl, "csv": _write_csv}
