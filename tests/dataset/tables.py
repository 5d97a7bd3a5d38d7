"""Tables of documents, as lists of what each document has, and made from such lists."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from textclf.config import TIERS
from textclf.dataset.documents import NO_TIER, DocumentNames, Documents, Label
from textclf.sources import SPLITS


def columns(documents: Documents) -> dict[str, list[object]]:
    """What the table has on the disk."""
    rows = range(len(documents))
    return {
        "id": documents.names.of(rows),
        "source": list(documents.source),
        "label": labels(documents),
        "split": [documents.split_of(row) for row in rows],
        "tier": ["" if tier == NO_TIER else list(TIERS)[tier] for tier in documents.tier],
        "tokens": documents.tokens.tolist(),
        "crc32": documents.crc32.tolist(),
    }


def labels(documents: Documents, rows: object = slice(None)) -> list[Label]:
    """The label of each document, or of some."""
    return [documents.labels[label] for label in documents.label[rows]]


def relabelled(documents: Documents, given: dict[int, Label]) -> Documents:
    """The documents with other labels for some rows."""
    found = labels(documents)
    for row, label in given.items():
        found[row] = label
    distinct = tuple(sorted(set(found)))
    return replace(documents, label=np.array(list(map(distinct.index, found)), dtype=np.int32), labels=distinct)


def made(
    splits: Sequence[str],
    given: Sequence[Label],
    *,
    source: Sequence[str] = (),
    tokens: Sequence[int] = (),
    crc32: Sequence[int] = (),
) -> Documents:
    """Documents of these splits, in order, and labels."""
    distinct = tuple(sorted(set(given)))
    return Documents(
        DocumentNames(tuple(map(list(splits).count, SPLITS))),
        source or list(map(str, range(len(given)))),
        np.array(list(map(distinct.index, given)), dtype=np.int32),
        distinct,
        np.array([0 if split == "train" else NO_TIER for split in splits], dtype=np.int8),
        np.array(tokens or [0] * len(given), dtype=np.int32),
        np.array(crc32 or [0] * len(given), dtype=np.uint32),
    )
