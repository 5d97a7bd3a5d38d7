"""`textclf evaluate`."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click
from click.core import ParameterSource

from textclf.artefacts import runs
from textclf.cli import options, terminal
from textclf.cli.display import span, table
from textclf.errors import UsageError
from textclf.inference import job
from textclf.system import escaping
from textclf.system.wording import counted

if TYPE_CHECKING:
    from textclf.evaluation.calibration import Point
    from textclf.evaluation.evaluate import Evaluation
    from textclf.evaluation.metrics import Interval

MOST_COLUMNS: Final = 12
"""Classes up to which the text shows the confusion matrix; with more classes, it lists the most frequent confusions."""
MOST_CONFUSIONS: Final = 15
LEAST_COVERAGE: Final = 0.5
"""The text shows the curve above this coverage, in tenths; JSON has all of it."""


@options.command("evaluate")
@options.run
@options.code
@options.split()
@options.inputs("Their labels are compared with the answers, in place of those of a split.")
@options.of_rows
@click.option("--strict", is_flag=True, help="Exit with 3 at the first row that cannot be scored.")
@options.text_or_json
def command(
    run: Path, code: tuple[Path, ...], split: str, inputs: tuple[str, ...], layout: str, **reading: Any
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
      textclf evaluate --run model/ --input reviews.csv --text-column body --label-column stars
    """
    _refuse_mixture(reading, has_files=bool(inputs))
    evaluation = _of_files(run, code, inputs, reading) if inputs else _of_split(run, code, split)
    terminal.result(_json(evaluation) if layout == "json" else _text(evaluation))


def _refuse_mixture(reading: Mapping[str, Any], *, has_files: bool) -> None:
    """Raise UsageError for --split with files, and for an option of files without files."""
    context = click.get_current_context()
    given = [name for name in context.params if context.get_parameter_source(name) is ParameterSource.COMMANDLINE]
    if has_files and "split" in given:
        raise UsageError("--split is of the run's data, and --input names files: leave out one of them")
    if not has_files and (of_files := [name for name in given if name in reading]):
        raise UsageError(f"--{of_files[0].replace('_', '-')} says how files are read: add --input FILE")


def _of_split(run: Path, code: tuple[Path, ...], split: str) -> "Evaluation":
    from textclf.evaluation.evaluate import score
    from textclf.evaluation.predictions import predict

    found = predict(options.resolved(run), split=split, code=code)
    options.note_torch(found.trained)
    return score(found)


def _of_files(run: Path, code: tuple[Path, ...], inputs: tuple[str, ...], reading: Mapping[str, Any]) -> "Evaluation":
    """Score the rows of files; stderr gets the number of those that are left out, and labels that are not known."""
    asked = job.Job.create(inputs=inputs, id_column=None, **reading)
    files = job.check(asked)
    model = options.model_of(run)
    from textclf.evaluation.evaluate import score_files
    from textclf.inference.classifier import load_model
    from textclf.inference.foreign_labels import describe_foreign
    from textclf.inference.labelled import predict_labelled

    classifier = load_model(model, code=code)
    options.note_torch(classifier.trained)
    names = tuple("stdin" if str(file) == "-" else str(file) for file in files)
    rows = job.rows_of(asked, files, classifier, warn=terminal.message)
    found = predict_labelled(classifier, rows, where=", ".join(names), strict=asked.strict)
    if found.left_out:
        terminal.message(f"{counted(found.left_out, 'row is', 'rows are')} left out, the first: {found.first_error}")
    if foreign := describe_foreign(Counter(found.labels), classifier.labels):
        terminal.message(foreign)
    return score_files(found, classifier.trained, run=runs.model_name(model), files=names)


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
    parts = (_scores, _calibration, _classes, _abstention, _confusion)
    return "\n\n".join([head + note, *(part(evaluation) for part in parts)])


def _scores(evaluation: "Evaluation") -> str:
    metrics, intervals, baseline = evaluation.metrics, evaluation.intervals, evaluation.baseline
    rows = [
        ("accuracy", f"{metrics.accuracy:.4f}", _interval(intervals["accuracy"]), f"{baseline.accuracy:.4f}"),
        ("macro-F1", f"{metrics.macro_f1:.4f}", _interval(intervals["macro_f1"]), f"{baseline.macro_f1:.4f}"),
        ("micro-F1", f"{metrics.micro_f1:.4f}", "", ""),
        ("weighted F1", f"{metrics.weighted_f1:.4f}", "", ""),
    ]
    scores = table(("", "", "95 % interval", "baseline"), rows, align="<>>>")
    where = "of the files" if evaluation.files else "in training"
    return f"{scores}\nbaseline: always {baseline.label!r}, the most frequent label {where}"


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
    rows = [
        (row["label"], *(f"{row[name]:.4f}" for name in ("precision", "recall", "f1")), f"{row['documents']:,}")
        for row in evaluation.classes
    ]
    rows += [(label, *("0.0000",) * 3, f"{documents:,}") for label, documents in evaluation.unseen.items()]
    return table(("label", "precision", "recall", "F1", "documents"), rows, align="<>>>>")


def _abstention(evaluation: "Evaluation") -> str:
    """Coverage and precision of each learned threshold, and of falling coverage."""
    rows = [(f"--target-precision {precision}", *_cells(point)) for precision, point in evaluation.thresholds.items()]
    rows += [("", *_cells(point)) for point in evaluation.curve[::-2] if point.coverage >= LEAST_COVERAGE]
    lines = [
        table(("answers given", "probability", "coverage", "precision"), rows, align="<>>>"),
        f"{evaluation.unlike:.2%} of the documents are unlike the corpus: they have more unknown words than others",
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
