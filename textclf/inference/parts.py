"""Several files in, a part of answers out for each, in one folder: on this machine, or as tasks of a cluster.

A part appears when it is complete, and then its record in the hidden folder RECORDS: what it was made from, its
checksum, and its figures. So the same command skips parts that are there. A part has the same bytes wherever it is
made.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from textclf import __version__
from textclf.errors import UsageError
from textclf.inference import job as single
from textclf.inference.job import NOT_SHOWN, Job, Progress, Warn
from textclf.system import checksums, failures, files
from textclf.system.wording import counted, form

if TYPE_CHECKING:
    from textclf.artefacts.containers import Held
    from textclf.inference.classifier import Classifier
    from textclf.inference.predicting import Tally
    from textclf.system.workers import Mapper

RECORDS: Final = ".textclf"
"""Folder of the records in the folder of the parts."""

ENDINGS: Final = {"text": "txt", "spreadsheet": "csv", "fasttext": "txt"}
"""Endings of parts in formats that are not named by them."""

_LEAVES_ANSWERS_ALONE: Final = {"texts", "inputs", "output", "has_parts", "num_workers"}
"""Fields of a job without effect on the answers to a file."""


@dataclass(frozen=True, slots=True)
class Part:
    """A file of the input, and the file of its answers."""

    input: Path
    output: Path

    def __str__(self) -> str:
        return str(self.input)

    @property
    def record(self) -> Path:
        """What the part was made from."""
        return self.output.parent / RECORDS / f"{self.output.name}.json"


class Answered(NamedTuple):
    """What there is to say about a part."""

    tally: "Tally"
    warnings: list[str]
    is_new: bool
    """Whether it was made now, and not found."""


class Work(NamedTuple):
    """What all parts have in common, as it is sent to other nodes."""

    job: Job
    model: "Held"
    sha256: str
    """Of the model."""
    code: tuple[Path, ...]
    """Files with the class of a user's model, which all nodes must have."""


_loaded: "dict[str, Classifier]" = {}
"""The classifier of this process, by its SHA-256: a worker of a cluster runs many tasks."""


def check(job: Job, inputs: Sequence[Path]) -> None:
    """Raise UsageError for texts, pipes, and files that would share a part or be replaced by one."""
    if job.output is None or not job.has_parts:
        raise UsageError("answers of a cluster go to a folder: add --output FOLDER/, which ends in a slash")
    if job.texts:
        raise UsageError(f"{job.output} is a folder of answers to files: name them with --input FILE")
    if pipe := next((path for path in inputs if not path.is_file()), None):
        raise UsageError(f"{pipe} is not a file but a pipe or a device: name a file of answers with --output FILE")
    if job.output.exists() and not job.output.is_dir():
        raise UsageError(f"{job.output} is a file, not a folder; name another --output")
    owners: dict[Path, Path] = {}
    for part in _parts(job, inputs):
        if (other := owners.setdefault(part.output, part.input)) != part.input:
            raise UsageError(f"{other} and {part.input} would both become {part.output}: predict them by themselves")
        if part.output.exists() and any(part.output.samefile(path) for path in inputs):
            raise UsageError(f"{part.output} is also the input: name another --output")


def run(  # noqa: PLR0913 (as `job.run`, and a cluster)
    job: Job,
    inputs: Sequence[Path],
    classifier: "Classifier",
    model: Path,
    *,
    code: Sequence[Path] = (),
    cluster: "Mapper | None" = None,
    warn: Warn,
    progress: Progress = NOT_SHOWN,
) -> None:
    """Predict the files that `job.check` returned, each into its part; without a cluster, one after the other.

    The cluster's nodes read the files and write the parts, under the same paths as here; the model is sent to them.
    Raises what `job.run` raises, and what the cluster raises; the parts that are complete stay.
    """
    from textclf.artefacts import loading
    from textclf.inference.predicting import Tally

    classifier, parts, held = (
        single.with_threshold(classifier, job.threshold),
        _parts(job, inputs),
        loading.hold(model),
    )
    work = Work(job, held, held.sha256, tuple(code))
    files.make_folder(parts[0].record.parent)
    results: Iterator[Answered]
    if cluster is None:
        results = map(partial(answer, work, classifier=classifier, progress=progress), parts)
    else:
        results = _answered_elsewhere(work, parts, cluster, progress)
    total, found = Tally(classifier.labels, several=classifier.trained.is_multi), 0
    for answered in results:
        for sentence in answered.warnings:
            warn(sentence)
        total.join(answered.tally)
        found += not answered.is_new
    if found:
        warn(f"{found:,} of {counted(len(parts), 'part')} {form(found, 'was', 'were')} there already")
    _tell_strangers(parts, warn)
    single.tell(job, classifier, total, warn)


def _parts(job: Job, inputs: Iterable[Path]) -> list[Part]:
    from textclf.sources.opening import stem_of

    folder, ending = job.output or Path(), ENDINGS.get(job.layout, job.layout)
    return [Part(path, folder / f"{stem_of(path)}.{ending}") for path in dict.fromkeys(inputs)]


def _answered_elsewhere(work: Work, parts: list[Part], cluster: "Mapper", progress: Progress) -> Iterator[Answered]:
    alone = work._replace(job=replace(work.job, num_workers=1))  # a task has one processor
    for part, answered in zip(parts, cluster.map(partial(answer, alone), parts), strict=True):
        if not part.output.is_file():
            raise UsageError(f"{part.output} was written on another node: --output must be a folder that all share")
        progress.read(part.input.stat().st_size)
        progress.answered(answered.tally.rows)
        yield answered


def answer(
    work: Work, part: Part, *, classifier: "Classifier | None" = None, progress: Progress = NOT_SHOWN
) -> Answered:
    """Write the answers to one file, unless they are there; raises what `job.run` raises.

    Without a classifier, as in a task of a cluster, the model is loaded from what was sent, once per process.
    """
    from textclf.inference.predicting import Tally

    classifier = classifier or single.with_threshold(_classifier(work), work.job.threshold)
    origin = _origin(work, part)
    if (record := _record(part, origin)) is not None:
        tally = Tally.of_json(classifier.labels, record["figures"])
        progress.read(part.input.stat().st_size)
        progress.answered(tally.rows)
        return Answered(tally, [], is_new=False)
    warnings: list[str] = []
    job = replace(work.job, output=part.output)
    tally = single.write(job, [part.input], classifier, work.model.root, warn=warnings.append, progress=progress)
    about = {"origin": origin, "sha256": checksums.sha256(part.output), "figures": tally.to_json()}
    files.make_folder(part.record.parent)
    files.write_bytes(part.record, checksums.seal(about))
    return Answered(tally, warnings, is_new=True)


def _classifier(work: Work) -> "Classifier":
    from textclf.artefacts import loading
    from textclf.inference.classifier import Classifier

    if work.sha256 not in _loaded:
        _loaded.clear()
        _loaded[work.sha256] = Classifier(loading.restored(work.model, work.model.root, code=work.code))
    return _loaded[work.sha256]


def _origin(work: Work, part: Part) -> dict[str, Any]:
    """All that decides the answers, as JSON has it."""
    asked = {name: value for name, value in asdict(work.job).items() if name not in _LEAVES_ANSWERS_ALONE}
    of_part = {"input": checksums.sha256(part.input), "model": work.sha256, "textclf": __version__}
    return files.parse_object(files.to_json({**of_part, "settings": asked}))


def _record(part: Part, origin: dict[str, Any]) -> dict[str, Any] | None:
    """The record of a part that is there, and as it was made from this; else None."""
    try:
        content = files.read_bytes(part.record, most=files.MAX_JSON_BYTES)
        record = files.parse_object(content) if checksums.is_sealed(content) else {}
    except (OSError, ValueError) as error:
        if refused := failures.refused(error, part.record):
            raise refused from error
        return None
    is_same = record.get("origin") == origin and record["sha256"] == checksums.sha256(part.output)
    return record if is_same else None


def _tell_strangers(parts: Sequence[Part], warn: Warn) -> None:
    """Say how many parts of the folder are of files that this job does not have."""
    ours, folder = {part.record for part in parts}, parts[0].output.parent
    records = set(parts[0].record.parent.glob("*.json")) - ours
    if others := [record for record in records if (folder / record.stem).is_file()]:
        warn(f"{folder} also has {counted(len(others), 'part')} of other files")
