"""Reviewed lists of corrections: labels that are wrong, and documents to leave out. The source stays as it is.

A list is a table with a column ``id``, the source's id of a document, and at least one of these, of which a row that
corrects nothing leaves all empty:

    label    all labels that the document should have
    add      a label that it lacks, where a document may have several
    remove   a label that it has and should not, likewise
    drop     x, yes, true or 1: leave the document out

A column ``split`` tells documents of the same id apart; a column ``given`` must have the label that is corrected. All
other columns are ignored, so that a file of `textclf suspects` is such a list once it is reviewed.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from textclf import sources
from textclf.dataset.label_sets import MULTI, LabelSets
from textclf.dataset.read_corpus import NumberedCorpus
from textclf.errors import DataError, UsageError
from textclf.settings import nearest
from textclf.sources import SPLITS, Columns, Corpus, Row
from textclf.sources.advice import without_options
from textclf.sources.columns import cell_separator
from textclf.sources.document import EMPTY, shortened
from textclf.system import checksums
from textclf.system.wording import counted

DROPPED: Final = -1
"""The split of a document that is left out."""

VERDICTS: Final = ("label", "add", "remove", "drop")
"""Columns, at least one of which a list must have."""
VERDICT: Final = f"{', '.join(VERDICTS[:-1])} or {VERDICTS[-1]}"

_DROPS: Final = {
    **dict.fromkeys(("x", "yes", "y", "true", "1", "1.0", "drop"), True),
    **dict.fromkeys(("", "no", "n", "false", "0", "0.0"), False),
}
_TABLES: Final = ("csv", "tsv", "jsonl", "json", "parquet", "xlsx")
_READ_AT_ONCE: Final = 100_000  # ids of the source that are strings at the same time


class Correction(NamedTuple):
    """A row of a list that corrects something."""

    place: str
    id: str
    split: str | None
    given: object
    """What the document's labels must be, as the file spells them; empty: whatever they are."""
    label: object
    add: object
    remove: object
    drops: bool


class CorrectionList(NamedTuple):
    """A file."""

    name: str
    sha256: str
    rows: Sequence[Correction]


class Amended(NamedTuple):
    """A corpus and the lists that were applied to it; D documents."""

    texts: NumberedCorpus
    split: NDArray[np.int8]
    """Shape (D,), the split of each document, DROPPED of those that are left out."""
    record: list[dict[str, Any]]
    """What the manifest says about each list."""


def read(paths: Sequence[str]) -> list[CorrectionList]:
    """Read the lists; raises UsageError if one is not there, DataError if it is no table or corrects nothing."""
    return [_read(path) for path in sources.files(paths)]


def _read(path: Path) -> CorrectionList:
    if not path.is_file():
        raise UsageError(f"{path} is not a file: corrections are a table with the columns id and {VERDICT}")
    asked = Columns(text=("id",))
    try:
        kind, _ = sources.described(path, kind="auto", columns=asked, known=Columns())
        if kind not in _TABLES:
            raise UsageError("it is no table")
        rows = list(sources.rows(path, kind=kind, columns=asked, all_columns=True))
    except DataError as error:
        raise DataError(without_options(str(error))) from error
    except UsageError as error:
        reason = str(error).split(";")[0]
        raise DataError(
            f"{path} is no list of corrections ({reason}): it needs the columns id and {VERDICT}"
        ) from error
    if not rows:
        raise DataError(f"{path} is empty: corrections are a table with the columns id and {VERDICT}")
    found = [correction for row in rows if (correction := _correction(row)) is not None]
    if not any(name in row.record for row in rows for name in VERDICTS):
        raise DataError(f"{path} has no column {VERDICT}: it corrects nothing")
    if not found:
        raise DataError(f"{path}: no row corrects anything: fill {VERDICT} of those that do")
    return CorrectionList(path.name, checksums.sha256(path), found)


def _correction(row: Row) -> Correction | None:
    """What a row corrects; None if its columns of VERDICTS are empty. Raises DataError if it contradicts itself."""
    if row.error:
        raise DataError(f"{row.place}: the id is empty" if row.error.endswith(EMPTY) else without_options(row.error))
    label, add, remove = (_filled(row.record.get(name)) for name in VERDICTS[:-1])
    drop = "" if (value := row.record.get("drop")) is None else str(value).strip().lower()
    if drop not in _DROPS:
        raise DataError(f"{row.place}: drop is {shortened(drop)}; write x to leave the document out, or nothing")
    if (label is not None) + (add is not None or remove is not None) + _DROPS[drop] > 1:
        raise DataError(f"{row.place}: label, add or remove, and drop exclude each other: keep one")
    if label is add is remove is None and not _DROPS[drop]:
        return None
    split = _filled(row.record.get("split"))
    if split is not None and split not in SPLITS:
        raise DataError(f"{row.place}: the split {shortened(str(split))} is none of {', '.join(SPLITS)}")
    given = _filled(row.record.get("given"))
    return Correction(row.place, row.text, split and str(split), given, label, add, remove, _DROPS[drop])


def _filled(value: object) -> object:
    """The value of a cell; None if it is empty."""
    return None if value is None or (isinstance(value, str) and not value.strip()) else value


def apply(lists: Sequence[CorrectionList], before: Amended, labelled: LabelSets, corpus: Corpus) -> Amended:
    """Apply lists, one after the other, to documents whose ``split`` may have been drawn from that of the source.

    Raises DataError that names the row of the list if an id is not in the source or in several of its splits, if a
    document is corrected twice in a list, or if no document of the source has a label.
    """
    texts, columns = before.texts, _Labels(before.texts, labelled, corpus)
    dropped = np.zeros(len(before.split), dtype=bool)
    record = []
    for each in lists:
        rows = _rows_of(each, texts, corpus)
        earlier, already = columns.label.copy(), int(dropped.sum())
        seen: dict[int, Correction] = {}
        for correction, row in zip(each.rows, rows, strict=True):
            _refuse_twice(seen, row, correction)
            if dropped[row]:
                raise DataError(f"{correction.place}: another list drops the document {shortened(correction.id)}")
            columns.check_given(row, correction, is_first=row not in seen)
            seen.setdefault(row, correction)
            if correction.drops:
                dropped[row] = True
            else:
                columns.correct(row, correction)
        changed = int((columns.label != earlier).sum())
        record.append(
            {
                "file": each.name,
                "sha256": each.sha256,
                "relabelled": changed,
                "dropped": int(dropped.sum()) - already,
            }
        )
    source_split = np.where(dropped, np.int8(DROPPED), texts.documents.split)
    sets, label = columns.used(~dropped)
    documents = texts.documents._replace(label=label, split=source_split)
    return Amended(
        texts._replace(documents=documents, sets=sets), np.where(dropped, np.int8(DROPPED), before.split), record
    )


def note(record: Mapping[str, Any]) -> str:
    """A sentence about a list that the manifest records."""
    changed, dropped = record["relabelled"], record["dropped"]
    return (
        f"{record['file']} (sha256 {record['sha256'][:16]}) has corrected the labels of "
        f"{counted(changed, 'document')} and left out {dropped:,}"
    )


class _Labels:
    """The labels of all documents while they are corrected."""

    def __init__(self, texts: NumberedCorpus, labelled: LabelSets, corpus: Corpus) -> None:
        self._sets = list(texts.sets)
        self._place = {labels: place for place, labels in enumerate(self._sets)}
        self._names = labelled.names()
        self._is_multi = labelled.task == MULTI
        self._separator = cell_separator(corpus.columns, self._names)
        self._source = corpus.source
        self.label = texts.documents.label.copy()
        """Shape (D,), the place of each document's labels."""

    def correct(self, row: int, correction: Correction) -> None:
        """Change the labels of a document."""
        if correction.label is not None:
            labels = {*self._known(correction.label, correction.place)}
            if not self._is_multi and len(labels) != 1:
                raise DataError(f"{correction.place}: {counted(len(labels), 'label')}; each document has one")
        else:
            if not self._is_multi:
                raise DataError(f"{correction.place}: add and remove are for documents of several labels: fill label")
            labels = {*self._sets[self.label[row]]} | {*self._known(correction.add, correction.place)}
            labels -= {*self._known(correction.remove, correction.place)}
        chosen = tuple(sorted(labels))
        place = self._place.setdefault(chosen, len(self._sets))
        self._sets += [chosen] if place == len(self._sets) else []
        self.label[row] = place

    def check_given(self, row: int, correction: Correction, *, is_first: bool) -> None:
        """Raise DataError if the list is about another label than the document has: it is a list of other documents."""
        if correction.given is None or not is_first:
            return
        own = self._sets[self.label[row]]
        if {*self._split(correction.given)} != {*own}:
            raise DataError(
                f"{correction.place}: the document {shortened(correction.id)} of {self._source} has "
                f"{shortened(', '.join(own))}, not {shortened(str(correction.given))}: is it a list for another source?"
            )

    def used(self, kept: NDArray[np.bool_]) -> tuple[list[tuple[str, ...]], NDArray[np.int32]]:
        """The sets of the documents that are kept, in alphabetical order, and the place of each document's among them.

        Those of other documents have any place.
        """
        present = np.unique(self.label[kept]).tolist()
        present.sort(key=self._sets.__getitem__)
        places = np.zeros(len(self._sets), dtype=np.int32)
        places[present] = np.arange(len(present))
        return [self._sets[place] for place in present], places[self.label]

    def _split(self, value: object) -> Sequence[str]:
        """The labels that a cell spells."""
        if isinstance(value, list | tuple):
            return [str(each) for each in value]
        text = str(value)
        if not self._is_multi:
            return [text]
        return [label for piece in text.split(self._separator) if (label := piece.strip())]

    def _known(self, value: object, place: str) -> Sequence[str]:
        """The labels of a cell; raises DataError for one that no document of the source has."""
        found = [] if value is None else self._split(value)
        for label in found:
            if label not in self._names:
                hint = (
                    nearest(label, self._names).rstrip() or f"there are {', '.join(map(shortened, self._names[:10]))}"
                )
                raise DataError(f"{place}: no document of {self._source} has the label {shortened(label)}; {hint}")
        return found


def _refuse_twice(seen: Mapping[int, Correction], row: int, correction: Correction) -> None:
    """Raise DataError for a document that was corrected before, unless both rows add and remove labels."""
    first = seen.get(row)
    if first is None or all(each.label is None and not each.drops for each in (first, correction)):
        return
    raise DataError(
        f"{correction.place}: the document {shortened(correction.id)} was corrected before, in {first.place}"
    )


def _rows_of(each: CorrectionList, texts: NumberedCorpus, corpus: Corpus) -> list[int]:
    """The document of each row of a list, as a row of the corpus."""
    found = _documents({correction.id for correction in each.rows}, texts)
    if missing := [correction for correction in each.rows if correction.id not in found]:
        first = f"{shortened(missing[0].id)} ({missing[0].place})"
        which = "is not" if len(missing) == 1 else "are not"
        raise DataError(f"{each.name}: {counted(len(missing), 'id')} {which} in {corpus.source}, the first {first}")
    return [_document(correction, found[correction.id], texts, corpus) for correction in each.rows]


def _document(correction: Correction, rows: Sequence[int], texts: NumberedCorpus, corpus: Corpus) -> int:
    """The one document that is meant, of those with its id in several splits."""
    of_split = {SPLITS[texts.documents.split[row]]: row for row in rows}
    if correction.split is None:
        if len(rows) > 1:
            raise DataError(
                f"{correction.place}: the id {shortened(correction.id)} is in {' and in '.join(of_split)} of "
                f"{corpus.source}: name one in a column split"
            )
        return rows[0]
    split = correction.split if correction.split in corpus.splits else "train"  # which it was drawn from
    if split not in of_split:
        raise DataError(
            f"{correction.place}: the id {shortened(correction.id)} is in {' and in '.join(of_split)} of "
            f"{corpus.source}, not in {correction.split}"
        )
    return of_split[split]


def _documents(ids: set[str], texts: NumberedCorpus) -> Mapping[str, list[int]]:
    """The rows of the corpus that have each of these ids, one for each split at most."""
    found: dict[str, list[int]] = defaultdict(list)
    for start in range(0, len(texts.documents.label), _READ_AT_ONCE):
        some = np.arange(start, min(start + _READ_AT_ONCE, len(texts.documents.label)))
        for row, name in enumerate(texts.ids.strings(some), start=start):
            if name in ids:
                found[name].append(row)
    return found
