"""The types that sources share: what may be asked of a source, and the rows, documents and corpora it yields.

Knows nothing about files, tokens or tensors, and imports nothing that takes time.
"""

from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, field
from types import MappingProxyType
from typing import Any, Final, NamedTuple, Protocol

from textclf.errors import DataError

SPLITS: Final = ("train", "validation", "test")

LABEL: Final = "__label__"
"""How each word begins that is a label, in the format of fastText (https://fasttext.cc)."""

MAX_CHARACTERS: Final = 10_000_000
"""Most characters of a text, a line and a row of CSV; more is a file of another kind and would fill the memory."""

MAX_NAME: Final = 10_000
"""Most characters of a label and of an id."""

EMPTY: Final = "the text is empty"
"""The error of a text without words, wherever it comes from: its answer has no label."""

MAX_SHOWN: Final = 60
"""Most characters of a value, and most column names, that a message shows."""


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns to read and, in files of text, how they are written; what is left empty is found.

    Those that a corpus was read with are kept in its manifest and in models, so that files like it are read alike.
    """

    text: tuple[str, ...] = ()
    """Joined in this order, with a line feed between them."""
    label: str | None = None
    id: str | None = None
    """None: documents are numbered."""
    names: tuple[str, ...] = ()
    """Of all columns, in order, for a file without a header line."""
    delimiter: str | None = None
    """The character between two fields."""
    quote: str | None = None
    """The character around fields that hold delimiters or line ends; empty if there is none."""
    encoding: str | None = None
    """Of files of text, as Python names it. None: UTF-8, with or without a byte-order mark."""

    label_prefix: str | None = None
    """How words begin that are labels, in fastText lines. None: LABEL; empty: the first word is the label."""
    flags: tuple[str, ...] = ()
    """One column per label, which says with 1 or 0 whether a document has it, in place of the one of the label."""
    separator: str | None = None
    """What is between several labels in one cell."""
    quote_was_asked_for: bool = False
    """Whether the quote is not just the usual one: then what it encloses is one row, though it looks like several."""

    def to_json(self) -> dict[str, Any]:
        """All fields, as JSON values."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "Columns":
        """What `to_json` described; raises TypeError or ValueError if it is something else."""
        plain: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in values.items()
        }
        columns = cls(**plain)
        several = (columns.text, columns.names, columns.flags)
        one = (columns.label, columns.id, columns.delimiter, columns.quote, columns.encoding, columns.label_prefix)
        if not all(isinstance(names, tuple) and _are_texts(names) for names in several):
            raise ValueError("names of columns are not lists of strings")
        if not _are_texts(value for value in (*one, columns.separator) if value is not None):
            raise ValueError("what is said about columns is not a string")
        if columns.quote_was_asked_for not in (0, 1):
            raise ValueError("what is said about quotes is not true or false")
        return columns


def _are_texts(values: Iterable[object]) -> bool:
    return all(isinstance(value, str) for value in values)


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceOptions:
    """How to read a source of labelled documents; the source decides what is left empty."""

    columns: Columns = field(default_factory=Columns)
    config: str | None = None
    """Configuration of a Hub dataset."""
    revision: str | None = None
    """Branch, tag or commit of a Hub dataset."""
    kind: str = "auto"
    """Format of the files; "auto": as `textclf.sources.kinds` finds it."""
    part: str | None = None
    """The list of documents in a JSON file, or the sheet of a workbook, that has several."""
    test: tuple[str, ...] = ()
    """Files, patterns of files, or a folder for the test split, in any format, with the source's columns."""
    validation: tuple[str, ...] = ()
    name: str | None = None
    """Name of the corpus, safe as a folder name."""


class Row(NamedTuple):
    """One row of a source: its text, or the reason why it has none."""

    text: str
    """Empty if there is an error."""
    id: str | None = None
    label: str | None = None
    error: str | None = None
    """Where the row is and why its text cannot be read."""
    training_error: str | None = None
    """Where the row is and why it cannot be trained on although it has a text: what is wrong with its label or id."""
    other_labels: tuple[str, ...] = ()
    """The labels after the first, where a row can have several."""
    has_labels: bool = False
    """Whether its labels are a list, which may be empty."""
    is_blank: bool = False
    """Whether it is a blank line of a text file; training skips those."""
    place: str = ""
    """``path:line`` of its first line, or ``path:row`` in Parquet and on the Hub."""
    record: Mapping[str, object] = MappingProxyType({})
    """The values of its record by the names of their columns; of Parquet only those that are read."""

    @property
    def labels(self) -> tuple[str, ...]:
        """All its labels."""
        return () if self.label is None else (self.label, *self.other_labels)


Rows = Generator[Row, None, None]
"""Rows of an open file, which is closed with them."""


def is_empty(text: str) -> bool:
    """Whether a text has nothing but white space, so that a model would answer without any word."""
    return not text or text.isspace()


def refuse_empty(row: Row) -> Row:
    """Return a row to predict, with an error if its text is empty."""
    if row.error or not is_empty(row.text):
        return row
    return row._replace(text="", error=f"{row.place}: {EMPTY}" if row.place else EMPTY)


class Document(NamedTuple):
    """One text with its label, or with several or none where the source has lists of labels."""

    id: str
    """The source's own name for it: an id column, a file name or a row number. Shown to the user, never a path."""
    text: str
    label: str | None
    """The first in alphabetical order."""
    other_labels: tuple[str, ...] = ()
    """The others, distinct, in that order."""

    @property
    def labels(self) -> tuple[str, ...]:
        """All its labels."""
        return () if self.label is None else (self.label, *self.other_labels)


GOOD: Final = (
    "give a DataFrame, an Arrow table, a datasets.Dataset, pairs such as [('a text', 'a label')], "
    "or a mapping of splits such as {'train': ..., 'test': ...}"
)
"""What may be given in memory, for messages."""


class ArrowTable(Protocol):
    """A table that offers its rows through the Arrow PyCapsule interface: of polars, pyarrow, duckdb and others."""

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """Return a capsule with an ArrowArrayStream."""


class DataFrame(Protocol):
    """A data frame of pandas."""

    @property
    def columns(self) -> Any:
        """Names of the columns."""

    @property
    def iloc(self) -> Any:
        """Columns by their places."""


Documents = ArrowTable | DataFrame | Mapping[str, Any] | Iterable[Sequence[Any] | Mapping[str, Any]]
"""Labelled documents in memory: see `textclf.sources.in_memory`."""


@dataclass(frozen=True, slots=True)
class Corpus:
    """Labelled documents in the splits that their source has; ``"train"`` is always one of them."""

    name: str
    """A short name, safe as a folder name."""
    source: str
    """Where it was read: a path, ``owner/name`` on the Hub, or a package and its version."""
    revision: str
    """What pins the content: a package version, a Hub commit, or a digest of the files."""
    splits: Mapping[str, Iterable[Document]]
    """Split name (one of SPLITS) to its documents, in the source's order; read each time they are iterated over."""
    notes: Sequence[str] = ()
    """What the user should know: rows left out, an unusual encoding. Complete when all documents have been read."""
    size: int = 0
    """Bytes of its files, as far as known without reading them."""
    columns: Columns = field(default_factory=Columns)
    """Those that are taken, of the training split; empty if the source has none."""


NO_ID: Final = "(no id)"
"""This very object is the id of a document of a shard that has none; an id may be spelled so, and is another object."""


def documents(rows: Rows, *, where: str, is_shard: bool = False) -> Iterator[Document]:
    """Yield a document per row, skipping blank lines; those without an id are numbered from 1.

    Of a shard, whose first number is not known, they have NO_ID. Raises DataError at the first row without a text or a
    label, at an id that comes twice, at a label or an id that is as long as a text, and if there are no rows, except
    for a shard.
    """
    places: dict[str, str] = {}
    number = 0
    with closing(rows):  # a file is closed as soon as one of its rows is refused
        for row in rows:
            if row.is_blank:
                continue
            if problem := row.error or row.training_error:
                raise DataError(problem)
            if row.label is None and not row.has_labels:
                raise DataError(f"{row.place}: no label")
            _refuse_long(row)
            number += 1
            labels = _in_order(row) if row.other_labels else (row.label,)
            if row.id is None:
                yield Document(NO_ID if is_shard else str(number), row.text, labels[0], labels[1:])
                continue
            if (first := places.setdefault(row.id, row.place)) != row.place:
                raise taken(row.id, row.place, by=first)
            yield Document(row.id, row.text, labels[0], labels[1:])
    if number == 0 and not is_shard:
        raise no_documents(where)


def taken(name: str, place: str, *, by: str) -> DataError:
    """Return the error for an id that an earlier document has."""
    return DataError(f"{place}: the id {shortened(name)} is taken by {by}; ids must differ")


def no_documents(where: str) -> DataError:
    """Return the error for a split without rows."""
    return DataError(f"{where}: no documents in it")


def _in_order(row: Row) -> tuple[str, ...]:
    """Its labels, each once, in alphabetical order."""
    return tuple(sorted({*row.labels}))


def _refuse_long(row: Row) -> None:
    """Raise DataError if a label or an id is as long as a text: all of them are kept in memory."""
    for name, value in (*(("label", label) for label in row.labels), ("id", row.id)):
        if value is not None and len(value) > MAX_NAME:
            raise DataError(
                f"{row.place}: the {name} has {len(value):,} characters, and the most is {MAX_NAME:,}; "
                f"name the column of the {name}s with --{name}-column"
            )


def shortened(text: str) -> str:
    """Return a text as Python spells it, cut to what a message can show."""
    return repr(text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}…")
