"""What a report says about a run besides its figures: the data, the run itself, and what limits the figures."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from textclf.artefacts import runs
from textclf.artefacts.runs import RunLayout
from textclf.dataset.data_report import DataReport
from textclf.evaluation.evaluate import Evaluation
from textclf.evaluation.predictions import Predictions
from textclf.system.wording import counted, percent

VERSIONS: Final = ("textclf", "torch", "python")

Facts = Iterator[tuple[str, str]]
"""Names and values."""


def notes(evaluation: Evaluation, figures: Mapping[str, Any], *, asked: str | None) -> Iterator[str]:
    """What makes the figures less than they seem; ``figures`` are metrics.json, ``asked`` is the split asked for."""
    if asked is None and evaluation.split == "validation":
        yield "The run was trained with --no-test: these are figures of validation, by which its best epoch was chosen."
    if evaluation.seen:
        yield "The model was also trained on these documents."
    yield from figures.get("warnings", ())


def data_facts(found: Predictions, report: DataReport, figures: Mapping[str, Any]) -> Facts:
    """The data, where it is from, and how much of it the model was trained on."""
    manifest = found.data.manifest
    yield "Name", manifest.name
    yield "Source", manifest.source
    yield "Revision", manifest.revision
    if found.data.is_multi:
        yield "Task", "a document may have several labels"
    yield "Classes", f"{len(manifest.labels):,}"
    for split, part in report.splits.items():
        median, long = counted(part.lengths["median"], "token"), f"{part.lengths['p95']:,} at {percent(0.95)}"
        unknown = "" if split == "train" else f", {percent(part.unknown, digits=1)} of them unknown"
        yield split.capitalize(), f"{counted(part.documents, 'document')}; {median} in the median, {long}{unknown}"
    yield "Vocabulary", counted(manifest.vocabulary, "word")
    yield "Tier", f"{runs.part_of(figures)}: trained on {counted(figures['train']['documents'], 'document')}"


def run_facts(run: RunLayout, figures: Mapping[str, Any]) -> Facts:
    """The model, the machine and the time that training took."""
    versions, seconds = runs.read_json(run.config).get("versions", {}), figures["seconds"]
    refit = f"; then {runs.more_training(figures['refit'])}" if figures["refit"] else ""
    yield "Model", figures["model"]
    if "vectors" in figures:
        yield "Word vectors", runs.vectors_line(figures["vectors"])
    if "encoder" in figures:
        encoder = figures["encoder"]
        yield "Encoder", f"{runs.encoder_line(encoder)}, {percent(encoder['share'])} of the weight"
    yield "Parameters", f"{figures['parameters']:,}"
    yield "Started", f"{datetime.fromtimestamp(runs.started(run.root), UTC):%Y-%m-%d %H:%M} UTC"
    yield "Device", figures["device"]
    yield "Time", f"{seconds['total']:,.1f} s in all, {seconds['train']:,.1f} s of them in training steps"
    yield "Epochs", f"{figures['epochs']:,}, the best is {figures['best_epoch']:,}{refit}"
    yield "Seed", f"{figures['seed']}"
    yield "Versions", ", ".join(f"{name} {versions[name]}" for name in VERSIONS if name in versions)
