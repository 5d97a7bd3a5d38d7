"""What a shell completes: names of runs, of data directories, of corpora, and labels; else files.

Quick, as a person waits: no library is imported, and one file is read at most.
"""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import click
from click.shell_completion import CompletionItem

from textclf.artefacts import runs
from textclf.dataset import finding
from textclf.system import files
from textclf.system.names import Home

_PLAIN: Final = re.compile(r"[^\s'\"\\$`;&|<>(){}\[\]*?!#~^=,%-][^\s'\"\\$`;&|<>(){}\[\]*?!#~^,]*")
"""Names that a shell takes as they are: it inserts a completion without quotes."""

Completions = list[CompletionItem[str]]


def of_homes(incomplete: str, homes: Iterable[Home], *others: str) -> Completions:
    """Names in some folders that begin so, the newest first; files if there is none, or a path was begun."""
    names = [*others, *(path.name for home in homes for path in home.newest_first())]
    return _beginning(names, incomplete) or [CompletionItem(incomplete, type="file")]


def run_names(incomplete: str) -> Completions:
    """Names of runs."""
    return of_homes(incomplete, [runs.home()], runs.LATEST)


def data_names(context: click.Context, incomplete: str) -> Completions:
    """Names of data directories in --data-dir."""
    folder = context.params.get("data_dir") or finding.DATA
    return of_homes(incomplete, [finding.home(Path(folder))], finding.LATEST)


def run_or_data_names(incomplete: str) -> Completions:
    """Names of runs and data directories."""
    return of_homes(incomplete, [runs.home(), finding.home()], runs.LATEST)


def sources(context: click.Context, parameter: click.Parameter, incomplete: str) -> Completions:
    """Names of the catalogue, or files."""
    from textclf.sources.catalogue import CATALOGUE

    return _beginning(CATALOGUE, incomplete) or paths(context, parameter, incomplete)


def paths(_context: click.Context, _parameter: click.Parameter, incomplete: str) -> Completions:
    """Files and folders."""
    return [CompletionItem(incomplete, type="file")]


def labels(context: click.Context, _parameter: click.Parameter, incomplete: str) -> Completions:
    """The labels of the run that --run names."""
    model = runs.model_dir(Path(context.params.get("run") or runs.RUNS / runs.LATEST))
    return _beginning(files.read_json(model / "labels.json"), incomplete)


def _beginning(names: Iterable[Any], incomplete: str) -> Completions:
    begin = (name for name in names if isinstance(name, str) and name.startswith(incomplete))
    return [CompletionItem(name) for name in begin if _PLAIN.fullmatch(name) and name.isprintable()]
