"""`textclf evaluate`."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from textclf.cli import options, terminal
from textclf.cli.display import span, table
from textclf.system import escaping
from textclf.system.wording import counted

if TYPE_CHECKING:
    from textclf.evaluation.calibration import Point
    from textclf.evaluation.evaluate import Evaluation

MOST_COLUMNS: Final = 12
"""Classes up to which the text shows the confusion matrix; with more classes, it lists the most frequent confusions."""
MOST_CONFUSIONS: Final = 15
LEAST_COVERAGE: Final = 0.5
"""The text shows the curve above this coverage, in tenths; JSON has all of it."""


@options.command("evaluate")
@options.run
@options.code
@options.split()
@options.text_or_json
def command(run: Path, code: tuple[Path, ...], split: str, layout: str) -> None:
    """Score a run on the validation or test split of its data.

    Intervals are 95 % bootstrap intervals over documents. The baseline always gives the most frequent label. The
    calibration error is the mean difference between the probability of an answer and the share of right answers. If
    only answers above a probability are given, coverage is the share of documents with an answer, and precision the
    share of right ones among these answers.

    \b
    Examples:
      textclf evaluate
      textclf evaluate --run runs/latest --split validation --format json
    """
    from textclf.evaluation.evaluate import score
    from textclf.evaluation.predictions import predict

    found = predict(run, split=split, code=code)
    options.note_torch(found.trained)
    evaluation = score(found)
    terminal.result(_json(evaluation) if layout == "json" else _text(evaluation))


def _json(evaluation: "Evaluation") -> str:
    counts = evaluation.confusion
    values: dict[str, Any] = {
        **asdict(evaluation),
        "metrics": evaluation.metrics._asdict(),
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
    where = escaping.line(f"{evaluation.run}, {evaluation.split} split of {evaluation.corpus}")
    head = f"{where}: {counted(metrics.documents, 'document')}"
    note = "\nnote: the model was also trained on these documents; see --split test" if evaluation.seen else ""
    parts = (_scores, _calibration, _classes, _abstention, _confusion)
    return "\n\n".join([head + note, *(part(evaluation) for part in parts)])


def _scores(evaluation: "Evaluation") -> str:
    metrics, intervals, baseline = evaluation.metrics, evaluation.intervals, evaluation.baseline
    rows = [
        ("accuracy", f"{metrics.accuracy:.4f}", span(intervals["accuracy"]), f"{baseline.accuracy:.4f}"),
        ("macro-F1", f"{metrics.macro_f1:.4f}", span(intervals["macro_f1"]), f"{baseline.macro_f1:.4f}"),
        ("micro-F1", f"{metrics.micro_f1:.4f}", "", ""),
        ("weighted F1", f"{metrics.weighted_f1:.4f}", "", ""),
    ]
    scores = table(("", "", "95 % interval", "baseline"), rows, align="<>>>")
    return f"{scores}\nbaseline: always {baseline.label!r}, the most frequent label in training"


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
