"""Where the work on a corpus is done: in this process and its workers, or elsewhere, see `textclf.dataset.shards`."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from textclf.dataset import spool
from textclf.dataset.read_corpus import BatchSize, NumberedCorpus, Work, read_corpus
from textclf.dataset.write_parts import PartPlan, WrittenPart, read_written, write_parts
from textclf.sources import Corpus


class Engine(Protocol):
    """Reads a corpus, counts its words and writes its parts: the same bytes, wherever it does so."""

    @property
    def batch(self) -> BatchSize:
        """Where a batch of documents ends."""

    @property
    def keeps_shards(self) -> bool:
        """Whether what was read stays if the work ends early, and is not read again."""

    def read(self, corpus: Corpus, scratch: Path, *, lowercase: bool) -> NumberedCorpus:
        """Read a corpus into a folder; raises DataError at the first document that cannot be used."""

    def count(self, texts: NumberedCorpus, chosen: NDArray[np.bool_]) -> NDArray[np.int64]:
        """How often the chosen documents, shape (D,), have each of the P distinct pre-tokens, shape (P,)."""

    def found(self, plans: Sequence[PartPlan]) -> list[WrittenPart | None]:
        """The parts that a stopped run has written whole, as far as that is known before `write`."""

    def write(self, plans: Sequence[PartPlan], found: Sequence[WrittenPart | None]) -> list[WrittenPart]:
        """Write the parts that were not found; returns all."""


@dataclass(frozen=True, slots=True)
class Here:
    """This process, and workers of this machine."""

    work: Work

    @property
    def batch(self) -> BatchSize:
        """Where a batch of documents ends."""
        return self.work.batch

    @property
    def keeps_shards(self) -> bool:
        """No: numbers are written in one go."""
        return False

    def read(self, corpus: Corpus, scratch: Path, *, lowercase: bool) -> NumberedCorpus:
        """Read all documents in this process, and split them in workers."""
        return read_corpus(corpus.splits, lowercase=lowercase, spool=scratch / "numbers.bin", work=self.work)

    def count(self, texts: NumberedCorpus, chosen: NDArray[np.bool_]) -> NDArray[np.int64]:
        """Count in this process."""
        return spool.count(texts.spool.paths[0], texts.offsets, chosen, kinds=len(texts.pre_tokens))

    def found(self, plans: Sequence[PartPlan]) -> list[WrittenPart | None]:
        """Look at each part."""
        return [read_written(plan) for plan in plans]

    def write(self, plans: Sequence[PartPlan], found: Sequence[WrittenPart | None]) -> list[WrittenPart]:
        """Encode batches in workers."""
        return write_parts(plans, found, work=self.work)
