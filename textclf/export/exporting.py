"""Export a finished run: choose the most exact model that is small enough, test it again, refuse it if it is worse.

The export is a run itself, so that every command takes it; its ``model/`` folder is what is copied elsewhere. In the
form ``pyz`` it is one file. The model is chosen by its size alone, so that no validation or test document influences
the choice.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, NamedTuple

import numpy as np

from textclf.artefacts import loading, model_folder, runs
from textclf.errors import TextclfError, UsageError
from textclf.evaluation.predictions import Predictions, Tokens
from textclf.export import onnx, pyz
from textclf.export.contents import (
    FORMS,
    Candidate,
    Exported,
    Figures,
    largest_size,
    model_files,
    model_size,
    run_files,
    total,
)
from textclf.export.finished_run import FinishedRun
from textclf.export.pruning import SPECIAL
from textclf.system import files, folders
from textclf.system.wording import counted

PRECISIONS: Final = ("float16", "int8", "int4")
"""Precisions that are tried for a maximum size, the most exact first; a model too large in int4 is pruned."""
PRECISIONS_OF_USER: Final = ("float16",)
"""The same of a user's model: which of its weights are embeddings, a row a word, is not known."""
DEFAULT_PRECISION: Final = "int8"
"""Precision without a maximum size."""
PRUNING_STEPS: Final = 500
"""The search for the number of features stops at this fraction of all features."""
LONGEST_NUMBER: Final = -0.30000000000000004
"""Stands for a figure that is not measured yet: no number is longer in JSON."""
TOLERANCE: Final = 1e-4
"""Largest allowed difference between ONNX Runtime's logits and textclf's, relative to the largest logit."""
ROUNDING: Final = 1e-4
"""Percentage points of accuracy that are no loss but rounding."""


@dataclass(frozen=True, slots=True)
class ExportRequest:
    """What to export, and how small and how good it must be."""

    output: Path
    form: str
    """One of `contents.FORMS`."""
    precision: str | None
    """Precision of the weights; None: the most exact one that is small enough."""
    max_size: int | None
    """Maximum bytes of the whole folder, or of the file."""
    max_drop: float
    """Maximum loss of accuracy, in percentage points."""
    split: str
    """The split that the loss is measured on."""


def export(path: Path, request: ExportRequest, *, code: Sequence[Path] = ()) -> Exported:
    """Export a run; a user's class comes from one of the files ``code``.

    Raises UsageError if there is no such run or split, if the output exists, or if packages are missing. Raises
    TextclfError, and leaves nothing behind, if no model is small enough or the chosen one loses too much.
    """
    output, is_file = request.output, FORMS[request.form].pack is not None
    if output.exists() and (is_file or not output.is_dir() or any(output.iterdir())):
        raise UsageError(f"{output} exists; remove it, or choose another --output")
    if request.form == "onnx":
        onnx.need_packages()
    run = FinishedRun.open(path, code=code)
    if is_file and run.trained.user_model:
        raise UsageError(f"{run.trained.model} predicts through torch, not in one file; use --format safetensors")
    if run.trained.view and request.form == "onnx":
        raise UsageError(
            f"the sentence encoder of the model, {run.trained.view.encoder.name}, does not go into onnx; use --format "
            "pyz or safetensors, or train without --encoder or --unlabelled"
        )
    if run.trained.view and is_file:
        run = replace(run, trained=replace(run.trained, view=replace(run.trained.view, is_bundled=True)))
    before = run.predict(run.trained)
    if request.split not in before:
        raise UsageError(f"{run.data.layout.root} has no {request.split} split; choose another --split")
    candidate = choose(run, request)
    if is_file:
        return _write_file(run, candidate, before[request.split], request)
    with folders.replacing(output) as folder:
        return _write_folder(folder, run, candidate, before[request.split], request)


# Choosing


def choose(run: FinishedRun, request: ExportRequest) -> Candidate:
    """The most exact model that is small enough; raises TextclfError if there is none."""
    possible = PRECISIONS_OF_USER if run.trained.user_model else PRECISIONS
    if request.precision not in (None, "float32", *possible):
        raise UsageError(f"{run.trained.model} can be exported in float32 and float16 only, not {request.precision}")
    if request.max_size is None:
        default = DEFAULT_PRECISION if DEFAULT_PRECISION in possible else possible[-1]
        return Candidate(run.trained, request.precision or default)
    precisions = possible if request.precision is None else (request.precision,)
    for precision in precisions:
        candidate = Candidate(run.trained, precision)
        if _largest_size(run, candidate, request) <= request.max_size:
            return candidate
    if run.trained.user_model:
        raise TextclfError(
            f"{run.trained.model} does not fit into {counted(request.max_size, 'byte')} in {precisions[-1]}, and which "
            "of its weights could be left out is not known; raise --max-size"
        )
    return _prune(run, precisions[-1], request, max_size=request.max_size)


def _prune(run: FinishedRun, precision: str, request: ExportRequest, *, max_size: int) -> Candidate:
    """The model with about as many features as fit, found by bisection."""
    pruning = run.pruning()
    low, high = SPECIAL, pruning.features
    best = Candidate(pruning.keep(low), precision)
    if (smallest := _largest_size(run, best, request)) > max_size:
        raise TextclfError(
            f"no model of {run.layout.root} fits into {counted(max_size, 'byte')}, the smallest has {smallest:,}; "
            "raise --max-size"
        )
    while high - low > max(pruning.features // PRUNING_STEPS, 1):
        middle = (low + high) // 2
        candidate = Candidate(pruning.keep(middle), precision)
        if _largest_size(run, candidate, request) <= max_size:
            low, best = middle, candidate
        else:
            high = middle
    return best


def _largest_size(run: FinishedRun, candidate: Candidate, request: ExportRequest) -> int:
    """Upper bound for the bytes of the export, whatever its figures turn out to be."""
    longest = {split: dict.fromkeys(run.metrics["validation"], LONGEST_NUMBER) for split in ("validation", "test")}
    figures = Figures.of(Candidate(run.trained, "float32"), longest["test"], size=10**9)
    exported = Exported(
        request.output, request.form, run.name, request.split, 10**9, figures, figures, LONGEST_NUMBER, LONGEST_NUMBER
    )
    metrics = {**run.metrics, **longest}
    model, records = model_files(run, candidate, metrics, exported), run_files(run, metrics, exported)
    return largest_size(request.form, model, records)


# Writing


class Made(NamedTuple):
    """An export that may be written: it is small and good enough."""

    exported: Exported
    model: dict[str, bytes]
    """The files of ``model/``."""
    records: dict[str, bytes]
    """Those that make the folder a run."""
    after: Predictions


def _write_folder(
    folder: Path, run: FinishedRun, candidate: Candidate, before: Predictions, request: ExportRequest
) -> Exported:
    """Write the export as a run; raises what `_make` raises, and TextclfError if ONNX Runtime disagrees."""
    layout = runs.RunLayout(folder)
    made = _make(layout.model, run, candidate, before, request)
    model_folder.write(layout.model, made.model)
    for name, content in made.records.items():
        files.write_bytes(folder / name, content)
    if request.form == "onnx":
        _check_graph(model_folder.Layout(layout.model).graph, run, made.after)
    return made.exported


def _write_file(run: FinishedRun, candidate: Candidate, before: Predictions, request: ExportRequest) -> Exported:
    """Write the export as one file that can be run; raises what `_make` raises."""
    with TemporaryDirectory(prefix="textclf-") as name:
        made = _make(Path(name) / "model", run, candidate, before, request)
    files.make_folder(request.output.parent)
    files.write_bytes(request.output, pyz.pack(made.model))
    with suppress(OSError):  # some file systems have no such bit; python FILE needs none
        request.output.chmod(request.output.stat().st_mode | 0o111)
    return made.exported


def _make(folder: Path, run: FinishedRun, candidate: Candidate, before: Predictions, request: ExportRequest) -> Made:
    """Test the candidate; raises TextclfError if it loses too much or is too large. ``folder`` is used meanwhile."""
    written = _write_and_read(candidate, folder, code=run.code)
    predictions = run.predict(written.trained)
    after = predictions[request.split]
    metrics = _metrics(run, written, predictions)
    exported = _compared(run, written, before, after, request)
    about = exported.sized(
        model_size(request.form, model_files(run, candidate, metrics, exported))
    )  # the card says about how large it is
    model = model_files(run, candidate, metrics, about)
    exported = exported.sized(model_size(request.form, model))
    records = run_files(run, metrics, exported)
    whole = exported.after.size + (0 if FORMS[request.form].pack else total(records))
    _accept(exported, request, size=whole)
    return Made(exported, model, records, after)


def _write_and_read(candidate: Candidate, folder: Path, *, code: Sequence[Path]) -> Candidate:
    """The candidate as it is read back: its weights have lost what its precision cannot hold."""
    files.remove(folder)  # that of an export that was killed may be there
    model_folder.save(folder, candidate.trained, card="", precision=candidate.precision)
    written = loading.load(folder, code=code)
    files.remove(folder)
    return candidate._replace(trained=written)


def _metrics(run: FinishedRun, written: Candidate, predictions: Mapping[str, Predictions]) -> dict[str, Any]:
    """What metrics.json holds: the run's metrics, with those of the exported model where they can be measured."""
    measured = {split: _measured(found) for split, found in predictions.items()}
    if run.metrics["refit"]:  # the model was also trained on the validation documents
        measured["validation"] = run.metrics["validation"]
    parameters = sum(array.size for array in written.trained.weights.values())
    return {**run.metrics, **measured, "parameters": parameters}


def _compared(
    run: FinishedRun, written: Candidate, before: Predictions, after: Predictions, request: ExportRequest
) -> Exported:
    """The exported model beside the run's, before the size of the export is known.

    What is lost is micro-F1, which is the accuracy where each document has one label.
    """
    whole = Candidate(run.trained, run.precision)
    size = sum(path.stat().st_size for path in run.layout.model.rglob("*") if path.is_file())
    return Exported(
        output=request.output,
        form=request.form,
        run=run.name,
        split=request.split,
        documents=len(before.labels),
        before=Figures.of(whole, _measured(before), size=size),
        after=Figures.of(written, _measured(after), size=0),
        agreement=float((before.outcome.given == after.outcome.given).all(axis=1).mean()),
        drop=100 * (before.outcome.measure().micro_f1 - after.outcome.measure().micro_f1),
    )


def _measured(predictions: Predictions) -> dict[str, Any]:
    return predictions.outcome.measure()._asdict()


def _accept(exported: Exported, request: ExportRequest, *, size: int) -> None:
    """Raise TextclfError if the export loses too much accuracy or its folder is too large."""
    before, after = exported.before, exported.after
    score = "accuracy" if before.accuracy == before.micro_f1 else "micro-F1"
    if exported.drop > request.max_drop + ROUNDING:
        raise TextclfError(
            f"not exported: {score} on {exported.split} falls from {before.micro_f1:.4f} to "
            f"{after.micro_f1:.4f}, "
            f"by {exported.drop:.2f} points and not the {request.max_drop:g} allowed, with "
            f"{counted(after.size, 'byte')} ({after.precision}, {after.features:,} of "
            f"{counted(before.features, 'feature')}); raise --max-size or --max-drop"
        )
    if request.max_size is not None and size > request.max_size:
        raise TextclfError(
            f"the export has {counted(size, 'byte')}, more than {request.max_size:,}; choose a smaller --max-size"
        )


def _check_graph(path: Path, run: FinishedRun, expected: Predictions) -> None:
    """Run the ONNX graph on the split, fed from its files; raises TextclfError if its logits differ from textclf's."""
    import onnxruntime

    session = onnxruntime.InferenceSession(path.read_bytes(), providers=["CPUExecutionProvider"])
    inputs = onnx.Feeder(path.parent).inputs
    batches = Tokens(run.data, expected.trained.tokenizer).batches(expected.rows)
    logits = np.concatenate([session.run(["logits"], inputs(*batch)._asdict())[0] for batch in batches])
    ours = expected.trained.calibrated(expected.raw)
    difference = float(np.abs(logits - ours).max())
    if not difference <= TOLERANCE * max(1.0, float(np.abs(ours).max())):
        raise TextclfError(
            f"ONNX Runtime's logits differ by {difference:.2g} from textclf's; try another version of it"
        )
