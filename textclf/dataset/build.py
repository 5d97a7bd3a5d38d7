"""Build a data directory from a corpus: read, split, learn the vocabulary, write tensors, describe, finish.

Knows nothing about models. Texts are read once, and only a few of them are in memory at a time.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from textclf import sources
from textclf.config import TENSORS_UP_TO, TIERS, PreprocessConfig
from textclf.dataset import corrections, examples, existing, splits
from textclf.dataset.corrections import Amended, CorrectionList
from textclf.dataset.data_report import DataReport, describe_split, read_report, write_report
from textclf.dataset.documents import NO_TIER, DocumentNames, Documents
from textclf.dataset.engine import Engine, Here
from textclf.dataset.label_lists import find_label_lists
from textclf.dataset.label_sets import MULTI, LabelSets, find_task
from textclf.dataset.manifest import FORMAT_VERSION, DataLayout, Manifest, write_manifest
from textclf.dataset.near_copies import COMPARED, find_near_copies
from textclf.dataset.odd_labels import refuse_odd_labels
from textclf.dataset.parts import Parts
from textclf.dataset.read_corpus import BATCH, BatchSize, NumberedCorpus, Progress, Work
from textclf.dataset.shards import OnCluster, refuse_other_sources
from textclf.dataset.table import HeldIds, import_in_background, write_table
from textclf.dataset.write_parts import (
    NumberedDocuments,
    PartPlan,
    WrittenDocuments,
    WrittenPart,
    joined,
    prepare,
    room_needed,
)
from textclf.errors import DataError
from textclf.sources import SPLITS, Columns, Corpus, SourceOptions
from textclf.sources.dialect import in_shell
from textclf.sources.document import shortened
from textclf.system import checksums, files, folders, requirements, workers
from textclf.system.startup import processors
from textclf.system.wording import counted, form, shown_bytes
from textclf.system.workers import Mapper
from textclf.text.batch_encoder import ByteStrings
from textclf.text.corpus_encoder import TokenizedPreTokens
from textclf.text.tokenizer import Tokenizer

LARGE: Final = 10_000_000  # bytes of files that keep one process busy for longer than workers take to start

MANY_TENSORS: Final = 50_000  # files of documents from which on it is said how much room they take


def preprocess(  # noqa: PLR0913 (the last four are as they are for everyone but tests and clusters)
    config: PreprocessConfig,
    *,
    held: object = None,
    progress: Progress = lambda items, _title, _total: items,
    tell: Callable[[str], None] = lambda _line: None,
    batch: BatchSize = BATCH,
    part_size: int | None = None,
    cluster: Mapper | None = None,
) -> tuple[Path, DataReport]:
    """Make ``data/<name>`` from a corpus, or from documents ``held`` in memory, which replace the config's source.

    A directory that was made from the same settings is left as it is. A new one is in parts of ``part_size`` documents,
    which must be the same for the same bytes, or as `Parts.of` divides them.
    Returns its path and its report. The directory appears whole, and an old one stays until then. Tensors of a run that
    was killed are reused, and ``tell`` gets a line about that. Tasks of a ``cluster`` write the same bytes; what they
    have read stays if the work ends early. Raises UsageError if there is no such source, or if the directory was made
    from other settings (unless ``overwrite``), DataError if the documents cannot be used, ResourceError if the disk is
    full.
    """
    requirements.need("preprocess", requirements.TABLES)
    lists = corrections.read(config.corrections)
    options = options_of(config)
    corpus = sources.load(config.source, options=options) if held is None else sources.hold(held, options=options)
    layout = DataLayout(config.data_dir / corpus.name)
    if not config.overwrite and existing.is_finished(
        layout, origin=existing.origin_of(corpus, config, lists), tensors=config.tensors
    ):
        return layout.root, read_report(layout.report)
    existing.refuse_foreign_files(layout)
    if lost := existing.lost_additions(layout):
        tell(lost)
    if cluster is not None:
        refuse_other_sources(corpus)
    count, alone_seconds = config.num_workers or processors(), 0 if corpus.size >= LARGE else workers.ALONE_SECONDS
    with (
        folders.replacing(layout.root, keeps=cluster is not None) as folder,
        workers.lazy_pool(count, imports=PartPlan.__module__, alone_seconds=alone_seconds) as pool,
    ):
        engine = Here(Work(pool, progress, batch)) if cluster is None else OnCluster(cluster, progress, batch)
        report = _build(DataLayout(folder), corpus, config, lists, part_size=part_size, engine=engine, tell=tell)
    return layout.root, report


def _build(  # noqa: PLR0913 (what a directory is made from, and how)
    layout: DataLayout,
    corpus: Corpus,
    config: PreprocessConfig,
    lists: Sequence[CorrectionList],
    *,
    part_size: int | None,
    engine: Engine,
    tell: Callable[[str], None],
) -> DataReport:
    """Fill a new directory, or one that a killed run has begun."""
    scratch = layout.root / "scratch"
    existing.remove_all_but_tokens(layout, also=[scratch] if engine.keeps_shards else ())
    files.refuse_full_disk(layout.root, needed=corpus.size, count=0)  # numbers take about as much room as texts
    files.make_folder(scratch)
    texts = engine.read(corpus, scratch, lowercase=config.lowercase)

    given = {SPLITS[place] for place in np.unique(texts.documents.split)}
    (texts, split, record), labelled, strata = _assigned(texts, corpus, config, lists)
    order = np.argsort(split, kind="stable").astype(np.int32)[np.count_nonzero(split < 0) :]
    codes = texts.documents._replace(split=split).take(order)
    if config.strict:
        _refuse_unseen_labels(codes, labelled)
    pre_tokens = texts.pre_tokens.tokenize()
    tokenizer = _learn_vocabulary(engine.count(texts, split == 0), pre_tokens, config)
    files.write_json(layout.tokenizer, tokenizer.to_json())

    starts, lengths = texts.offsets[order], np.diff(texts.offsets).astype(np.int32)[order]
    ids = texts.ids.at(order)
    table = _make_table(ids, labelled, codes, strata[order], seed=config.seed)
    spool = texts.spool
    del texts, strata, split, order  # 40 bytes per document
    has_tensors = config.has_tensors(documents=len(table))
    parts = Parts(len(table), part_size) if part_size else Parts.of(len(table))
    origin = existing.origin_of(corpus, config, lists) | _origin_of_tokens(layout, table, part_size=parts.size)
    reused = existing.begin(layout, origin=origin, has_tensors=has_tensors)
    numbered = NumberedDocuments(spool, starts, lengths, tokenizer.word_ids)
    names = table.names if has_tensors else None
    plans = _plans(layout, numbered, names, parts, is_resumed=reused > 0, batch=engine.batch)
    found = engine.found(plans)
    _tell_what_is_there(reused, found, documents=len(table), tell=tell)
    tell_room(lengths, config.tensors, has_tensors=has_tensors, tell=tell)
    needed = room_needed(lengths, reused=reused, has_tensors=has_tensors)
    files.refuse_full_disk(layout.root, needed=needed.bytes, count=needed.files)
    import_in_background()  # while workers write
    numbered.save(pre_tokens.encode(tokenizer))
    prepare(layout, has_tensors=has_tensors)
    whole = engine.write(plans, found)
    files.remove(scratch)

    written = joined([part.documents for part in whole])
    table = replace(table, tokens=written.lengths, crc32=written.crc32)
    report = replace(describe(corpus, table, written, lengths == 0, codes, name=corpus.name), task=labelled.task)
    report = replace(report, notes=(*report.notes, *map(corrections.note, record)))
    manifest = _manifest(corpus, config, table, report, given=given, vocabulary=tokenizer.size)
    checksums_of_parts = [part.checksum for part in whole]
    manifest = replace(manifest, packed=checksums_of_parts, part_size=parts.size, has_tensors=has_tensors)
    manifest = replace(manifest, corrections=record)
    _finish(layout, manifest, table, ids, report)
    return report


def _plans(
    layout: DataLayout,
    numbered: NumberedDocuments,
    names: DocumentNames | None,
    parts: Parts,
    *,
    is_resumed: bool,
    batch: BatchSize,
) -> list[PartPlan]:
    """How each part is written."""
    return [
        PartPlan(
            layout,
            number,
            rows.start,
            numbered.at(rows),
            names,
            compare=parts.documents <= COMPARED,
            is_resumed=is_resumed,
            batch=batch,
        )
        for number, rows in enumerate(parts)
    ]


def _tell_what_is_there(
    tensors: int, found: Sequence[WrittenPart | None], *, documents: int, tell: Callable[[str], None]
) -> None:
    """Say what a stopped run has written that is used."""
    whole = sum(1 for part in found if part)
    if tensors:
        there = f"{tensors:,} of {counted(documents, 'tensor')} {form(tensors, 'is', 'are')} there"
    elif whole:
        there = f"{whole:,} of {counted(len(found), 'part')} {form(whole, 'is', 'are')} there"
    else:
        return
    tell(f"resuming an earlier run: {there}")


def options_of(config: PreprocessConfig) -> SourceOptions:
    """How the source is read."""
    return SourceOptions(
        columns=Columns(**{field: getattr(config, setting) for field, setting in existing.COLUMNS.items()}),
        config=config.subset,
        revision=config.revision,
        kind=config.input_format,
        part=config.part,
        test=config.test,
        validation=config.validation,
        name=config.name,
    )


def label_sets_of(texts: NumberedCorpus, corpus: Corpus, config: PreprocessConfig) -> LabelSets:
    """The labels of a corpus; raises DataError if a document has none, or several, and must have one."""
    names: list[str] = []
    if any(len(labels) != 1 for labels in texts.sets):
        names += texts.ids.strings(np.unique(texts.documents.label, return_index=True)[1])
    return LabelSets(texts.sets, find_task(config.task, texts.sets, corpus.columns, source=corpus.source, first=names))


def _assigned(
    texts: NumberedCorpus, corpus: Corpus, config: PreprocessConfig, lists: Sequence[CorrectionList]
) -> tuple[Amended, LabelSets, NDArray[np.int32]]:
    """The documents with their splits and corrections, their labels, and what tiers are drawn by.

    Splits are drawn by the labels of the source: a correction moves no document, so that models from before and after
    can be compared.
    """
    labelled = label_sets_of(texts, corpus, config)
    strata = _checked_strata(texts, labelled, corpus, config)
    amended = Amended(texts, _split(texts, strata, config), [])
    if lists:
        amended = corrections.apply(lists, amended, labelled, corpus)
        labelled = labelled._replace(sets=amended.texts.sets)
        strata = _checked_strata(amended.texts, labelled, corpus, config)
    return amended, labelled, strata


def _checked_strata(
    texts: NumberedCorpus, labelled: LabelSets, corpus: Corpus, config: PreprocessConfig
) -> NDArray[np.int32]:
    """What splits and tiers are drawn by, shape (D,); raises what `check_labels` raises."""
    counts = labelled.counts(texts.documents.of_split("train").label)
    check_labels(corpus, counts, texts=int(texts.documents.text.max()) + 1, config=config, task=labelled.task)
    return labelled.strata(texts.documents.label, counts=counts)


def _split(texts: NumberedCorpus, strata: NDArray[np.int32], config: PreprocessConfig) -> NDArray[np.int8]:
    """The split of each document: as in the source, or drawn where the source has no such split."""
    return splits.draw_missing(
        texts.documents._replace(label=strata),
        test_size=config.test_size,
        validation_size=config.validation_size,
        seed=config.seed,
    )


def check_labels(corpus: Corpus, labels: Mapping[str, int], *, texts: int, config: PreprocessConfig, task: str) -> None:
    """Raise DataError if a model cannot learn these labels: one class, texts, numbers, ids or lists of labels.

    labels: training documents of each label. texts: different texts of all documents.
    """
    if not labels:
        raise DataError(f"{corpus.source}: no training document has a label")
    if task == MULTI:
        return
    if len(labels) < 2:
        raise DataError(f"{corpus.source}: needs at least two classes, found one: {next(iter(labels))!r}")
    refuse_odd_labels(corpus.source, corpus.columns, labels, texts=texts)
    if not config.whole_labels:
        _refuse_label_lists(corpus.source, list(labels))


def _refuse_label_lists(source: str, labels: list[str]) -> None:
    """Raise DataError if labels look like lists of labels, each of which would be a class of its own."""
    if lists := find_label_lists(labels):
        most = ", ".join(shortened(label) for label in lists.labels[:3])
        raise DataError(
            f"{source}: {len(lists.labels):,} of {counted(len(labels), 'label')} "
            f"{form(len(lists.labels), 'looks like a list', 'look like lists')} of labels, separated by "
            f"{lists.separator!r}: {most}; add --label-separator {in_shell(lists.separator)} to give a document all "
            "of its labels, or --whole-labels to make each list a class of its own"
        )


def _refuse_unseen_labels(codes: splits.DocumentCodes, labelled: LabelSets) -> None:
    """Raise DataError if validation or test has a label that train has not."""
    is_train = codes.split == 0
    trained = labelled.counts(codes.label[is_train])
    others = labelled.counts(codes.label[~is_train])
    if unseen := {label: count for label, count in others.items() if label not in trained}:
        listed = ", ".join(f"{label!r} ({count})" for label, count in unseen.items())
        raise DataError(
            f"no training document has these labels, so their documents count as errors: {listed}; "
            "leave out --strict to accept that"
        )


def _learn_vocabulary(
    occurrences: NDArray[np.int64], pre_tokens: TokenizedPreTokens, config: PreprocessConfig
) -> Tokenizer:
    counts = pre_tokens.count_tokens(occurrences)
    return Tokenizer.from_counts(
        pre_tokens.tokens,
        counts,
        max_vocab=config.max_vocab,
        max_parts=config.parts(tokens=int(counts.sum())),
        min_count=config.min_count,
        lowercase=config.lowercase,
    )


def _make_table(
    ids: ByteStrings, labelled: LabelSets, codes: splits.DocumentCodes, strata: NDArray[np.int32], *, seed: int
) -> Documents:
    """The table of documents in the order of all that is given; lengths and checksums of their tokens come later."""
    counts = np.bincount(codes.split, minlength=len(SPLITS)).tolist()
    tier = np.full(len(codes.split), NO_TIER, dtype=np.int8)
    tier[: counts[0]] = splits.tiers(strata[: counts[0]], seed=seed)
    nothing = np.empty(0, dtype=np.int32)
    return Documents(
        DocumentNames(tuple(counts)),
        HeldIds(ids),
        codes.label,
        labelled.labels(),
        tier,
        tokens=nothing,
        crc32=nothing.view(np.uint32),
    )


def _origin_of_tokens(layout: DataLayout, table: Documents, *, part_size: int) -> dict[str, object]:
    """What the tokens of each part follow from, besides the origin of the directory."""
    return {
        "format_version": FORMAT_VERSION,
        "splits": _sizes(table),
        "part_size": part_size,
        "tokenizer": checksums.sha256(layout.tokenizer),
    }


def _sizes(table: Documents) -> dict[str, int]:
    """Documents of each split."""
    return dict(zip(SPLITS, table.names.counts, strict=True))


def tell_room(
    lengths: NDArray[np.integer],
    asked: str | None,
    *,
    has_tensors: bool,
    tell: Callable[[str], None],
    many: int = MANY_TENSORS,
) -> None:
    """Say how much room tensor files take, if they are many or if there are none because they would be too many."""
    room = room_needed(lengths, reused=0, has_tensors=True)
    count = f"{counted(room.files, 'file')} of {shown_bytes(room.bytes)}"
    if has_tensors and len(lengths) > many:
        tell(f"writing {count} in all, a .pt file for each document; --tensors none leaves those out")
    elif not has_tensors and asked is None:
        tell(f"more than {TENSORS_UP_TO:,} documents: no .pt file for each, {count} in all; --tensors all writes them")


def describe(
    corpus: Corpus,
    table: Documents,
    written: WrittenDocuments,
    is_empty: NDArray[np.bool_],
    codes: splits.DocumentCodes,
    *,
    name: str,
) -> DataReport:
    """The report for people."""
    near, notes = find_near_copies(table, written.signatures), tuple(dict.fromkeys(corpus.notes))
    if not written.signatures.size:
        notes += (f"near-copies were not searched for, because there are more than {COMPARED:,} documents",)
    return DataReport(
        name=name,
        source=corpus.source,
        splits={
            split: describe_split(
                written.words[some], written.unknown[some], table.counts(some), empty=int(is_empty[some].sum())
            )
            for split, some in table.names.slices().items()
            if some.start < some.stop
        },
        tiers={name: len(table.rows(name)) for name in TIERS},
        duplicates=splits.duplicates(codes)._asdict() | {"near": near.near, "near_crossing": len(near.crossing)},
        examples=examples.named(table, examples.rows(codes, near, is_empty)),
        notes=notes,
    )


def _manifest(
    corpus: Corpus, config: PreprocessConfig, table: Documents, report: DataReport, *, given: set[str], vocabulary: int
) -> Manifest:
    """The manifest, but for what the files of tokens and tables have; ``given``: the splits that the source has."""
    return Manifest(
        name=corpus.name,
        source=corpus.source,
        revision=corpus.revision,
        settings=existing.settings_of(config),
        columns=corpus.columns,
        task=report.task,
        labels=sorted(report.splits["train"].labels),
        splits=_sizes(table),
        drawn=[name for name, documents in _sizes(table).items() if documents and name not in given],
        tiers=dict(report.tiers),
        vocabulary=vocabulary,
        checksums={},
        packed=[],
    )


def _finish(layout: DataLayout, manifest: Manifest, table: Documents, ids: ByteStrings, report: DataReport) -> None:
    """Write the report, the table of each part with the source's ids, and last of all the manifest."""
    write_report(layout.report, report)
    files.make_folder(layout.documents)
    for path, rows in zip(layout.tables(manifest.parts), manifest.parts, strict=True):
        write_table(path, table, rows, ids.at(np.arange(rows.start, rows.stop)))
    files.remove(layout.written_parts)
    named = (layout.tokenizer, *layout.tables(manifest.parts), layout.report)
    found = {layout.name_of(path): checksums.sha256(path) for path in named}
    write_manifest(layout, replace(manifest, checksums=found))
    layout.begun.unlink()
