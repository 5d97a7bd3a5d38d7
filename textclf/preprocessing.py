"""Corpus to data directory: load, split, learn the vocabulary, write one tensor a document, pack, describe, finish.

Knows nothing about models. Texts are tokenized by several processes, a chunk of documents at a time.
"""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from itertools import chain
from pathlib import Path
from typing import Any, Final

import numpy as np

from textclf import atomic, corpora, data_report
from textclf.config import PRESETS, TIERS, PreprocessConfig
from textclf.corpora import SPLITS, Columns, Corpus, Document, SourceOptions, splits
from textclf.data_report import DataReport, describe_split
from textclf.errors import DataError, UsageError
from textclf.store import documents, manifest, packed
from textclf.store.documents import Documents
from textclf.store.manifest import Layout, Manifest
from textclf.text.similar import near_copies, signatures
from textclf.text.tokenizer import Tokenizer
from textclf.tokenizing import Encoded, Progress, count_words, processes, write_tokens

LEAVES_DATA_ALONE: Final = {
    "name",
    "data_dir",
    "num_workers",
    "overwrite",
    "strict",
}  # settings without effect on the data

COMPARED: Final = 200_000  # documents up to which near-copies are looked for: the search takes 200 bytes a document
CHUNK: Final = 10_000  # documents whose tokens are compared at a time

Splits = Mapping[str, list[Document]]


def preprocess(
    config: PreprocessConfig, *, progress: Progress = lambda items, _title, _total: items
) -> tuple[Path, DataReport]:
    """Make ``data/<name>`` from a corpus; one that was already made from the same settings is left as it is.

    Returns its path and what is in it. Raises UsageError if there is no such source, or if the directory was made from
    other settings (unless ``overwrite``); DataError if the documents cannot be used; ResourceError on a full disk.
    """
    corpus = corpora.load(config.source, options=_options(config))
    layout = Layout(config.data_dir / corpus.name)
    if _is_made(layout, corpus, config):
        return layout.root, data_report.read(layout.report)
    parts = splits.complete(
        corpus.splits, test_size=config.test_size, validation_size=config.validation_size, seed=config.seed
    )
    parts = {split: parts[split] for split in SPLITS}
    notes = (*corpus.notes, *_unseen_labels(parts, strict=config.strict))
    _clear(layout)
    table = _name_documents(parts, seed=config.seed)
    texts = {split: [document.text for document in parts[split]] for split in SPLITS}
    with processes(config.num_workers) as spread:
        counts = count_words(texts["train"], lowercase=config.lowercase, spread=spread, progress=progress)
        tokenizer = Tokenizer.from_counts(
            counts,
            max_vocab=config.max_vocab,
            max_parts=config.parts(tokens=counts.total()),
            min_count=config.min_count,
            lowercase=config.lowercase,
        )
        atomic.write_json(layout.tokenizer, tokenizer.to_json())
        encoded = write_tokens(
            layout, table.id.tolist(), list(chain(*texts.values())), spread=spread, progress=progress
        )
    table = replace(table, tokens=encoded.lengths, crc32=encoded.crc32)
    near, searched = _near_copies(layout, table)
    report = _describe(corpus, parts, table, encoded, near, (*notes, *searched))
    data_report.write(layout.report, report)
    _finish(layout, corpus, config, table, report, tokenizer.size)
    return layout.root, report


def _options(config: PreprocessConfig) -> SourceOptions:
    return SourceOptions(
        columns=Columns(config.text_column, config.label_column, config.id_column),
        config=config.config,
        revision=config.revision,
        encoding=config.encoding,
        test=config.test,
        validation=config.validation,
        name=config.name,
    )


def _settings(config: PreprocessConfig) -> dict[str, Any]:
    """The settings that shape the data, as the manifest keeps them."""
    shaping = {name: value for name, value in asdict(config).items() if name not in LEAVES_DATA_ALONE}
    plain = {name: str(value) if isinstance(value, Path) else value for name, value in shaping.items()}
    return plain | {"text_column": list(config.text_column)}


def _is_made(layout: Layout, corpus: Corpus, config: PreprocessConfig) -> bool:
    """Whether the directory is finished and made from this; raises UsageError if from another source or settings."""
    if config.overwrite or not layout.manifest.exists():
        return False
    made = manifest.read(layout.root)
    before = made.settings | {"source": made.source, "revision": made.revision}
    now = _settings(config) | {"source": corpus.source, "revision": corpus.revision}
    changed = [
        f"{name} was {before.get(name)!r} and is {value!r}" for name, value in now.items() if before.get(name) != value
    ]
    if changed:
        raise UsageError(
            f"{layout.root} was made from other settings ({', '.join(changed)}); replace it with --overwrite, "
            "or choose another --name"
        )
    return True


def _clear(layout: Layout) -> None:
    """Empty the directory of what an earlier preprocess wrote; raises UsageError if other files are in it."""
    if layout.root.exists() and not layout.root.is_dir():
        raise UsageError(f"{layout.root} is a file; choose another --name")
    atomic.make_folder(layout.root)
    ours = (layout.manifest, layout.documents, layout.tokenizer, layout.report, layout.tensors, layout.packed.root)
    left_over = [path for path in layout.root.iterdir() if path.suffix == ".tmp" and path.name.startswith(".")]
    if foreign := {path.name for path in layout.root.iterdir()} - {path.name for path in (*ours, *left_over)}:
        raise UsageError(
            f"{layout.root} has files that textclf did not write ({', '.join(sorted(foreign)[:3])}); "
            "choose another --name"
        )
    for path in (*ours, *left_over):  # the manifest first: from here on the directory counts as unfinished
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def _unseen_labels(parts: Splits, *, strict: bool) -> tuple[str, ...]:
    """A warning that lists the labels that only validation or test has; raises DataError instead if strict."""
    unseen = splits.unseen_labels(parts)
    if not unseen:
        return ()
    listed = ", ".join(f"{label!r} ({count})" for label, count in unseen.items())
    warning = f"no training document has these labels, so their documents count as errors: {listed}"
    if strict:
        raise DataError(f"{warning}; leave out --strict to accept that")
    return (warning,)


def _name_documents(parts: Splits, *, seed: int) -> Documents:
    """The table of documents, still without what tokenizing tells."""
    everything = [document for split in SPLITS for document in parts[split]]
    counts = [len(parts[split]) for split in SPLITS]
    tiers = np.full(len(everything), "", dtype="<U5")
    order = splits.nested_order([document.label for document in parts["train"]], seed=seed)
    classes = len({document.label for document in parts["train"]})
    for name in reversed(list(TIERS)):
        tiers[order[: max(TIERS[name].size(len(order)), classes)]] = name
    return Documents(
        id=np.array(
            [f"{split}-{number:07}" for split, count in zip(SPLITS, counts, strict=True) for number in range(count)]
        ),
        source=np.array([document.id for document in everything], dtype=object),
        label=np.array([document.label for document in everything], dtype=object),
        split=np.repeat(SPLITS, counts),
        tier=tiers,
        tokens=np.zeros(len(everything), dtype=np.int32),
        crc32=np.zeros(len(everything), dtype=np.uint32),
    )


def _near_copies(layout: Layout, table: Documents) -> tuple[dict[str, int], tuple[str, ...]]:
    """Count the documents that are nearly the same as an earlier one, and those of them in another split; and a note.

    Copies that are the same are not counted.
    """
    documents = len(table.id)
    if documents > COMPARED:
        note = f"near-copies were not looked for: that is done for up to {COMPARED:,} documents"
        return {"near": 0, "near_crossing": 0}, (note,)
    tokens = packed.read(layout.packed, lengths=table.tokens)
    chunks = (np.arange(start, min(start + CHUNK, documents)) for start in range(0, documents, CHUNK))
    first = near_copies(np.concatenate([signatures(*tokens.gather(chunk)) for chunk in chunks]))
    same = (table.crc32 == table.crc32[first]) & (table.tokens == table.tokens[first])
    near = (first != np.arange(documents)) & ~same
    crossing = near & (table.split != table.split[first])
    return {"near": int(near.sum()), "near_crossing": int(crossing.sum())}, ()


def _describe(
    corpus: Corpus, parts: Splits, table: Documents, encoded: Encoded, near: dict[str, int], notes: Sequence[str]
) -> DataReport:
    """What is in the directory, for people."""
    described = {}
    for split, rows in ((split, np.flatnonzero(table.split == split)) for split in SPLITS):
        empty = sum(not document.text.strip() for document in parts[split])
        labels = [document.label for document in parts[split]]
        described[split] = describe_split(
            encoded.words[rows], encoded.unknown[rows], labels, empty=empty, most=PRESETS["lstm"].max_length or 0
        )
    return DataReport(
        name=corpus.name,
        source=corpus.source,
        splits=described,
        tiers={name: int(np.isin(table.tier, list(TIERS)[: place + 1]).sum()) for place, name in enumerate(TIERS)},
        duplicates=splits.duplicates(parts)._asdict() | near,
        notes=notes,
    )


def _finish(
    layout: Layout, corpus: Corpus, config: PreprocessConfig, table: Documents, report: DataReport, vocabulary: int
) -> None:
    """Write the table of documents, validate the packed copy, and last of all the manifest."""
    documents.write(layout.documents, table)
    made = Manifest(
        name=corpus.name,
        source=corpus.source,
        revision=corpus.revision,
        settings=_settings(config),
        labels=sorted(report.splits["train"].labels),
        splits={split: described.documents for split, described in report.splits.items()},
        tiers=dict(report.tiers),
        vocabulary=vocabulary,
        checksums={path.name: manifest.sha256(path) for path in (layout.tokenizer, layout.documents)},
    )
    packed.finish(layout.packed, table.tokens, fingerprint=made.fingerprint)
    manifest.write(layout, made)
