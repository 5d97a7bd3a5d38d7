"""`textclf check`."""

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from textclf.artefacts import runs
from textclf.cli import commands, labelled_files, options, terminal, values
from textclf.errors import ArtefactError, DataError, UsageError
from textclf.inference import job
from textclf.system import escaping, listing
from textclf.system.wording import counted, percent

if TYPE_CHECKING:
    from textclf.artefacts.integrity import Finding
    from textclf.experiments.drift import Drift, LabelShare, Measure

OF_A_MODEL: Final = ("model.safetensors", "labels.json", "tokenizer.json")
MOST_LABELS: Final = 10
"""Labels that are shown, those whose share has changed most."""
LEAST_SHOWN: Final = 0.001


@commands.command("check")
@click.argument("path", type=values.RUN_OR_DATA, metavar="[DATA|RUN]", required=False)
@click.option("--strict", is_flag=True, help="Exit with 3 if the data has a problem, or if the new texts have drifted.")
@click.option(
    "--list",
    "listed",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write a row for each document that shows a problem to this file, .csv or .jsonl.",
)
@click.option("--against", type=values.RUN, metavar="RUN", help="Run to compare the texts of --input with.")
@options.inputs("The new texts.")
@options.code
@options.of_rows
@options.text_or_json
def command(
    path: Path | None,
    *,
    strict: bool,
    layout: str,
    listed: Path | None,
    against: Path | None,
    inputs: tuple[str, ...],
    code: tuple[Path, ...],
    **reading: Any,
) -> None:
    """Check files byte by byte, or new texts for drift.

    It names every damaged, missing or unexpected file of data, a run or a model; if there is one, the exit code is 4.
    Files without a checksum, as in an unfinished run, are listed as "not checked".

    For an undamaged data directory it also shows the report and its problems: copies and near-copies in two splits,
    texts with two labels, empty documents, labels with few documents, labels that differ only in case, labels and words
    that the training split does not have. Documents are named by their id in the source, or their number there; JSON
    names up to 1,000 for each problem. --list names all of them, with their texts where the source is still the same:
    copies and near-copies, in one split or several, texts with two labels, empty texts, unseen labels.

    --against compares new texts with the test documents of a run: shares of unknown words, probabilities of the
    answers, lengths, and how often each label is predicted. There is drift if a difference is larger than chance makes
    it, and its distance is 0.1 or more, between 0 and 1. Labels in the files are not used.

    \b
    Examples:
      textclf check data/bbc_news
      textclf check data/reviews --strict
      textclf check data/reviews --format json
      textclf check data/reviews --list problems.csv
      textclf check runs/latest
      textclf check --against runs/latest --input new.csv
    """
    labelled_files.refuse_mixture(reading, has_files=bool(inputs))
    if against is not None:
        _check_drift(against, path, inputs, reading, code=code, strict=strict, layout=layout, listed=listed)
        return
    if inputs:
        raise UsageError("--input names new texts: add --against RUN, to compare them with its test documents")
    if path is None:
        raise UsageError("nothing to check: name a data directory, a run or a model, or --against RUN --input FILE")
    _check_whole(path, strict=strict, layout=layout, listed=listed)


def _check_whole(path: Path, *, strict: bool, layout: str, listed: Path | None) -> None:
    """Check the files of a model, a run or a data directory."""
    from textclf.artefacts import integrity

    listing.check(listed)
    if runs.is_one_file(path):
        _check_files(path, integrity.of_one_file(path), layout, end="no problems", listed=listed)
        return
    path = options.run_or_data(path)
    if (path / "config.json").exists() and any((path / name).exists() for name in OF_A_MODEL):
        _check_files(path, integrity.of_model(path), layout, end="no problems", listed=listed)
    elif path.name == runs.LATEST or runs.RunLayout(path).config.exists():
        run = runs.resolve(path)
        end = "no problems" if run.metrics.exists() else f"unfinished; {runs.next_step(run.root)}"
        _check_files(run.root, integrity.of_run(run), layout, end=end, listed=listed)
    else:
        _check_data(path, layout, strict=strict, listed=listed)


def _check_files(root: Path, findings: Iterable["Finding"], layout: str, *, end: str, listed: Path | None) -> None:
    """Show what is wrong with the files of a run or a model; raises ArtefactError if one is damaged."""
    if listed is not None:
        raise UsageError(f"{root} has no documents to list, as a data directory has: leave out --list")
    found = list(_shown(findings, layout))
    if layout == "json":
        terminal.result(escaping.to_json({"files": _records(found), "end": end}, indent=2))
    _refuse_damage(root, found, "train a new model: textclf train")
    if layout == "text":
        terminal.result_line(end)


def _check_data(root: Path, layout: str, *, strict: bool, listed: Path | None) -> None:
    """Show what is wrong with the files of a data directory, and if they are whole with its documents."""
    from textclf.artefacts import integrity
    from textclf.cli.display import progress, show_report
    from textclf.dataset import data_report, manifest

    found = list(_shown(integrity.of_data(root, progress=progress), layout))
    report = None if _damage(found) else data_report.read_report(manifest.DataLayout(root).report)
    problems = data_report.problems(report) if report else []
    if layout == "json":
        values = {"files": _records(found), "problems": list(map(data_report.to_json, problems))}
        terminal.result(escaping.to_json(values, indent=2))
    _refuse_damage(root, found, f"rebuild it: textclf preprocess SOURCE --name {root.name} --overwrite")
    if layout == "text" and report:
        terminal.result(show_report(report))
        if not problems:
            terminal.result("no problems")
    if listed is not None:
        _write_list(root, listed)
    if problems and strict:
        raise DataError(f"{root}: {'; '.join(problem.sentence for problem in problems)}")


def _write_list(root: Path, path: Path) -> None:
    """Write the documents behind the problems to a file, and say how many there are of each finding."""
    from textclf.cli.display import progress
    from textclf.dataset.directory import DataDirectory
    from textclf.dataset.problem_list import COLUMNS, list_problems

    data = DataDirectory.open(root)
    found = list_problems(data, progress=progress)
    listing.write((each._asdict() for each in found.documents), COLUMNS, path, separator=data.separator)
    counts = Counter(each.finding for each in found.documents)
    of_each = ", ".join(f"{name} {count:,}" for name, count in counts.items())
    terminal.message(f"{path} has {counted(len(found.documents), 'row')}{f': {of_each}' if of_each else ''}")
    for line in found.notes:
        terminal.message(line)


def _shown(findings: Iterable["Finding"], layout: str) -> Iterator["Finding"]:
    """Pass findings through; as text, each is a line as soon as it is found."""
    for finding in findings:
        if layout == "text":
            terminal.result_line(f"{finding.what}: {finding.path}")
        yield finding


def _records(findings: Iterable["Finding"]) -> list[dict[str, str]]:
    return [{"path": str(finding.path), "finding": finding.what} for finding in findings]


def _damage(findings: Iterable["Finding"]) -> str:
    """How many files are damaged, missing or unexpected; empty if none is."""
    from textclf.artefacts.integrity import DAMAGED, MISSING, UNEXPECTED

    counts = Counter(finding.what for finding in findings)
    return ", ".join(f"{counts[what]:,} {what}" for what in (DAMAGED, MISSING, UNEXPECTED) if counts[what])


def _refuse_damage(root: Path, findings: Iterable["Finding"], remedy: str) -> None:
    if damage := _damage(findings):
        raise ArtefactError(f"{root} is not as it was written ({damage}); {remedy}")


def _check_drift(
    run: Path,
    path: Path | None,
    inputs: tuple[str, ...],
    reading: dict[str, Any],
    *,
    code: tuple[Path, ...],
    strict: bool,
    layout: str,
    listed: Path | None,
) -> None:
    """Compare new texts with the test documents of a run; raises DataError if they have drifted and strict says so."""
    if path is not None or listed is not None:
        raise UsageError(f"--against compares new texts: leave out {path or '--list'}")
    if not inputs:
        raise UsageError(f"--against {run} needs the new texts: add --input FILE")
    asked = job.Job.create(inputs=inputs, id_column=None, strict=False, **reading)
    files = job.check(asked)
    root = options.resolved(run)
    from textclf.experiments import drift
    from textclf.inference.classifier import load_model
    from textclf.system.signals import stopping

    classifier = load_model(root, code=code)
    options.note_torch(classifier.trained)
    with stopping():
        held_out = drift.held_out(root, classifier)
        rows = job.rows_of(asked, files, classifier, warn=terminal.message)
        found = drift.drift(classifier, held_out, rows)
    if found.left_out:
        counts = counted(found.left_out, "row is", "rows are")
        terminal.message(f"{counts} left out, the first: {found.first_error}")
    terminal.result(escaping.to_json(found.to_json(), indent=2) if layout == "json" else _drift_text(found))
    if found and strict:
        raise DataError(f"the new texts have drifted from the test documents: {', '.join(found.found)}")


def _drift_text(found: "Drift") -> str:
    """A table of the measures, one of the labels that changed most, and what that says."""
    from textclf.cli.display import table
    from textclf.experiments.drift import shown

    texts, documents = counted(found.rows - found.left_out, "new text"), counted(found.documents, "document")
    head = escaping.line(f"{texts} beside the {found.split} split of {found.run}: {documents}")
    measures = [
        (each.name, shown(each.name, each.before), shown(each.name, each.now), f"{each.distance:.2f}", _chance(each))
        for each in found.measures
    ]
    labels = [(_name(share), percent(share.before, digits=1), percent(share.now, digits=1)) for share in found.labels]
    columns = (found.split, "new texts")
    return "\n\n".join(
        [
            terminal.wrapped(head),
            table(("", *columns, "distance", "by chance"), measures, align="<>>>>"),
            table(("predicted", *columns), labels[:MOST_LABELS], align="<>>"),
            "\n".join(terminal.wrapped(escaping.line(sentence), indent="  ") for sentence in found.sentences()),
        ]
    )


def _chance(measure: "Measure") -> str:
    return f"{measure.p_value:.3f}" if measure.p_value >= LEAST_SHOWN else f"< {LEAST_SHOWN}"


def _name(share: "LabelShare") -> str:
    return "no label" if share.label is None else share.label
