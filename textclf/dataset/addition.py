"""The documents that are added to a data directory: encoded by its vocabulary, each with the split that it joins.

Of the new documents, validation and test get as many as keep their shares, if these splits were drawn at first. A
near-copy of a document that is there goes to the split which has that, so that none of a test document is trained on.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from textclf.config import PreprocessConfig
from textclf.dataset import build, corrections, splits
from textclf.dataset.corrections import DROPPED, Amended
from textclf.dataset.label_sets import LabelSets
from textclf.dataset.manifest import DataLayout
from textclf.dataset.near_copies import near_copies
from textclf.dataset.packed import PackedTokens
from textclf.dataset.parts import Parts
from textclf.dataset.read_corpus import NumberedCorpus, Work, read_corpus
from textclf.dataset.scanned import ScannedData, token_keys
from textclf.dataset.write_parts import NumberedDocuments, PartPlan, WrittenDocuments, joined, prepare, write_parts
from textclf.errors import DataError, UsageError
from textclf.sources import SPLITS, Corpus
from textclf.system import files


@dataclass(frozen=True, slots=True)
class Addition:
    """D documents that are added."""

    corpus: Corpus
    texts: NumberedCorpus
    labelled: LabelSets
    written: WrittenDocuments
    tokens: PackedTokens
    is_empty: NDArray[np.bool_]
    """Shape (D,)."""
    split: NDArray[np.int8]
    """Shape (D,), index in SPLITS, or DROPPED."""
    record: list[dict[str, Any]]
    """What the manifest says about each list of corrections."""
    copies: int = 0
    """Documents that are, or are nearly, the same as one that is there."""
    left_out: int = 0
    """Those of them that are copies of a document of a split that gets no others."""

    @property
    def counts(self) -> dict[str, int]:
        """Documents that each split gets."""
        return {name: int((self.split == place).sum()) for place, name in enumerate(SPLITS)}


def read_addition(
    corpus: Corpus, lists: Sequence[corrections.CorrectionList], there: ScannedData, *, scratch: Path, work: Work
) -> Addition:
    """Read the documents of a corpus, encode them into ``scratch``, and divide them into splits.

    Raises UsageError if all are copies of documents that are there, DataError if they cannot be used or none is left.
    """
    return _placed(_encoded(corpus, lists, there, scratch=scratch, work=work), there)


def _encoded(
    corpus: Corpus, lists: Sequence[corrections.CorrectionList], there: ScannedData, *, scratch: Path, work: Work
) -> Addition:
    """The documents with the splits that the corpus gives them."""
    manifest = there.data.manifest
    files.make_folder(scratch)
    lowercase = bool(manifest.settings.get("lowercase", True))
    texts = read_corpus(corpus.splits, lowercase=lowercase, spool=scratch / "numbers.bin", work=work)
    labelled = build.label_sets_of(texts, corpus, PreprocessConfig(task=manifest.task))
    amended = Amended(texts, texts.documents.split, [])
    if lists:
        amended = corrections.apply(lists, amended, labelled, corpus)
        labelled = labelled._replace(sets=amended.texts.sets)
    lengths = np.diff(texts.offsets).astype(np.int32)
    numbered = NumberedDocuments(texts.spool, texts.offsets[:-1], lengths, there.tokenizer.word_ids)
    numbered.save(texts.pre_tokens.tokenize().encode(there.tokenizer))
    layout = DataLayout(scratch)
    plan = PartPlan(layout, 0, 0, numbered, None, compare=there.compare, is_resumed=False, batch=work.batch)
    prepare(layout, has_tensors=False)
    written = joined([part.documents for part in write_parts([plan], [None], work=work)])
    tokens = PackedTokens(layout.packed, written.lengths, Parts(len(lengths), len(lengths)))
    return Addition(corpus, amended.texts, labelled, written, tokens, lengths == 0, amended.split, amended.record)


def _placed(new: Addition, there: ScannedData) -> Addition:
    """The documents with the splits that they join; raises what `read_addition` raises."""
    split = new.split.copy()
    of_copy = _splits_of_copies(new, there)
    is_copy = (of_copy >= 0) & (split != DROPPED)
    keys = token_keys(new.written.crc32, new.written.lengths)
    if is_copy.any() and np.isin(keys, there.keys).all():
        raise UsageError(f"{there.data.layout.root} has the documents of {new.corpus.source} already: nothing to add")
    grows = np.array([name == "train" or name in there.data.manifest.drawn for name in SPLITS])
    moved = is_copy & (split == 0)
    split[moved] = np.where(grows[of_copy[moved]], of_copy[moved], DROPPED)
    free = (split == 0) & ~is_copy
    split[free] = _draw(new, free, split, there)
    if (split == DROPPED).all():
        raise DataError(f"{new.corpus.source}: no document is left to add")
    return replace(new, split=split, copies=int(is_copy.sum()), left_out=int((split[moved] == DROPPED).sum()))


def _splits_of_copies(new: Addition, there: ScannedData) -> NDArray[np.int8]:
    """The split of the document of which each new one is a copy or a near-copy, shape (D,); -1: of none.

    Of several it is the last split: a copy of a test document is one of test, whatever train has.
    """
    found = np.full(len(new.split), -1, dtype=np.int8)
    says_something = new.written.lengths > new.written.unknown
    keys = token_keys(new.written.crc32, new.written.lengths)
    for place in range(len(SPLITS)):
        found[says_something & np.isin(keys, there.keys[there.split == place])] = place
    if there.compare:
        for place in range(len(SPLITS)):
            old = there.written.signatures[there.split == place]
            first = near_copies(np.concatenate((old, new.written.signatures)))[len(old) :]
            found[says_something & (first < len(old)) & (found < place)] = place
    return found


def _draw(new: Addition, free: NDArray[np.bool_], split: NDArray[np.int8], there: ScannedData) -> NDArray[np.int8]:
    """The splits of the documents that may go to any, so that validation and test keep their shares."""
    manifest = there.data.manifest
    strata = new.labelled.strata(
        new.texts.documents.label, counts=new.labelled.counts(new.texts.documents.label[split != DROPPED])
    )
    codes = new.texts.documents._replace(label=strata).take(free)
    every = len(there.data.documents) + int((split != DROPPED).sum())
    counts = {}
    for name in reversed(manifest.drawn):  # test before validation, as `splits.draw_missing` does
        has = manifest.splits[name] + int((split == SPLITS.index(name)).sum())
        share = float(manifest.settings[f"{name}_size"])
        counts[name] = min(max(round(share * every) - has, 0), len(codes.text) // 3)
    return splits.draw(codes, counts, seed=int(manifest.settings["seed"]))
