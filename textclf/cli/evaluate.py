"""`textclf evaluate`."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from textclf.cli import options
from textclf.cli.display import span, table

if TYPE_CHECKING:
    from textclf.evaluation.abstention import Point
    from textclf.evaluation.evaluate import Evaluation

MOST_COLUMNS = 12
"""Classes up to which the text shows the confusion matrix; of more, it lists the most frequent confusions."""
MOST_CONFUSIONS = 15
LEAST_COVERAGE = 0.5
"""From which the text shows the curve, in tenths; JSON has all of it."""


@click.command("evaluate")
@options.run
@options.split
@options.text_or_json
def command(run: Path, split: str, layout: str) -> None:
    """Score a run's model on the validation or test split of its data.

    Intervals are 95 % bootstrap intervals over documents. The baseline always gives the most frequent label. The
    calibration error is the mean distance between how sure the model is and how often it is right. Coverage is the
    share of the documents that have an answer where only those from a probability on are given, precision the share of
    these answers that are right.

    \b
    Examples:
      textclf evaluate
      textclf evaluate --run runs/latest --split validation --format json
    """
    from textclf.evaluation.evaluate import evaluate

    evaluation = evaluate(run, split=split)
    click.echo(_json(evaluation) if layout == "json" else _text(evaluation))


def _json(evaluation: "Evaluation") -> str:
    counts = evaluation.confusion
    values: dict[str, Any] = {
        **asdict(evaluation),
        "metrics": evaluation.metrics._asdict(),
        "baseline": evaluation.baseline._asdict(),
        "thresholds": _as_objects(evaluation.thresholds),
        "curve": [point._asdict() for point in evaluation.curve],
        "confusion": {
            "labels": [row["label"] for row in evaluation.classes],
            "counts": counts,
            "normalised": [[count / max(sum(row), 1) for count in row] for row in counts],
        },
    }
    return json.dumps(values, indent=2, ensure_ascii=False)


def _text(evaluation: "Evaluation") -> str:
    metrics, baseline, calibration = evaluation.metrics, evaluation.baseline, evaluation.calibration
    intervals = evaluation.intervals
    lines = [
        f"{evaluation.run}, {evaluation.split} split of {evaluation.corpus}: {metrics.documents:,} documents",
        *(["note: the model was trained on these documents, too; see --split test"] if evaluation.seen else []),
        "",
        table(
            ("", "", "95 % interval", "baseline"),
            [
                ("accuracy", f"{metrics.accuracy:.4f}", span(intervals["accuracy"]), f"{baseline.accuracy:.4f}"),
                ("macro-F1", f"{metrics.macro_f1:.4f}", span(intervals["macro_f1"]), f"{baseline.macro_f1:.4f}"),
                ("micro-F1", f"{metrics.micro_f1:.4f}", "", ""),
                ("weighted F1", f"{metrics.weighted_f1:.4f}", "", ""),
            ],
            align="<>>>",
        ),
        f"baseline: always {baseline.label!r}, the most frequent label in training",
        "",
        table(
            ("calibration", "before", "after"),
            [
                ("expected calibration error", f"{calibration.error_before:.4f}", f"{calibration.error:.4f}"),
                ("loss", f"{calibration.loss_before:.4f}", f"{calibration.loss:.4f}"),
            ],
            align="<>>",
        ),
        f"after: logits divided by {calibration.temperature:.3f}, which was fitted on validation",
        "",
        table(
            ("label", "precision", "recall", "F1", "documents"),
            [
                (row["label"], *(f"{row[name]:.4f}" for name in ("precision", "recall", "f1")), f"{row['documents']:,}")
                for row in evaluation.classes
            ],
            align="<>>>>",
        ),
        "",
        *_abstention(evaluation),
        "",
        _confusion(evaluation),
    ]
    return "\n".join(lines)


def _as_objects(thresholds: "dict[str, Point] | None") -> dict[str, dict[str, Any]] | None:
    if thresholds is None:
        return None
    return {precision: point._asdict() for precision, point in thresholds.items()}


def _abstention(evaluation: "Evaluation") -> list[str]:
    """What comes of giving only the surer answers: for each precision that was aimed at, and for fewer and fewer."""
    aimed = evaluation.thresholds or {}
    rows = [(f"--target-precision {precision}", *_cells(point)) for precision, point in aimed.items()]
    rows += [("", *_cells(point)) for point in evaluation.curve[::-2] if point.coverage >= LEAST_COVERAGE]
    return [
        table(("answers given", "probability", "coverage", "precision"), rows, align="<>>>"),
        f"{evaluation.unlike:.2%} of the documents are unlike the corpus: they have more unknown words than others",
        *(["this model has no thresholds; train it again to have them"] if evaluation.thresholds is None else []),
    ]


def _cells(point: "Point") -> tuple[str, str, str]:
    precision = "" if point.precision is None else f"{point.precision:.4f}"
    return (f"from {point.threshold:.4f}", f"{point.coverage:.2%}", precision)


def _confusion(evaluation: "Evaluation") -> str:
    """The confusion matrix, or of many classes the pairs that are confused most."""
    labels = [row["label"] for row in evaluation.classes]
    counts = evaluation.confusion
    if len(labels) <= MOST_COLUMNS:
        head = ("label \\ answer", *(str(number) for number in range(1, len(labels) + 1)))
        rows = [
            (f"{number} {label}", *(f"{count:,}" for count in row))
            for number, (label, row) in enumerate(zip(labels, counts, strict=True), start=1)
        ]
        return table(head, rows, align="<" + ">" * len(labels))
    pairs = [(count, labels[row], labels[column]) for (row, column), count in _off_diagonal(counts) if count]
    pairs.sort(key=lambda pair: -pair[0])
    rows = [(f"{count:,}", label, answer) for count, label, answer in pairs[:MOST_CONFUSIONS]]
    return table(("documents", "of", "taken for"), rows, align="><<")


def _off_diagonal(counts: list[list[int]]) -> list[tuple[tuple[int, int], int]]:
    return [
        ((row, column), count)
        for row, of_row in enumerate(counts)
        for column, count in enumerate(of_row)
        if row != column
    ]
