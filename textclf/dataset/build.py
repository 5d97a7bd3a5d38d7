"""Corpus to data directory: read, split, learn the vocabulary, write one tensor a document, pack, describe, finish.

Knows nothing about models. The texts are read once, and few of them are in memory at a time.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from textclf import sources
from textclf.config import TIERS, PreprocessConfig, changes
from textclf.dataset import data_report, documents, manifest, packed, splits, tensors, write_tensors
from textclf.dataset.data_report import DataReport, describe_split
from textclf.dataset.documents import Documents
from textclf.dataset.manifest import Layout, Manifest
from textclf.dataset.near_copies import near_copies
from textclf.dataset.read_corpus import BATCH, BatchSize, NumberedCorpus, Progress, Work, read_corpus
from textclf.dataset.splits import Division
from textclf.dataset.write_tensors import EncodedDocuments, WrittenDocuments, write_documents
from textclf.errors import DataError, UsageError
from textclf.sources import SPLITS, Columns, Corpus, SourceOptions
from textclf.system import checksums, files, folders, workers
from textclf.system.startup import processors, refuse_full_disk
from textclf.text.corpus_encoder import TokenizedPreTokens
from textclf.text.tokenizer import Tokenizer

LEAVES_DATA_ALONE: Final = {
    "name",
    "data_dir",
    "num_workers",
    "overwrite",
    "strict",
}  # settings without effect on the data

LARGE: Final = 10_000_000  # bytes of files that keep one process busy for longer than it takes to start others

BLOCK: Final = 4096  # bytes that a file takes at least, on most disks

BYTES_A_DOCUMENT: Final = 64  # of the tables, about

COMPARED: Final = 200_000  # documents up to which near-copies are looked for: the search takes 200 bytes a document


def preprocess(
    config: PreprocessConfig,
    *,
    progress: Progress = lambda items, _title, _total: items,
    tell: Callable[[str], None] = lambda _line: None,
    batch: BatchSize = BATCH,
) -> tuple[Path, DataReport]:
    """Make ``data/<name>`` from a corpus; one that was already made from the same settings is left as it is.

    Returns its path and what is in it. It appears whole; one that is there stays until then. What a run that was killed
    has left is gone on with, and ``tell`` gets a line about it. Raises UsageError if there is no such source, or if the
    directory was made from other settings (unless ``overwrite``); DataError if the documents cannot be used;
    ResourceError on a full disk.
    """
    corpus = sources.load(config.source, options=_options(config))
    layout = Layout(config.data_dir / corpus.name)
    if _is_made(layout, corpus, config):
        return layout.root, data_report.read(layout.report)
    _refuse_foreign_files(layout)
    count, is_long = config.num_workers or processors(), sources.size(corpus) >= LARGE
    with (
        folders.replacing(layout.root) as folder,
        workers.crew(count, imports=write_tensors.__name__, is_long=is_long) as crew,
    ):
        report = _make(Layout(folder), corpus, config, work=Work(crew, progress, batch), tell=tell)
    return layout.root, report


def _make(
    layout: Layout,
    corpus: Corpus,
    config: PreprocessConfig,
    *,
    work: Work,
    tell: Callable[[str], None],
) -> DataReport:
    """Fill a new directory, or one that was begun."""
    _keep_tensors_alone(layout)
    refuse_full_disk(layout.root, needed=sources.size(corpus), files=0)  # the numbers take about as much as the texts
    scratch = layout.root / "scratch"
    files.make_folder(scratch)
    found = read_corpus(corpus.splits, lowercase=config.lowercase, spool=scratch / "numbers.bin", work=work)
    order, parts = _divide(found, config)
    notes = (*corpus.notes, *_unseen_labels(parts, found.labels, strict=config.strict))
    tokenized = found.pre_tokens.tokenize()
    tokenizer = _learn(found, tokenized, order[parts.split == 0], config)
    files.write_json(layout.tokenizer, tokenizer.to_json())
    table = _name_documents(found, order, parts, seed=config.seed)
    there = _begin(layout, corpus, config, table)
    if there:
        tell(f"going on where an earlier run was stopped: {there:,} of {len(order):,} tensors are there")
    _refuse_full_disk(layout, lengths=np.diff(found.offsets), there=there)
    documents.import_in_background()  # while others write
    starts, lengths = found.offsets[order], np.diff(found.offsets)[order]
    encoded = EncodedDocuments(found.spool, starts, lengths, tokenized.encode(tokenizer), tokenizer.size)
    compare = len(order) <= COMPARED
    written = write_documents(layout, table.id.tolist(), encoded, compare=compare, work=work)
    folders.remove(scratch)
    table = replace(table, tokens=written.lengths, crc32=written.crc32)
    near, searched = _near_copies(table, written.signatures) if compare else _NOT_COMPARED
    copies = splits.duplicates(parts)._asdict() | near
    report = _describe(corpus, table, written, lengths == 0, copies, (*notes, *searched))
    data_report.write(layout.report, report)
    _finish(layout, corpus, config, table, report, tokenizer.size)
    layout.begun.unlink()
    return report


def _keep_tensors_alone(layout: Layout) -> None:
    """Remove what a run that was killed has left but for its tensors, and these if it did not say what they are of."""
    kept = {layout.begun, layout.tensors} if layout.begun.is_file() else set()
    for path in set(layout.root.iterdir()) - kept:
        folders.remove(path)


def _begin(layout: Layout, corpus: Corpus, config: PreprocessConfig, table: Documents) -> int:
    """Say what the tensors are made from; returns how many are there that a run with the same settings has left.

    They are compared with what would be written, so it is enough that no other documents are among them.
    """
    begun = {
        "settings": _settings(config),
        "source": corpus.source,
        "revision": corpus.revision,
        "splits": {split: int((table.split == split).sum()) for split in SPLITS},
        "tokenizer": checksums.sha256(layout.tokenizer),
    }
    try:
        is_same = files.read_object(layout.begun) == begun
    except (OSError, ValueError):
        is_same = False
    if is_same:
        return sum(1 for _ in layout.tensors.glob("*/*"))
    layout.begun.unlink(missing_ok=True)  # first: what is not removed then is nobody's
    folders.remove(layout.tensors)
    files.write_json(layout.begun, begun)
    return 0


def _refuse_full_disk(layout: Layout, *, lengths: NDArray[np.int64], there: int) -> None:
    """Raise ResourceError if there is too little room for tensor files, which take whole blocks, and the rest."""
    frame = len(tensors.to_bytes(np.empty(0, dtype=np.int32)))
    files = -(-(frame + 4 * lengths) // BLOCK) * BLOCK
    share = 1 - there / len(lengths)
    needed = int(files.sum() * share) + int(4 * lengths.sum()) + BYTES_A_DOCUMENT * len(lengths)
    refuse_full_disk(layout.root, needed=needed, files=len(lengths) - there + 256)


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
    if changed := changes(before, now):
        raise UsageError(
            f"{layout.root} was made from other settings ({', '.join(changed)}); replace it with --overwrite, "
            "or choose another --name"
        )
    return True


def _refuse_foreign_files(layout: Layout) -> None:
    """Raise UsageError if there are files in the directory that an earlier preprocess did not write."""
    if not layout.root.exists():
        return
    if not layout.root.is_dir():
        raise UsageError(f"{layout.root} is a file; choose another --name")
    ours = (layout.manifest, layout.documents, layout.tokenizer, layout.report, layout.tensors, layout.packed.root)
    left_over = [path for path in layout.root.iterdir() if path.suffix == ".tmp" and path.name.startswith(".")]
    if foreign := {path.name for path in layout.root.iterdir()} - {path.name for path in (*ours, *left_over)}:
        raise UsageError(
            f"{layout.root} has files that textclf did not write ({', '.join(sorted(foreign)[:3])}); "
            "choose another --name"
        )


def _divide(found: NumberedCorpus, config: PreprocessConfig) -> tuple[NDArray[np.int64], Division]:
    """Draw the splits that are lacking; returns the documents' places in the corpus by split, and the documents so."""
    train = found.documents.part("train")
    if len(classes := np.unique(train.label)) < 2:
        raise DataError(f"{config.source}: needs at least two classes, found one: {found.labels[classes[0]]!r}")
    split = splits.complete(
        found.documents, test_size=config.test_size, validation_size=config.validation_size, seed=config.seed
    )
    order = np.argsort(split, kind="stable")
    return order, Division(split[order], found.documents.label[order], found.documents.text[order])


def _learn(
    found: NumberedCorpus, tokenized: TokenizedPreTokens, train: NDArray[np.int64], config: PreprocessConfig
) -> Tokenizer:
    """The vocabulary of the training documents, which are at these places."""
    is_train = np.zeros(len(found.offsets) - 1, dtype=bool)
    is_train[train] = True
    counts = tokenized.count_tokens(found.count_pre_tokens(is_train))
    return Tokenizer.from_counts(
        counts,
        max_vocab=config.max_vocab,
        max_parts=config.parts(tokens=sum(counts.values())),
        min_count=config.min_count,
        lowercase=config.lowercase,
    )


def _unseen_labels(parts: Division, labels: list[str], *, strict: bool) -> tuple[str, ...]:
    """A warning that lists the labels that only validation or test has; raises DataError instead if strict."""
    unseen = splits.unseen_labels(parts, labels)
    if not unseen:
        return ()
    listed = ", ".join(f"{label!r} ({count})" for label, count in unseen.items())
    warning = f"no training document has these labels, so their documents count as errors: {listed}"
    if strict:
        raise DataError(f"{warning}; leave out --strict to accept that")
    return (warning,)


def _name_documents(found: NumberedCorpus, order: NDArray[np.int64], parts: Division, *, seed: int) -> Documents:
    """The table of documents, still without what tokenizing tells."""
    train = parts.part("train")
    counts = np.bincount(parts.split, minlength=len(SPLITS)).tolist()
    tiers = np.full(len(order), "", dtype="<U5")
    nested = splits.nested_order(train.label, seed=seed)
    classes = len(np.unique(train.label))
    for name in reversed(list(TIERS)):
        tiers[nested[: max(TIERS[name].size(len(nested)), classes)]] = name
    return Documents(
        id=np.array(
            [f"{split}-{number:07}" for split, count in zip(SPLITS, counts, strict=True) for number in range(count)]
        ),
        source=np.array(found.source_ids(), dtype=object)[order],
        label=np.array(found.labels, dtype=object)[parts.label],
        split=np.repeat(SPLITS, counts),
        tier=tiers,
        tokens=np.zeros(len(order), dtype=np.int32),
        crc32=np.zeros(len(order), dtype=np.uint32),
    )


_NOT_COMPARED: Final = (
    {"near": 0, "near_crossing": 0},
    (f"near-copies were not looked for: that is done for up to {COMPARED:,} documents",),
)


def _near_copies(table: Documents, signatures: NDArray[np.uint32]) -> tuple[dict[str, int], tuple[str, ...]]:
    """Count the documents that are nearly the same as an earlier one, and those of them in another split; no note.

    Copies that are the same are not counted.
    """
    first = near_copies(signatures)
    same = (table.crc32 == table.crc32[first]) & (table.tokens == table.tokens[first])
    near = (first != np.arange(len(first))) & ~same
    crossing = near & (table.split != table.split[first])
    return {"near": int(near.sum()), "near_crossing": int(crossing.sum())}, ()


def _describe(
    corpus: Corpus,
    table: Documents,
    written: WrittenDocuments,
    is_empty: NDArray[np.bool_],
    copies: dict[str, int],
    notes: Sequence[str],
) -> DataReport:
    """What is in the directory, for people."""
    described = {}
    for split, rows in ((split, np.flatnonzero(table.split == split)) for split in SPLITS):
        described[split] = describe_split(
            written.words[rows],
            written.unknown[rows],
            table.label[rows].tolist(),
            empty=int(is_empty[rows].sum()),
            most=data_report.USUALLY_READ,
        )
    return DataReport(
        name=corpus.name,
        source=corpus.source,
        splits=described,
        tiers={name: int(np.isin(table.tier, list(TIERS)[: place + 1]).sum()) for place, name in enumerate(TIERS)},
        duplicates=copies,
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
        checksums={path.name: checksums.sha256(path) for path in (layout.tokenizer, layout.documents, layout.report)},
    )
    packed.finish(layout.packed, table.tokens, fingerprint=made.fingerprint)
    manifest.write(layout, made)
