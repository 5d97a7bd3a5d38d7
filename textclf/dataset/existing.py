"""What is already there when a data directory is built: a finished one, other files, or tensors of a stopped run."""

import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from textclf.config import PreprocessConfig
from textclf.dataset.corrections import CorrectionList
from textclf.dataset.manifest import DataLayout, parse_manifest, read_manifest
from textclf.errors import ArtefactError, UsageError
from textclf.sources import Corpus
from textclf.sources.dialect import in_shell
from textclf.sources.urls import without_secrets
from textclf.system import failures, files
from textclf.system.wording import counted

LEAVES_DATA_ALONE: Final = {"name", "data_dir", "num_workers", "overwrite", "strict", "whole_labels", "tensors", "add"}
"""Settings without effect on the data."""

COLUMNS: Final = {
    "text": "text_column",
    "label": "label_column",
    "id": "id_column",
    "names": "columns",
    "delimiter": "delimiter",
    "quote": "quote",
    "encoding": "encoding",
    "label_prefix": "label_prefix",
    "flags": "label_columns",
    "separator": "label_separator",
}
"""Fields of `Columns`, and the settings that ask for them: it does not matter whether they were asked for or found."""


BY_CONTENT: Final = {"corrections"}
"""Settings that name files of which the content counts, whatever they are called: the manifest has their checksums."""


def settings_of(config: PreprocessConfig) -> dict[str, Any]:
    """The settings that shape the data, but for its columns and corrections, as JSON can hold them."""
    others = LEAVES_DATA_ALONE.union(COLUMNS.values(), BY_CONTENT)
    shaping = {name: value for name, value in asdict(config).items() if name not in others}
    shaping |= {name: tuple(map(without_secrets, shaping[name])) for name in ("source", "validation", "test")}
    return {name: list(value) if isinstance(value, tuple) else value for name, value in shaping.items()}


def origin_of(corpus: Corpus, config: PreprocessConfig, corrections: Sequence[CorrectionList] = ()) -> dict[str, Any]:
    """All that decides what is in the directory; `Manifest.origin` is the same of a finished one."""
    about: dict[str, Any] = {"source": corpus.source, "revision": corpus.revision}
    if corrections:
        about["corrections"] = [each.sha256 for each in corrections]
    return {**settings_of(config), "columns": corpus.columns.to_json(), **about}


def is_finished(layout: DataLayout, *, origin: dict[str, Any], tensors: str | None) -> bool:
    """Whether the directory is finished, with or without ``tensors`` as asked, if that was asked.

    Raises UsageError if it was made from another source or other settings.
    """
    if not layout.manifest.exists():
        return False
    made = read_manifest(layout.root)
    has = {"tensors": "all" if made.has_tensors else "none"}
    if changed := _differences(made.origin | has, origin | (has if tensors is None else {"tensors": tensors})):
        raise UsageError(
            f"{layout.root} was made from other settings ({', '.join(changed)}); replace it with --overwrite, "
            "or choose another --name"
        )
    return True


def lost_additions(layout: DataLayout) -> str | None:
    """A line that names the files that were added to the directory, which are not in the one that replaces it."""
    try:
        added = parse_manifest(layout.root).additions if layout.manifest.exists() else []
    except ArtefactError:  # of another version, or damaged: nothing is known of it
        return None
    if not added:
        return None
    documents = sum(sum(each["documents"].values()) for each in added)
    names = [name for each in added for name in each["settings"]["source"]]
    again = " ".join(f"--add {shlex.quote(name)}" for name in names)
    return (
        f"{layout.root} has grown by {counted(documents, 'document')}, which the new one lacks; add them again: "
        f"textclf preprocess {again} --name {layout.root.name}"
    )


def refuse_default_source(root: Path, *, default: str) -> None:
    """Raise UsageError if a data directory was made from another source than the one taken where none is named."""
    layout = DataLayout(root)
    if not layout.root.is_dir():
        return
    try:
        made = files.read_object(layout.manifest)["settings"]["source"]
        names = [made] if isinstance(made, str) else list(map(str, made))
    except (OSError, ValueError, LookupError, TypeError):
        names = ["SOURCE"]  # an older or a damaged one
    if names != [default]:
        source = shlex.join(names)
        raise UsageError(
            f"{root} is not {default}, which is read if no source is named; name its own: "
            f"textclf preprocess {source} --name {root.name} --overwrite"
        )


def _differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """What differs between two origins, in options of the command line: "--seed was 0 and is 1"."""
    values = [_by_option(before), _by_option(now)]
    return [
        f"{option} was {_shown(values[0].get(option))} and is {_shown(values[1].get(option))}"
        for option in dict.fromkeys((*values[0], *values[1]))
        if values[0].get(option) != values[1].get(option)
    ]


def _by_option(origin: Mapping[str, Any]) -> dict[str, Any]:
    """The values of an origin by the option that sets each."""
    columns = {setting: origin["columns"].get(name) for name, setting in COLUMNS.items()}
    settings = {name: value for name, value in origin.items() if name not in ("columns", "source", "revision")}
    options = {f"--{name.replace('_', '-')}": value for name, value in (columns | settings).items()}
    for option in ("--delimiter", "--quote"):
        options[option] = None if options[option] is None else in_shell(options[option])
    return {"the source": origin["source"], "the revision": origin["revision"], **options}


def _shown(value: Any) -> str:
    """A value as the command line has it."""
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, list):
        return " and ".join(value) or "not given"
    return "not given" if value is None else str(value)


def refuse_foreign_files(layout: DataLayout) -> None:
    """Raise UsageError if there are files in the directory that textclf did not write."""
    if not layout.root.exists():
        return
    if not layout.root.is_dir():
        raise UsageError(f"{layout.root} is a file; choose another --name")
    files_of_ours = (layout.manifest, layout.documents, layout.tokenizer, layout.report)
    expected = (*files_of_ours, layout.tensors, layout.packed.root, layout.vectors)
    left_over = [path for path in layout.root.iterdir() if path.suffix == ".tmp" and path.name.startswith(".")]
    if foreign := {path.name for path in layout.root.iterdir()} - {path.name for path in (*expected, *left_over)}:
        raise UsageError(
            f"{layout.root} has files that textclf did not write ({', '.join(sorted(foreign)[:3])}); "
            "choose another --name"
        )


def remove_all_but_tokens(layout: DataLayout, *, also: Iterable[Path] = ()) -> None:
    """Remove what a killed run left. Keep ``also``, and its tensors and parts if it recorded what they are from."""
    kept = {layout.begun, *_tokens(layout)} if layout.begun.is_file() else set()
    for path in set(layout.root.iterdir()) - kept - {*also}:
        files.remove(path)


def _tokens(layout: DataLayout) -> tuple[Path, ...]:
    """Where a killed run may have left tokens."""
    return layout.tensors, layout.packed.root, layout.written_parts


def begin(layout: DataLayout, *, origin: dict[str, Any], has_tensors: bool) -> int:
    """Record what tokens are made from; returns how many tensors a stopped run with the same origin has written.

    It is enough that these are of the same documents: each is compared with what would be written. If there are to be
    no tensors, those of a stopped run are removed. Its parts stay, for `write_parts.read_written`.
    """
    try:
        is_same = files.read_object(layout.begun) == origin
    except (OSError, ValueError) as error:
        if refused := failures.refused(error, layout.begun):
            raise refused from error
        is_same = False
    if is_same:
        if not has_tensors:
            files.remove(layout.tensors)
        return sum(1 for _ in layout.tensors.glob("*/*"))
    layout.begun.unlink(missing_ok=True)  # first, so that tokens that outlive a kill here have no record
    for path in _tokens(layout):
        files.remove(path)
    files.write_json(layout.begun, origin)
    return 0
