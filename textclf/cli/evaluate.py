"""`textclf evaluate`."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import click

from textclf.cli import commands, labelled_files, options, terminal, values
from textclf.cli.display import span, table
from textclf.errors import UsageError
from textclf.evaluation.gate import Bound
from textclf.system import escaping
from textclf.system.wording import counted

if TYPE_CHECKING:
    from textclf.evaluation.calibration import Point
    from textclf.evaluation.evaluate import Evaluation
    from textclf.evaluation.metrics import Interval
    from textclf.experiments.compare import Side

MOST_COLUMNS: Final = 12
"""Classes up to which the text shows the confusion matrix; with more classes, it lists the most frequent confusions."""
MOST_CONFUSIONS: Final = 15
FIGURES: Final = (
    ("accuracy", "accuracy"),
    ("macro-F1", "macro_f1"),
    ("micro-F1", "micro_f1"),
    ("weighted F1", "weighted_f1"),
)
FIGURES_OF_SEVERAL: Final = (
    ("micro-F1", "micro_f1"),
    ("macro-F1", "macro_f1"),
    ("weighted F1", "weighted_f1"),
    ("F1 per document", "document_f1"),
    ("precision", "micro_precision"),
    ("recall", "micro_recall"),
    ("all labels right", "accuracy"),
    ("Hamming loss", "hamming_loss"),
    ("precision at 1", "precision_at_1"),
    ("precision at 3", "precision_at_3"),
    ("precision at 5", "precision_at_5"),
    ("recall at 5", "recall_at_5"),
    ("nDCG at 5", "ndcg_at_5"),
    ("ranking precision", "ranking_average_precision"),
)
"""Names for people, and fields of the metrics."""
COLUMNS: Final = {"precision": "precision", "recall": "recall", "F1": "f1"}
COLUMNS_OF_SEVERAL: Final = {**COLUMNS, "threshold": "threshold", "average precision": "average_precision"}
"""Columns of the table of labels, and the figures in them."""
LEAST_COVERAGE: Final = 0.5
"""The text shows the curve above this coverage, in tenths; JSON has all of it."""


@commands.command("evaluate")
@options.run
@options.code
@options.split()
@options.inputs("Their labels are compared with the answers, in place of those of a split.")
@options.of_rows
@click.option("--strict", is_flag=True, help="Exit with 3 at the first row that cannot be scored.")
@click.option(
    "--min",
    "least",
    multiple=True,
    metavar="FIGURE=VALUE",
    help="Exit with 7 if a figure is lower, such as accuracy=0.9 or macro_f1=0.8; repeatable.",
)
@click.option("--baseline", type=values.RUN, help="Run, or model folder, to compare with on the same documents.")
@click.option(
    "--max-drop",
    type=values.POINTS,
    help="Maximum loss of accuracy in percentage points, or of micro-F1 of several labels, against --baseline; if "
    "more is lost, the exit code is 7.",
)
@options.text_or_json
def command(
    run: Path,
    code: tuple[Path, ...],
    *,
    split: str,
    inputs: tuple[str, ...],
    least: tuple[str, ...],
    baseline: Path | None,
    max_drop: float | None,
    layout: str,
    **reading: Any,
) -> None:
    """Score a run on a split of its data, or on labelled files.

    --input takes files in every format of textclf predict, with a label for each row. It needs no data directory, so
    that a copied model/ folder is enough. Rows without a text or a label are left out and counted on stderr.

    Intervals are 95 % bootstrap intervals over documents. The baseline always gives the most frequent label. The
    calibration error is the mean difference between the probability of an answer and the share of right answers. If
    only answers above a probability are given, coverage is the share of documents with an answer, and precision the
    share of right ones among these answers.

    \b
    Examples:
      textclf evaluate
      textclf evaluate --run runs/latest --split validation --format json
      textclf evaluate --run model/ --input reviews.csv --text-column body \\
          --label-column stars
      textclf evaluate --input reviews.csv --min accuracy=0.9 --min macro_f1=0.8
      textclf evaluate --input reviews.csv --baseline runs/OLD --max-drop 0.5
    """
    labelled_files.refuse_mixture(reading, has_files=bool(inputs))
    bounds = [Bound.parse(bound) for bound in least]
    if (baseline is None) != (max_drop is None):
        raise UsageError("--baseline RUN and --max-drop POINTS belong together")

    def scored(which: Path) -> _Scored:
        return _of_files(which, code, inputs, reading) if inputs else _of_split(which, code, split)

    found = scored(run)
    terminal.result(_json(found.evaluation) if layout == "json" else _text(found.evaluation))
    if baseline is not None and max_drop is not None:
        _refuse_drop(found, scored(baseline), most=max_drop)
    _hold(found, bounds)


class _Scored(NamedTuple):
    """An evaluation, and the same documents for a comparison with another model."""

    evaluation: "Evaluation"
    side: "Side"


def _of_split(run: Path, code: tuple[Path, ...], split: str) -> _Scored:
    from textclf.evaluation.evaluate import score
    from textclf.evaluation.predictions import predict
    from textclf.experiments.compare import Side

    found = predict(options.resolved(run), split=split, code=code)
    options.note_torch(found.trained)
    return _Scored(score(found), Side.of_split(found))


def _of_files(run: Path, code: tuple[Path, ...], inputs: tuple[str, ...], reading: Mapping[str, Any]) -> _Scored:
    on = labelled_files.predict_files(run, code, inputs, reading)
    from textclf.evaluation.evaluate import score_files
    from textclf.experiments.compare import Side

    side = Side.of_files(on.found, on.trained, run=on.run)
    return _Scored(score_files(on.found, on.trained, run=on.run, files=on.files), side)


def _hold(scored: _Scored, bounds: Sequence["Bound"]) -> None:
    """Raise QualityError if a figure is too low, in a line that says where."""
    from textclf.evaluation import gate

    evaluation = scored.evaluation
    figures = {name: value for name, value in evaluation.metrics._asdict().items() if name != "documents"}
    gate.hold(bounds, {name: value for name, value in figures.items() if "loss" not in name}, evaluation.intervals)


def _refuse_drop(scored: _Scored, other: _Scored, *, most: float) -> None:
    """Raise QualityError if the model has lost more than this many points against another, on the same documents."""
    from textclf.evaluation import gate
    from textclf.experiments.compare import compare_sides

    found = compare_sides(other.side, scored.side, where="")
    name = "micro_f1" if scored.side.outcome.trained.is_multi else "accuracy"
    gate.refuse_drop(name, -100 * found.micro_f1, found.micro_f1_interval, most=most, baseline=other.side.run)


def _json(evaluation: "Evaluation") -> str:
    counts = evaluation.confusion
    values: dict[str, Any] = {
        **asdict(evaluation),
        "metrics": evaluation.metrics._asdict(),
        "intervals": {name: None if isnan(ends[0]) else ends for name, ends in evaluation.intervals.items()},
        "baseline": evaluation.baseline._asdict(),
        "thresholds": {name: p._asdict() for name, p in evaluation.thresholds.items()},
        "curve": [point._asdict() for point in evaluation.curve],
        "confusion": {
            "labels": [row["label"] for row in evaluation.classes],
            "counts": counts,
            "normalised": [[count / max(sum(row), 1) for count in row] for row in counts],
        },
    }
    return escaping.to_json(values, indent=2)


def _text(evaluation: "Evaluation") -> str:
    metrics = evaluation.metrics
    documents = ", ".join(evaluation.files) or f"{evaluation.split} split of {evaluation.corpus}"
    where = escaping.line(f"{evaluation.run}, {documents}")
    head = f"{where}: {counted(metrics.documents, 'document')}"
    note = "\nnote: the model was also trained on these documents; see --split test" if evaluation.seen else ""
    parts = (_scores, _calibration, _classes, _abstention, *(() if evaluation.is_multi else (_confusion,)))
    return "\n\n".join([head + note, *(part(evaluation) for part in parts)])


def _scores(evaluation: "Evaluation") -> str:
    metrics, intervals, baseline = evaluation.metrics, evaluation.intervals, evaluation.baseline
    several = evaluation.is_multi
    rows = [
        (title, f"{getattr(metrics, name):.4f}", *_beside(name, intervals, baseline))
        for title, name in (FIGURES_OF_SEVERAL if several else FIGURES)
    ]
    scores = table(("", "", "95 % interval", "baseline"), rows, align="<>>>")
    where = "of the files" if evaluation.files else "in training"
    what = "labels" if several else "label"
    always = f"baseline: always {baseline.label!r}, the most frequent {what} {where}"
    return f"{scores}\n{terminal.wrapped(always, indent='  ')}"


def _beside(name: str, intervals: Mapping[str, "Interval"], baseline: Any) -> tuple[str, str]:
    """The interval of a figure, and what the baseline has; empty where there is none."""
    interval = _interval(intervals[name]) if name in intervals else ""
    return interval, f"{getattr(baseline, name):.4f}" if hasattr(baseline, name) else ""


def _interval(ends: "Interval") -> str:
    """An interval as text; one document has none."""
    return "" if isnan(ends[0]) else span(ends)


def _calibration(evaluation: "Evaluation") -> str:
    found = evaluation.calibration
    rows = [
        ("expected calibration error", f"{found.error_before:.4f}", f"{found.error:.4f}"),
        ("loss", f"{found.loss_before:.4f}", f"{found.loss:.4f}"),
    ]
    errors = table(("calibration", "before", "after"), rows, align="<>>")
    return f"{errors}\nafter: logits divided by {found.temperature:.3f}, which was fitted on validation"


def _classes(evaluation: "Evaluation") -> str:
    columns = COLUMNS_OF_SEVERAL if evaluation.is_multi else COLUMNS
    rows = [
        (row["label"], *(f"{row[name]:.4f}" for name in columns.values()), f"{row['documents']:,}")
        for row in evaluation.classes
    ]
    zeros = ("0.0000",) * len(COLUMNS) + ("",) * (len(columns) - len(COLUMNS))
    rows += [(label, *zeros, f"{documents:,}") for label, documents in evaluation.unseen.items()]
    return table(("label", *columns, "documents"), rows, align="<" + ">" * (len(columns) + 1))


def _abstention(evaluation: "Evaluation") -> str:
    """Coverage and precision of each learned threshold, and of falling coverage."""
    rows = [(f"--target-precision {precision}", *_cells(point)) for precision, point in evaluation.thresholds.items()]
    head = ("labels given" if evaluation.is_multi else "answers given", "probability", "coverage", "precision")
    if not evaluation.is_multi:  # else most pairs of a document and a label are no answer
        rows += [("", *_cells(point)) for point in evaluation.curve[::-2] if point.coverage >= LEAST_COVERAGE]
    lines = [
        table(head, rows, align="<>>>"),
        f"{evaluation.unlike:.2%} of the documents are unlike the corpus: most of their words are unknown",
    ]
    return "\n".join(lines)


def _cells(point: "Point") -> tuple[str, str, str]:
    precision = "" if point.precision is None else f"{point.precision:.4f}"
    return (f"from {point.threshold:.4f}", f"{point.coverage:.2%}", precision)


def _confusion(evaluation: "Evaluation") -> str:
    """The confusion matrix, or with many classes the most frequent confusions."""
    labels = [row["label"] for row in evaluation.classes]
    counts = evaluation.confusion
    if len(labels) <= MOST_COLUMNS:
        numbers = range(1, len(labels) + 1)
        rows = [
            (f"{number} {label}", *(f"{count:,}" for count in row))
            for number, label, row in zip(numbers, labels, counts, strict=True)
        ]
        return table(("label \\ answer", *map(str, numbers)), rows, align="<" + ">" * len(labels))
    pairs = [
        (count, label, answer)
        for label, row in zip(labels, counts, strict=True)
        for answer, count in zip(labels, row, strict=True)
        if count and label != answer
    ]
    pairs.sort(key=lambda pair: -pair[0])
    rows = [(f"{count:,}", label, answer) for count, label, answer in pairs[:MOST_CONFUSIONS]]
    return table(("documents", "label", "answer"), rows, align="><<")
