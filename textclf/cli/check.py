"""`textclf check`."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from textclf.artefacts import runs
from textclf.cli import terminal
from textclf.errors import ArtefactError, DataError

if TYPE_CHECKING:
    from textclf.artefacts.integrity import Finding

OF_A_MODEL: Final = ("model.safetensors", "labels.json", "tokenizer.json")


@click.command("check")
@click.argument("path", type=click.Path(path_type=Path), metavar="DATA|RUN")
@click.option("--strict", is_flag=True, help="Exit with 3 if the data has a problem.")
def command(path: Path, strict: bool) -> None:
    """Check each byte of a data directory, a run or a model, and name every damaged, missing or unexpected file.

    If there is such a file, the exit code is 4. Files without a checksum, as in an unfinished run, are listed as "not
    checked".

    For an undamaged data directory it also shows the report and its problems: copies and near-copies in two splits,
    texts with two labels, empty documents, labels with few documents, labels that differ only in case, labels and words
    that the training split does not have.

    \b
    Examples:
      textclf check data/bbc_news
      textclf check data/reviews --strict
      textclf check runs/latest
    """
    if (path / "config.json").exists() and any((path / name).exists() for name in OF_A_MODEL):
        _check_model(path)
    elif path.name == runs.LATEST or runs.RunLayout(path).config.exists():
        _check_run(runs.resolve(path))
    else:
        _check_data(path, strict=strict)


def _check_data(root: Path, *, strict: bool) -> None:
    from textclf.artefacts import integrity
    from textclf.cli.display import progress, show_report
    from textclf.dataset import data_report, manifest

    _show(
        root,
        integrity.of_data(root, progress=progress),
        f"rebuild it: textclf preprocess --name {root.name} --overwrite",
    )
    report = data_report.read_report(manifest.DataLayout(root).report)
    found = data_report.problems(report)
    terminal.result(show_report(report))
    if not found:
        terminal.result("no problems")
    elif strict:
        raise DataError(f"{root}: {'; '.join(found)}")


def _check_run(run: runs.RunLayout) -> None:
    from textclf.artefacts import integrity

    _show(run.root, integrity.of_run(run), "train a new model: textclf train")
    if run.metrics.exists():
        terminal.result("no problems")
    else:
        terminal.result_line(f"unfinished; {runs.next_step(run.root)}")


def _check_model(root: Path) -> None:
    from textclf.artefacts import integrity

    _show(root, integrity.of_model(root), "train a new model: textclf train")
    terminal.result("no problems")


def _show(root: Path, findings: Iterable["Finding"], remedy: str) -> None:
    """Print a line for each finding; raises ArtefactError if a file is damaged, missing or unexpected."""
    from textclf.artefacts.integrity import DAMAGED, MISSING, UNEXPECTED

    counts = dict.fromkeys((DAMAGED, MISSING, UNEXPECTED), 0)
    for finding in findings:
        terminal.result_line(f"{finding.what}: {finding.path}")
        if finding.what in counts:
            counts[finding.what] += 1
    if any(counts.values()):
        said = ", ".join(f"{count:,} {what}" for what, count in counts.items() if count)
        raise ArtefactError(f"{root} is not as it was written ({said}); {remedy}")
