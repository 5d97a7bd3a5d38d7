"""The texts of documents as their source has them. A data directory keeps tokens alone, so the source is read again.

It is read only if it is what the directory was made from: files by their SHA-256, a package by its version, a dataset
of the Hub by its commit. Nothing is copied into the directory.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from textclf import sources
from textclf.dataset.directory import DataDirectory
from textclf.dataset.documents import labels_of
from textclf.dataset.manifest import Manifest
from textclf.errors import DataError, TextclfError, UsageError
from textclf.sources import SPLITS, Columns, Corpus, Document, SourceOptions


def texts_of(data: DataDirectory, rows: Iterable[int]) -> dict[int, str]:
    """The text of each of these rows of the table of documents.

    The source is hashed and then read up to the last of these documents, which takes as long as `textclf preprocess`
    takes to read that far. Raises UsageError or DataError, which say why, if it cannot be had as it was.
    """
    found = dict(documents_of(data, rows))
    corrected = (data.manifest.corrections, *(each["corrections"] for each in data.manifest.additions))
    is_as_labelled = not any(corrected)  # else it may have the label from before
    for row, document in found.items():
        if is_as_labelled and document.labels != labels_of(data.documents.label_of(row)):
            raise DataError(
                f"{data.manifest.source}: document {document.id!r} has another label than {data.layout.root}"
            )
    return {row: document.text for row, document in found.items()}


def documents_of(data: DataDirectory, rows: Iterable[int]) -> Iterator[tuple[int, Document]]:
    """Each of these rows and its document, in the order of the source; raises what `texts_of` raises."""
    if not data.manifest.additions:
        yield from _documents_of(data, _source(data.manifest), rows)
        return
    every = np.fromiter(rows, dtype=np.int64)
    for manifest, own in _sources(data.manifest):
        some = every[np.isin(every, own)].tolist()
        if some:
            yield from _documents_of(data, _source(manifest), some)


def _documents_of(data: DataDirectory, corpus: Corpus, rows: Iterable[int]) -> Iterator[tuple[int, Document]]:
    """The documents of these rows, all of which are of one source."""
    wanted: dict[str, dict[str, int]] = defaultdict(dict)
    for row in rows:
        split = data.documents.split_of(row)
        wanted[split if split in corpus.splits else "train"][data.documents.source[row]] = row
    for split in filter(wanted.get, SPLITS):
        yield from _documents(corpus.splits[split], wanted[split])


def _sources(manifest: Manifest) -> Iterator[tuple[Manifest, NDArray[np.int64]]]:
    """What the directory was made from, then each addition, as if it were made from that; with the rows of each."""
    ends = {split: rows.stop for split, rows in manifest.names.slices().items()}
    own: list[tuple[Manifest, NDArray[np.int64]]] = []
    for each in reversed(manifest.additions):  # the last ones are at the end of each split
        runs = []
        for split in SPLITS:
            runs.append(np.arange(ends[split] - each["documents"][split], ends[split]))
            ends[split] -= each["documents"][split]
        about = {"source": each["source"], "revision": each["revision"], "settings": each["settings"]}
        made = replace(manifest, **about, columns=Columns.from_json(each["columns"]))
        own.append((made, np.concatenate(runs)))
    starts = {split: rows.start for split, rows in manifest.names.slices().items()}
    yield manifest, np.concatenate([np.arange(starts[split], ends[split]) for split in SPLITS])
    yield from reversed(own)


def _source(manifest: Manifest) -> Corpus:
    """The source, unread; raises DataError if it is not what the directory was made from."""
    settings = manifest.settings
    try:
        names, options = tuple(settings["source"]), _options(settings, manifest)
    except (LookupError, TypeError) as error:
        raise DataError(f"the manifest of {manifest.name} does not say how its source was read") from error
    try:
        corpus = sources.load(names, options=options)
    except TextclfError as error:
        raise type(error)(f"the source cannot be read again: {error}") from error
    if corpus.source != manifest.source:
        raise UsageError(f"the documents were given in memory ({manifest.source}), where they are no more")
    if (corpus.revision, corpus.columns) != (manifest.revision, manifest.columns):
        raise DataError(f"{corpus.source} is not what {manifest.name} was made from: it has changed")
    return corpus


def _options(settings: Mapping[str, Any], manifest: Manifest) -> SourceOptions:
    columns = manifest.columns
    quote = columns.quote if columns.quote_was_asked_for else None  # else it is the usual one, as it was then
    return SourceOptions(
        columns=replace(columns, quote=quote, quote_was_asked_for=False),
        config=settings["subset"],
        revision=settings["revision"],
        kind=settings["input_format"],
        part=settings["part"],
        test=tuple(settings["test"]),
        validation=tuple(settings["validation"]),
    )


def _documents(documents: Iterable[Document], rows: Mapping[str, int]) -> Iterator[tuple[int, Document]]:
    """The documents with these ids, with their rows; raises DataError if one is missing."""
    left = dict(rows)
    for document in documents:
        if (row := left.pop(document.id, None)) is not None:
            yield row, document
            if not left:
                return
    missing = next(iter(left))
    raise DataError(f"the source has no document {missing!r}")
