"""Text from outside: `load` and `hold` find labelled documents to train on, `rows` reads rows to predict.

Each imports what it needs when it is called: predicting a text of the command line needs neither.
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from textclf.sources.document import GOOD, LABEL, SPLITS, Columns, Corpus, Document, Documents, Row, SourceOptions

if TYPE_CHECKING:
    from textclf.sources.formats import Beginning

__all__ = [
    "GOOD",
    "LABEL",
    "SPLITS",
    "Columns",
    "Corpus",
    "Document",
    "Documents",
    "Row",
    "SourceOptions",
    "beginning_of",
    "files",
    "hold",
    "is_in_memory",
    "is_known",
    "load",
    "rows",
]


def load(sources: str | Sequence[str], *, options: SourceOptions) -> Corpus:
    """Find a corpus: a name in the catalogue, a file or folder, or an ``owner/name`` on the Hub, in this order.

    Several sources are files, or patterns of them such as ``data/*.csv``.

    Raises UsageError if the source is none of these or an option does not go with it, DataError if it cannot be read.
    Documents in files and on the Hub are read, and checked, when they are iterated over.
    """
    from textclf.sources.corpora import find_corpus

    return find_corpus([sources] if isinstance(sources, str) else sources, options)


def hold(held: object, *, options: SourceOptions) -> Corpus:
    """Make a corpus of documents in memory: a data frame, a dataset, pairs and others, see `textclf.sources.in_memory`.

    All are read once to tell them from others. Raises UsageError if these are no documents or an option does not go
    with them, DataError that names the row at the first document that cannot be used.
    """
    from textclf.sources.corpora import corpus_of

    return corpus_of(held, options)


def is_in_memory(source: object) -> bool:
    """Whether these are documents for `hold`, or may be, rather than names for `load`."""
    from textclf.sources.in_memory import is_in_memory

    return is_in_memory(source)


def is_known(name: str) -> bool:
    """Whether the catalogue has a corpus of that name."""
    from textclf.sources.catalogue import CATALOGUE

    return name in CATALOGUE


def files(names: Sequence[str]) -> list[Path]:
    """Return the files to predict that are named, by patterns, too; ``-`` is stdin.

    Raises UsageError if there is no such file.
    """
    from textclf.errors import UsageError
    from textclf.sources.opening import STDIN, expanded, is_there

    found = expanded(names)
    for path in found:
        if path != STDIN and not is_there(path):
            raise UsageError(f"no such file: {path}")
        if path.is_dir():
            raise UsageError(f"{path} is a folder: name its files, as in '{path}/*.csv'")
    return found


def described(
    path: Path, *, kind: str, columns: Columns, known: Columns, part: str | None = None
) -> tuple[str, Columns]:
    """The format of a file to predict, and the columns that `rows` takes; stdin is not read.

    Raises what `rows` raises.
    """
    from textclf.sources.formats import Reading, columns_of, kind_to_predict
    from textclf.sources.opening import STDIN

    reading = Reading(columns, known, kind=kind, part=part, needs_label=False)
    found = kind_to_predict(path, reading)
    return found, columns if path == STDIN else columns_of(path, found, reading)


def rows(  # noqa: PLR0913 (each is an option of predict)
    path: Path,
    *,
    kind: str = "auto",
    columns: Columns = Columns(),  # noqa: B008 (frozen)
    known: Columns = Columns(),  # noqa: B008
    warn: Callable[[str], None] = lambda _line: None,
    part: str | None = None,
    all_columns: bool = False,
    on_read: Callable[[int], None] | None = None,
    name: str | None = None,
) -> Iterator[Row]:
    """Yield a row, with its text or its error, for each row of a file, in order; the path ``-`` is stdin.

    `kind` is a format of `textclf.sources.formats`, or "auto" to go by the file: see `textclf.sources.kinds`. `part`
    names a list of documents in JSON, or a sheet of a workbook, where there are several. With `all_columns`, those
    of Parquet are read that are not needed, too. `name` is that of the file elsewhere, whose ending says what it is.
    Columns that are not asked for are those `known` from the training documents, if the file has them.
    `warn` gets a message about many rows once, `on_read` the number of bytes of a file each time that some are read.
    Raises UsageError if the options do not fit together or there are no such columns, DataError if the file cannot be
    read in this format at all.
    """
    from textclf.sources.formats import Reading, rows_to_predict

    return rows_to_predict(
        path,
        Reading(
            columns,
            known,
            warn=warn,
            kind=kind,
            part=part,
            all_columns=all_columns,
            on_read=on_read,
            name=name,
        ),
    )


def copied(path: Path, *, kind: str, columns: Columns, known: Columns, part: str | None = None) -> dict[str, object]:
    """The names of all columns of a file of this kind, with Arrow types if it is of Parquet; none if it has no rows.

    Raises what `rows` raises, and UsageError for JSON, whose objects may have any.
    """
    from textclf.errors import UsageError

    if kind == "parquet":
        import pyarrow.parquet as pq

        schema = pq.read_schema(path)
        return dict(zip(schema.names, schema.types, strict=True))
    if kind in ("json", "jsonl"):
        raise UsageError(f"{path} is {kind}, whose objects may have any fields: --keep-columns needs --format jsonl")
    first = next((row for row in rows(path, kind=kind, columns=columns, known=known, part=part) if row.record), None)
    return dict.fromkeys(first.record) if first else {}


def beginning_of(path: Path, *, name: str, known: Columns) -> "Beginning":
    """Find the format and the columns of a file to predict: see `formats.beginning_of`."""
    from textclf.sources import formats

    return formats.beginning_of(path, formats.Reading(known=known, needs_label=False, name=name))
