"""Models on labelled files, for the commands that score or compare them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click
from click.core import ParameterSource

from textclf.artefacts import runs
from textclf.cli import options, terminal
from textclf.errors import UsageError
from textclf.inference import job
from textclf.system.wording import counted

if TYPE_CHECKING:
    from textclf.artefacts.artefact import Artefact
    from textclf.inference.labelled import Labelled


class OnFiles(NamedTuple):
    """A model and what it makes of the rows of files."""

    trained: "Artefact"
    run: str
    found: "Labelled"
    files: tuple[str, ...]


def refuse_mixture(reading: Mapping[str, Any], *, has_files: bool) -> None:
    """Raise UsageError for --split with files, and for an option of files without files."""
    context = click.get_current_context()
    given = [name for name in context.params if context.get_parameter_source(name) is ParameterSource.COMMANDLINE]
    if has_files and "split" in given:
        raise UsageError("--split is of the run's data, and --input names files: leave out one of them")
    if not has_files and (of_files := [name for name in given if name in reading]):
        raise UsageError(f"--{of_files[0].replace('_', '-')} says how files are read: add --input FILE")


def predict_files(
    run: Path, code: tuple[Path, ...], inputs: Sequence[str], reading: Mapping[str, Any], *, quiet: bool = False
) -> OnFiles:
    """Predict the rows of files; stderr gets, unless quiet, the number of those that are left out and foreign labels.

    Raises UsageError or DataError if the files cannot be read or have no label that the model has.
    """
    asked = job.Job.create(inputs=inputs, id_column=None, **reading)
    files = job.check(asked)
    model = options.model_of(run)
    from textclf.inference.classifier import load_model
    from textclf.inference.foreign_labels import describe_foreign
    from textclf.inference.labelled import predict_labelled

    classifier = load_model(model, code=code)
    options.note_torch(classifier.trained)
    names = tuple("stdin" if str(file) == "-" else str(file) for file in files)
    rows = job.rows_of(asked, files, classifier, warn=terminal.message)
    found = predict_labelled(classifier, rows, where=", ".join(names), strict=asked.strict)
    if found.left_out and not quiet:
        terminal.message(f"{counted(found.left_out, 'row is', 'rows are')} left out, the first: {found.first_error}")
    if (foreign := describe_foreign(found.counts(), classifier.labels)) and not quiet:
        terminal.message(foreign)
    return OnFiles(classifier.trained, runs.model_name(model), found, names)
