"""Documents in memory: data frames, Arrow tables, datasets of the datasets library, pairs, and splits of any of these.

    anything with ``iloc``, such as a pandas.DataFrame         column by column, as Arrow refuses columns of mixed types
    a datasets.Dataset                                         with the names of its ClassLabels
    anything with ``__arrow_c_stream__``, such as a            through the Arrow PyCapsule interface
    polars.DataFrame or a pyarrow.Table
    an iterable of (text, label), (id, text, label) or dicts   row by row
    a mapping of columns                                       row by row
    a mapping of splits, such as a datasets.DatasetDict        each split as one of the above

None of these libraries is imported. Rows count from 0, as in Python.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from dataclasses import dataclass, field
from itertools import chain, islice
from os import PathLike
from typing import Any, Final, NamedTuple

from textclf.errors import DataError, UsageError
from textclf.sources.columns import (
    SAMPLED_RECORDS,
    Roles,
    find_columns,
    follow,
    is_missing,
    listed,
    names_in,
    refuse_repeated,
    to_row,
)
from textclf.sources.document import GOOD, SPLITS, Columns, Corpus, Document, Rows, documents
from textclf.sources.layouts import split_of

ROWS_AT_ONCE: Final = 1_000
"""Rows of an Arrow table that are Python objects together."""

PAIR: Final = Roles(("text",), "label", None)
TRIPLE: Final = PAIR._replace(id="id")

Records = Iterable[Mapping[str, object]]


class Table(NamedTuple):
    """The rows of one split, whatever holds them."""

    names: list[str]
    """Of columns and, as dotted paths, of what is in them."""
    records: Callable[[Roles], Records]
    """Reads rows, anew at each call, with at least the columns of these roles."""
    pairs: Roles | None = None
    """The roles, if they are not found by names."""


@dataclass(frozen=True, slots=True)
class DocumentsInMemory:
    """The documents of one split, read each time they are iterated over."""

    table: Table
    roles: Roles
    where: str
    """How messages name the split."""
    columns: Columns = field(default_factory=Columns)
    """Those that are taken; empty of pairs."""

    @classmethod
    def of(cls, held: object, columns: Columns, where: str) -> "DocumentsInMemory":
        """Find the columns; raises UsageError if they are not clear or if this holds no documents."""
        table = table_of(held, where)
        if table.pairs is None:
            everything = Roles(tuple(table.names), None, None)
            sample = lambda: islice(table.records(everything), SAMPLED_RECORDS)  # noqa: E731
            roles = find_columns(columns, table.names, sample, where=where, needs_label=True)
            return cls(table, roles, where, Columns(**roles._asdict()))
        if columns.text or columns.label or columns.id or columns.flags:
            raise UsageError(f"{where} have no columns: leave out --text-column, --label-column and --id-column")
        return cls(table, table.pairs, where)

    def are_labelled(self) -> bool:
        """Whether any document has a label: competitions hide those of their test split."""
        if self.roles.label is None:
            return True
        label = self.roles.label
        records = self.table.records(self.roles._replace(text=(), id=None))
        return any(not is_missing(_value(values, label)) for values in records)

    def __iter__(self) -> Iterator[Document]:
        return documents(self._rows(), where=self.where)

    def _rows(self) -> Rows:
        for number, values in enumerate(self.table.records(self.roles)):
            yield to_row(self._place(number, values), values, self.roles)

    def _place(self, number: int, values: Mapping[str, object]) -> str:
        row_id = None if self.roles.id is None else _value(values, self.roles.id)
        return f"{self.where}[{number}]" if is_missing(row_id) else f"{self.where}[{number}] (id {row_id!r})"


def is_in_memory(source: object) -> bool:
    """Tell documents in memory from names of corpora, files and folders, one or several, and from other things."""
    if isinstance(source, str | bytes | PathLike | Set) or source is None:
        return False
    if isinstance(source, list | tuple):
        return bool(source) and not isinstance(source[0], str | PathLike)
    return isinstance(source, Iterable) or hasattr(source, "__arrow_c_stream__")


def read_in_memory(held: object, *, columns: Columns) -> Corpus:
    """Return documents in memory as a corpus, whose name and revision are made from their content.

    Raises UsageError if there are no such columns, DataError at the first document that cannot be used.
    """
    where = name_of(held)
    if isinstance(held, Mapping) and _has_splits(held):
        parts, notes = _splits(held)
        found = {name: DocumentsInMemory.of(part, columns, f"{where}[{name!r}]") for name, part in parts.items()}
    else:
        found, notes = {"train": DocumentsInMemory.of(held, columns, where)}, []
    splits = {name: some for name, some in found.items() if name == "train" or some.are_labelled()}
    digest, size = _measured(splits)
    return Corpus(
        f"{where.lower()}-{digest[:8]}",
        source=where,
        revision=digest,
        splits=splits,
        notes=[*notes, *(f"the split {name!r} is left out: it has no labels" for name in found if name not in splits)],
        size=size,
        columns=found["train"].columns,
    )


def _measured(splits: Mapping[str, Iterable[Document]]) -> tuple[str, int]:
    """Sixteen hexadecimal digits that change with any document, and the number of bytes of all texts."""
    digest, size = hashlib.sha256(), 0
    for split in SPLITS:
        for document in splits.get(split, ()):
            values = [value.encode() for value in (document.id, document.text, *document.labels)]
            size += len(values[1])
            digest.update(b"".join([b"%s:" % split.encode(), *(b"%d:%b" % (len(value), value) for value in values)]))
    return digest.hexdigest()[:16], size


# What holds the documents


def name_of(held: object) -> str:
    """A name for messages and folders: the type of a table, or else splits or documents."""
    if _is_dataset(held) or hasattr(held, "columns") or hasattr(held, "__arrow_c_stream__"):
        return type(held).__name__
    return "splits" if isinstance(held, Mapping) and _has_splits(held) else "documents"


def _has_splits(held: Mapping[Any, object]) -> bool:
    is_named = any(isinstance(name, str) and split_of(name) == "train" for name in held)
    return is_named or any(_is_dataset(part) or hasattr(part, "columns") for part in held.values())


def _splits(held: Mapping[Any, object]) -> tuple[dict[str, object], list[str]]:
    """The splits by our names for them, and notes; raises UsageError if there is no train split."""
    found: dict[str, object] = {}
    notes = []
    for name, part in held.items():
        split = split_of(str(name))
        if split is None or split in found:
            notes.append(f"the split {name!r} is not used")
        else:
            found[split] = part
    if "train" not in found:
        raise UsageError(f"splits: there is no train split, but {listed(list(map(str, held)))}")
    return found, notes


def table_of(held: Any, where: str) -> Table:
    """The rows of a split; raises UsageError if it has none."""
    if _is_dataset(held):
        return _of_dataset(held, where)
    if hasattr(held, "iloc") and hasattr(held, "columns"):
        return _of_frame(held, where)
    if hasattr(held, "__arrow_c_stream__"):
        return _of_arrow(held, where)
    if isinstance(held, Mapping):
        return _of_columns(held, where)
    if hasattr(held, "features"):
        raise UsageError(f"{where} is a {type(held).__name__}, which is streamed: load it without streaming=True")
    if isinstance(held, Iterable) and not isinstance(held, str | bytes | Set):
        return _of_rows(held, where)
    raise UsageError(f"{where} is a {type(held).__name__}; {GOOD}")


def _is_dataset(held: object) -> bool:
    """Whether this is a datasets.Dataset; one that is streamed has no length."""
    return all(hasattr(held, name) for name in ("features", "select_columns", "with_format", "__len__"))


def _of_dataset(held: Any, where: str) -> Table:
    from textclf.sources.hub import labelled_records
    from textclf.sources.parquet import paths_of

    def records(roles: Roles) -> Records:
        chosen = held.with_format(None).select_columns(roles.within(held.column_names))
        return labelled_records(chosen, roles.label, where=where)

    return Table(paths_of(held.features.arrow_schema), records)


def _of_frame(held: Any, where: str) -> Table:
    names = list(map(str, held.columns))
    refuse_repeated(where, names)

    def records(roles: Roles) -> Records:
        chosen = roles.within(names)
        columns = [held.iloc[:, names.index(name)] for name in chosen]
        return (dict(zip(chosen, values, strict=True)) for values in zip(*columns, strict=True))

    return Table(names, records)


def _of_arrow(held: Any, where: str) -> Table:
    import pyarrow as pa

    from textclf.sources.parquet import paths_of

    try:
        table = pa.table(held)
    except (pa.ArrowException, TypeError, ValueError) as error:
        raise UsageError(f"{where} is not a table ({str(error).partition(chr(10))[0]}); {GOOD}") from error
    refuse_repeated(where, table.column_names)

    def records(roles: Roles) -> Records:
        chosen = table.select(roles.within(table.column_names))
        return chain.from_iterable(batch.to_pylist() for batch in chosen.to_batches(max_chunksize=ROWS_AT_ONCE))

    return Table(paths_of(table.schema), records)


def _of_columns(held: Mapping[Any, Any], where: str) -> Table:
    sizes = {len(column) if hasattr(column, "__len__") else None for column in held.values()}
    if len(sizes) != 1 or None in sizes or not all(isinstance(name, str) for name in held):
        raise UsageError(f"{where}: not lists of equal length under the names of columns; {GOOD}")

    def records(_roles: Roles) -> Records:
        return (dict(zip(held, values, strict=True)) for values in zip(*held.values(), strict=True))

    return Table(list(held), records)


def _of_rows(held: Iterable[Any], where: str) -> Table:
    rows = held if isinstance(held, list | tuple) else list(held)
    if not rows:
        raise DataError(f"{where}: no documents in it")
    if isinstance(rows[0], Mapping):
        return Table(names_in(rows[0]), lambda _roles: _mappings(rows, where))
    width = _width(rows[0])
    if width not in (2, 3):
        raise UsageError(f"{where}[0] is {_shown(rows[0])}; {GOOD}")
    roles = PAIR if width == 2 else TRIPLE
    return Table([], lambda _roles: _tuples(rows, roles, where), roles)


def _mappings(rows: Iterable[Any], where: str) -> Records:
    for number, row in enumerate(rows):
        if not isinstance(row, Mapping):
            raise UsageError(f"{where}[{number}] is {_shown(row)}, not a dict like the first row")
        yield row


def _tuples(rows: Iterable[Any], roles: Roles, where: str) -> Records:
    names = ("text", "label") if roles.id is None else ("id", "text", "label")
    for number, row in enumerate(rows):
        if _width(row) != len(names):
            raise UsageError(f"{where}[{number}] is {_shown(row)}, not ({', '.join(names)}) like the first row")
        yield dict(zip(names, row, strict=True))


def _width(row: Any) -> int | None:
    """The number of values in a row; None if it is no row."""
    is_row = isinstance(row, Iterable) and hasattr(row, "__len__") and not isinstance(row, str | bytes | Mapping | Set)
    return len(row) if is_row else None


def _value(values: Mapping[str, object], column: str) -> object:
    return values[column] if column in values else follow(values, column)


def _shown(value: object) -> str:
    width = _width(value)
    kind = type(value).__name__
    return f"a {kind}" if width is None else f"a {kind} of {width} values"
