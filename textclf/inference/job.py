"""One job of predicting: what is asked for, checked before numpy is imported, and the answers written.

The command `textclf predict` and a model in one file (`textclf.standalone`) differ only in where they get it from.
"""

import os
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from textclf.errors import UsageError
from textclf.sources.document import Columns
from textclf.system import startup

if TYPE_CHECKING:
    from textclf.inference.classifier import Classifier
    from textclf.inference.outputs import Answer
    from textclf.inference.predicting import Reading, Tally
    from textclf.sources import Row

EXPLAINED: Final = ("text", "json", "jsonl")
"""Formats that have room for the contribution of each word."""

TABLES: Final = ("csv", "spreadsheet", "parquet")
"""Formats whose columns are known before the first row."""

KEPT: Final = (*TABLES, "jsonl", "json")
"""Formats into which the columns of the input can be copied."""

_OF_COLUMNS: Final = {
    "text_column": "text",
    "label_column": "label",
    "label_columns": "flags",
    "label_separator": "separator",
    "id_column": "id",
    "columns": "names",
    "delimiter": "delimiter",
    "quote": "quote",
    "encoding": "encoding",
    "label_prefix": "label_prefix",
}
"""Options about columns, by the fields of `Columns` that they set."""

Warn = Callable[[str], None]
"""Shows a line on stderr."""


class Progress:
    """Is told how far a job is; this one shows nothing."""

    def read(self, size: int) -> None:
        """So many bytes of the files have been read."""

    def answered(self, rows: int) -> None:
        """So many rows have been answered."""


NOT_SHOWN: Final = Progress()


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """Texts and files to predict, and the answers that are wanted; each field is an option of `textclf predict`."""

    texts: Sequence[str] = ()
    """``-`` stands for the lines of stdin."""
    inputs: Sequence[str] = ()
    """Files and patterns of files; ``-`` is stdin."""
    input_format: str = "auto"
    part: str | None = None
    columns: Columns = field(default_factory=Columns)
    keep_columns: bool = False
    """Whether all columns of the input are copied before the answers."""
    strict: bool = False
    top_k: int | None = None
    threshold: float | None = None
    """The probability from which on labels are given, where a text may have several. None: as learned."""
    reject_below: float | None = None
    target_precision: float | None = None
    explain: bool = False
    num_workers: int | None = None
    layout: str = "text"
    output: Path | None = None
    has_parts: bool = False
    """Whether the output is a folder, with a part for each file of the input: see `textclf.inference.parts`."""

    @classmethod
    def create(cls, *, output: str | PathLike[str] | None = None, **options: Any) -> "Job":
        """A job from the options of a command line by name; those of `_OF_COLUMNS` become its columns.

        An output that ends in a slash, or is a folder, gets a part for each file.
        """
        columns = {name: options.pop(option) for option, name in _OF_COLUMNS.items()}
        return cls(
            columns=Columns(**{**columns, **{name: tuple(columns[name]) for name in ("text", "flags")}}),
            output=None if output is None else Path(output),
            has_parts=output is not None and (str(output).endswith(os.sep) or Path(output).is_dir()),
            **options,
        )

    @property
    def is_rejecting(self) -> bool:
        """Whether answers may be without a label."""
        return self.reject_below is not None or self.target_precision is not None

    def best(self, classifier: "Classifier") -> int:
        """The number of labels in an answer."""
        return min(self.top_k or 1, len(classifier.labels))


def check(job: Job) -> list[Path]:
    """The files that are named; raises UsageError if there is none, or if what is asked for does not fit together."""
    if not job.texts and not job.inputs:
        raise UsageError('nothing to predict: give a text, "-" for the lines of stdin, or --input FILE')
    _refuse_names_of_files(job)
    files = _input_files(job.inputs)
    _check_output(job, files)
    _check_kept(job, files)
    return files


def run(
    job: Job,
    files: list[Path],
    classifier: "Classifier",
    model: Path,
    *,
    warn: Warn,
    progress: Progress = NOT_SHOWN,
) -> None:
    """Predict the texts and the files that `check` returned, and write the answers; ``model`` is for other processes.

    Raises DataError for input that cannot be read, UsageError for options that do not go with the model.
    """
    if job.has_parts:
        from textclf.inference import parts

        parts.run(job, files, classifier, model, warn=warn, progress=progress)
        return
    classifier = with_threshold(classifier, job.threshold)
    if job.explain:
        from textclf.inference import explained, predicting

        rows = predicting.rows(job.texts, files, _reading(job, classifier), warn=warn, on_read=progress.read)
        explained.write(classifier, predicting.texts_of(rows), top_k=job.top_k or 1, layout=job.layout)
        return
    tell(job, classifier, write(job, files, classifier, model, warn=warn, progress=progress), warn)


def write(
    job: Job, files: list[Path], classifier: "Classifier", model: Path, *, warn: Warn, progress: Progress
) -> "Tally":
    """Write the answers of `run`, and count them; raises what it raises."""
    from textclf.inference import predicting

    rows = predicting.rows(job.texts, files, _reading(job, classifier), warn=warn, on_read=progress.read)
    tally = predicting.Tally(classifier.labels, several=classifier.trained.is_multi)
    with closing(_answers(job, rows, files, classifier, model)) as batches:  # which ends the other processes
        _write(job, tally.watch(_shown(batches, progress)), classifier, files)
    return tally


def tell(job: Job, classifier: "Classifier", tally: "Tally", warn: Warn) -> None:
    """Say what the answers come to."""
    for sentence in tally.summary(with_coverage=job.is_rejecting and not classifier.trained.is_multi):
        warn(sentence)


def _shown(batches: "Iterable[list[Answer]]", progress: Progress) -> "Iterator[list[Answer]]":
    """Pass answers through, and say how many there are."""
    for batch in batches:
        yield batch
        progress.answered(len(batch))


def rows_of(job: Job, files: list[Path], classifier: "Classifier", *, warn: Warn) -> "Iterator[Row]":
    """The rows of the texts and the files that `check` returned; raises what `predicting.rows` raises."""
    from textclf.inference import predicting

    return predicting.rows(job.texts, files, _reading(job, classifier), warn=warn)


def _reading(job: Job, classifier: "Classifier") -> "Reading":
    from textclf.inference.predicting import Reading

    trained = classifier.trained
    return Reading(
        job.input_format, job.part, job.columns, trained.columns, job.strict, trained.is_multi, job.keep_columns
    )


def _answers(
    job: Job, rows: "Iterator[Row]", files: list[Path], classifier: "Classifier", model: Path
) -> "Generator[list[Answer], None, None]":
    from textclf.inference import parallel, predicting

    rejection = predicting.Rejection.of(
        classifier.trained.abstention, below=job.reject_below, target_precision=job.target_precision
    )
    workers = job.num_workers or startup.processors()
    best = job.best(classifier)
    predict = parallel.predictor(classifier, model, top_k=best, num_workers=workers, files=files)
    return predicting.answer(rows, predict, rejection._replace(most=job.top_k), keeps_records=job.keep_columns)


def _write(job: Job, answers: "Iterator[list[Answer]]", classifier: "Classifier", files: list[Path]) -> None:
    from textclf.inference import outputs, predicting

    reading = _reading(job, classifier)
    fields = outputs.Fields(
        top_k=job.best(classifier),
        probabilities=job.top_k is not None,
        id=None if job.keep_columns else predicting.column_of_ids(files, reading),
        rejected=job.is_rejecting and not classifier.trained.is_multi,
        details=bool(files),
        separator=outputs.separator_of(classifier.trained),
        copied=predicting.copied_columns(files, reading, into_table=job.layout in TABLES) if job.keep_columns else None,
    )
    outputs.write(answers, job.layout, fields, job.output)


def with_threshold(classifier: "Classifier", threshold: float | None) -> "Classifier":
    """The model with one threshold for all labels; raises UsageError if a text has one label."""
    if threshold is None:
        return classifier
    if not classifier.trained.is_multi:
        raise UsageError("--threshold is for several labels per text, and this model gives one: use --reject-below")
    return type(classifier)(classifier.trained.with_threshold(threshold))


def _refuse_names_of_files(job: Job) -> None:
    """Raise UsageError for a text that is the name of a file, as where a shell has expanded ``--input *.csv``."""
    for text in job.texts:
        if text != "-" and (job.inputs or Path(text).suffix) and _is_file(text):
            raise UsageError(
                f"{text} is a file, and its name would be answered as a text: add --input before it, and put a pattern "
                "of files in quotes, such as --input '*.csv'"
            )


def _is_file(text: str) -> bool:
    try:
        return Path(text).is_file()
    except (OSError, ValueError):  # too long for a name, or with a character that none has
        return False


def _input_files(inputs: Sequence[str]) -> list[Path]:
    """The files that --input names, by patterns, too; raises UsageError if there is no such file."""
    if not inputs:
        return []
    from textclf import sources

    return sources.files(inputs)


def _check_kept(job: Job, files: list[Path]) -> None:
    """Raise UsageError for texts, files and formats whose columns are not copied."""
    if not job.keep_columns:
        return
    if job.explain or job.layout not in KEPT:
        raise UsageError(f"--keep-columns goes with --format {', '.join(KEPT[:-1])} or {KEPT[-1]}: name one of them")
    if job.texts:
        raise UsageError("--keep-columns copies the columns of files: name them with --input FILE")
    if job.layout in TABLES and not all(file.is_file() for file in files):  # a pipe would be read twice
        raise UsageError(f"--keep-columns needs files, not pipes, for --format {job.layout}: use --format jsonl")


def _check_output(job: Job, inputs: list[Path]) -> None:
    """Raise UsageError for a format or file that answers cannot be written to."""
    output = job.output
    if job.explain and job.layout not in EXPLAINED:
        raise UsageError(f"--explain does not fit into {job.layout}; use --format jsonl")
    if output is None:
        if job.layout == "parquet":
            raise UsageError("Parquet goes to a file: add --output FILE")
        return
    if job.explain:
        raise UsageError("--explain writes to stdout; leave out --output")
    if not output.parent.is_dir():
        raise UsageError(f"no such folder: {output.parent}")
    if job.has_parts:
        from textclf.inference import parts

        parts.check(job, inputs)
        return
    if output.exists() and not output.is_file():  # it would be replaced, not written to
        raise UsageError(f"{output} is not a file but a pipe or a device: leave out --output and write to it with >")
    if output.exists() and any(path.exists() and output.samefile(path) for path in inputs):
        raise UsageError(f"{output} is also the input: name another --output")
