"""A run's report: one HTML file without scripts, which needs no network."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from textclf.artefacts import runs
from textclf.dataset.data_report import problems, read_report
from textclf.errors import ArtefactError, UsageError
from textclf.evaluation import facts, page, plots
from textclf.evaluation.calibration import Reliability, binned
from textclf.evaluation.confusions import confusions
from textclf.evaluation.evaluate import Evaluation, score
from textclf.evaluation.mistakes import mistakes
from textclf.evaluation.predictions import Predictions, predict
from textclf.evaluation.readable_settings import settings_of
from textclf.inference.explain import Word, top_words
from textclf.system import files, requirements

FIGURES: Final = ("tier", "model", "seed", "parameters", "train", "epochs", "best_epoch", "refit", "device", "seconds")
"""What a report shows of metrics.json, besides figures that it measures itself."""

MISTAKES: Final = 20
SHOWN_MISTAKES: Final = 6
"""Mistakes that are shown at once; the others on demand."""
SHOWN_CLASSES: Final = 20
"""The same of classes."""
CLASSES: Final = 500
"""Maximum number of classes that have a row: a report is to be read."""
CONFUSIONS: Final = 15
MATRIX_CLASSES: Final = 20
"""Classes up to which there is a confusion matrix."""
WORDS: Final = 8
"""Words of each class."""
WORDED_CLASSES: Final = 100
"""Maximum number of classes that have their words."""


def write(run: Path, path: Path, *, split: str | None = None, code: Sequence[Path] = (), texts: bool = True) -> int:
    """Write the report of a run's model on a split, and return how many texts of the source it holds.

    split: None is test or, of a run that was trained with --no-test, validation. ``texts``: whether the most confident
    mistakes have their texts. Raises what `predictions.predict` raises.
    """
    requirements.need("a report", requirements.REPORTING)
    layout = runs.resolve(run)
    figures, history = runs.read_json(layout.metrics), runs.read_lines(layout.history)
    if missing := [name for name in FIGURES if name not in figures]:
        raise ArtefactError(f"{layout.metrics} has no {missing[0]}: it is damaged, or of another version of textclf")
    found = predict(run, split=split or ("test" if "test" in figures else "validation"), code=code)
    evaluation, wrong = score(found), mistakes(found, most=MISTAKES, texts=texts)
    report = read_report(found.data.layout.report)
    classes = _classes(evaluation, found.data.training_counts(figures))
    calibrated = binned(*found.outcome.confident())
    curves = ["loss", "micro_f1" if evaluation.is_multi else "accuracy"]
    values = {
        "run": found.run,
        "split": found.split,
        "notes": list(facts.notes(evaluation, figures, asked=split)),
        "figures": figures,
        "evaluation": evaluation,
        "data_facts": list(facts.data_facts(found, report, figures)),
        "run_facts": list(facts.run_facts(layout, figures)),
        "problems": [problem.sentence for problem in problems(report)],
        "classes": classes[:CLASSES],
        "left_out": len(classes[CLASSES:]),
        "shown_classes": SHOWN_CLASSES,
        "confusions": confusions(found.outcome, most=CONFUSIONS),
        "matrix": _matrix(evaluation),
        "texts": texts,
        "mistakes": wrong,
        "shown_mistakes": SHOWN_MISTAKES,
        "words": _words(found, [row["label"] for row in classes]),
        "bins": _bins(calibrated),
        "reliability": _reliability(found, calibrated),
        "history": history,
        "curve_names": curves,
        "curves": [_curve(history, name, best_epoch=figures["best_epoch"]) for name in curves],
        "settings": settings_of(runs.read_json(layout.config)["settings"], found.data),
    }
    files.write_text(path, page.render(values))
    return len(wrong.found) if texts and not wrong.missing else 0


def _classes(evaluation: Evaluation, trained: Mapping[str, int]) -> list[dict[str, Any]]:
    """A row per label, the lowest F1 first; ``trained`` are the training documents of each label that has some."""
    rows = [{**row, "trained": trained.get(row["label"], 0)} for row in evaluation.classes]
    nothing = dict.fromkeys(("precision", "recall", "f1", "threshold", "average_precision", "trained"), 0)
    rows += [{**nothing, "label": label, "documents": count} for label, count in evaluation.unseen.items()]
    return sorted(rows, key=lambda row: (row["f1"], -row["documents"], row["label"]))


def _matrix(evaluation: Evaluation) -> list[dict[str, Any]]:
    """The rows of the confusion matrix; none with many classes, or where a document may have several."""
    if not 0 < len(evaluation.confusion) <= MATRIX_CLASSES:
        return []
    return [
        {
            "label": each["label"],
            "cells": [
                {"count": count, "share": count / max(sum(row), 1), "is_right": place == answer}
                for answer, count in enumerate(row)
            ],
        }
        for place, (each, row) in enumerate(zip(evaluation.classes, evaluation.confusion, strict=True))
    ]


def _words(found: Predictions, labels: Sequence[str]) -> list[tuple[str, list[Word]]]:
    """The words that speak most for each label that the model has; none if it knows no whole word."""
    known = [label for label in labels if label in set(found.names)]
    try:
        return list(top_words(found.trained, known[:WORDED_CLASSES], top_k=WORDS).items())
    except UsageError:
        return []


def _bins(found: Reliability) -> list[dict[str, Any]]:
    """A row per bin that has answers."""
    return [
        {
            "range": f"{found.edges[place]:.2f} to {found.edges[place + 1]:.2f}",
            "answers": int(found.documents[place]),
            "confidence": float(found.confidence[place]),
            "accuracy": float(found.accuracy[place]),
        }
        for place in np.flatnonzero(found.documents)
    ]


def _reliability(found: Predictions, calibrated: Reliability) -> Any:
    outcome = found.outcome
    before = binned(*outcome.confident(outcome.how._replace(temperature=1.0)))
    alt = "Share of right answers by their probability, and numbers of answers; the table has the same"
    return page.markup(plots.inline(plots.reliability(calibrated, before=before), alt=alt))


def _curve(history: Sequence[Mapping[str, Any]], name: str, *, best_epoch: int) -> Any:
    alt = f"{name.replace('_', '-').capitalize()} of train and validation by epoch; the table below has the same"
    return page.markup(plots.inline(plots.curve(history, name, best_epoch=best_epoch), alt=alt))
