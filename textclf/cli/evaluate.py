"""`textclf evaluate`."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from textclf.cli.display import table

if TYPE_CHECKING:
    from textclf.evaluation.evaluate import Evaluation


@click.command("evaluate")
@click.option(
    "--run", type=click.Path(path_type=Path), default=Path("runs/latest"), show_default=True, help="Run directory."
)
@click.option("--split", type=click.Choice(["validation", "test"]), default="test", show_default=True)
@click.option("--format", "layout", type=click.Choice(["text", "json"]), default="text", show_default=True)
def command(run: Path, split: str, layout: str) -> None:
    """Score a run's model on the validation or test split of its data.

    \b
    Examples:
      textclf evaluate
      textclf evaluate --run runs/latest --split validation --format json
    """
    from textclf.evaluation.evaluate import evaluate

    evaluation = evaluate(run, split=split)
    click.echo(_json(evaluation) if layout == "json" else _text(evaluation))


def _json(evaluation: "Evaluation") -> str:
    return json.dumps({**asdict(evaluation), "metrics": evaluation.metrics._asdict()}, indent=2, ensure_ascii=False)


def _text(evaluation: "Evaluation") -> str:
    metrics = evaluation.metrics
    head = (
        f"{evaluation.run}, {evaluation.split} split of {evaluation.corpus}: {metrics.documents:,} documents\n"
        f"accuracy {metrics.accuracy:.4f}   macro-F1 {metrics.macro_f1:.4f}   loss {metrics.loss:.4f}\n\n"
    )
    rows = [
        (row["label"], f"{row['precision']:.4f}", f"{row['recall']:.4f}", f"{row['f1']:.4f}", f"{row['documents']:,}")
        for row in evaluation.classes
    ]
    return head + table(("label", "precision", "recall", "F1", "documents"), rows, align="<>>>>")
