"""Where the documents are in a JSON value: its tables, by name.

    [{"text": ..., "label": ...}, ...]                 a list of objects
    [["a stirring film", "pos"], ...]                  a list of lists: pairs are text and label, others are numbered
    {"data": [...]}                                    an object with one such list in it, at any depth
    {"train": [...], "test": [...]}                    an object of splits: a table of each
    {"text": [...], "label": [...]}                    an object of columns, each a list, or an object as pandas has it
    {"columns": [...], "data": [[...], ...]}           the same by rows
    {"x1": {"text": ..., "label": ...}, ...}           an object of objects, whose keys are the column "key"
    {"pos": ["a stirring film", ...], "neg": [...]}    an object of lists of texts, whose keys are their labels

Knows nothing about files.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice
from typing import Any, Final, NamedTuple

from textclf.errors import UsageError
from textclf.sources.columns import LABEL_NAMES, TEXT_NAMES, follow, listed, names_in, usual_name

PAIR: Final = ("text", "label")
"""The columns of a list of pairs."""

LOOKED_AT: Final = 100
"""Records in which the names of columns are looked for."""

MOST_DEPTH: Final = 5
"""Objects within objects in which a list is looked for."""


class Table(NamedTuple):
    """Records of a JSON value."""

    names: list[str]
    """Of its columns, those in nested objects and lists by dotted paths."""
    records: Iterable[object]
    """Each a mapping from name to value, or something else, which is no record."""


def tables_of(value: object, *, where: str, wanted: Collection[str] = (), part: str | None = None) -> dict[str, Table]:
    """Find the tables of a JSON value; one that is alone is named "".

    `part` is the dotted path of the list to read, `wanted` are columns that are asked for, by which a table is known.
    Raises UsageError if there is no table.
    """
    if part is not None:
        inner = follow(value, part)
        if inner is None:
            keys = listed(list(map(str, value))) if isinstance(value, dict) else "no keys"
            raise UsageError(f"{where} has no part {part!r}; it has {keys}")
        return tables_of(inner, where=f"{where}/{part}", wanted=wanted)
    if table := _list_table(value) or _object_table(value, wanted):
        return {"": table}
    lists = dict(_inner_tables(value, wanted))
    with_text = {name: table for name, table in lists.items() if _is_known(table.names, wanted)} or lists
    if len(with_text) == 1:
        return {"": next(iter(with_text.values()))}
    if not with_text:
        raise UsageError(f'{where} has no list of documents in it, such as [{{"text": "...", "label": "..."}}]')
    return with_text


def _is_known(names: Collection[str], wanted: Collection[str]) -> bool:
    """Whether columns have a name that is asked for, or a usual one for texts."""
    return not set(names).isdisjoint(wanted) or usual_name(TEXT_NAMES, list(names)) is not None


def _inner_tables(
    value: object, wanted: Collection[str], path: str = "", depth: int = 0
) -> Iterator[tuple[str, Table]]:
    """Yield the tables within an object, with their paths."""
    for key, inner in value.items() if isinstance(value, dict) and depth < MOST_DEPTH else ():
        table = _list_table(inner) or _columns_table(inner, wanted)
        if table is not None:
            yield f"{path}{key}", table
        else:
            yield from _inner_tables(inner, wanted, f"{path}{key}.", depth + 1)


def _list_table(value: object) -> Table | None:
    """The table of a list of objects or of lists."""
    if not isinstance(value, list) or not value:
        return None
    if isinstance(value[0], dict):
        return Table(_names(value), value)
    if not isinstance(value[0], list) or not value[0]:
        return None
    names, rows = _named(value)
    return Table(names, (_record(names, row) for row in rows))


def _named(rows: list[Any]) -> tuple[list[str], Sequence[Any]]:
    """The names of the columns of lists, which the first may have, and the others."""
    first = rows[0]
    if (
        all(isinstance(name, str) for name in first)
        and usual_name(TEXT_NAMES, first)
        and usual_name(LABEL_NAMES, first)
    ):
        return first, rows[1:]
    return list(PAIR) if len(first) == len(PAIR) else list(map(str, range(len(first)))), rows


def _record(names: list[str], row: Any) -> object:
    return dict(zip(names, row, strict=True)) if isinstance(row, list) and len(row) == len(names) else row


def _names(records: Iterable[object]) -> list[str]:
    """The names of the columns of objects, in the order in which they first occur."""
    objects = (record for record in islice(records, LOOKED_AT) if isinstance(record, Mapping))
    return list(dict.fromkeys(chain.from_iterable(map(names_in, objects))))


def _object_table(value: object, wanted: Collection[str]) -> Table | None:
    """The table that an object is as a whole."""
    if not isinstance(value, dict) or not value:
        return None
    if table := _columns_table(value, wanted):
        return table
    values = list(value.values())
    is_records = all(isinstance(inner, dict) for inner in values) and _columns_table(values[0], wanted) is None
    if is_records and _is_known(_names(values), wanted):
        records = [{"key": key, **inner} for key, inner in value.items()]
        return Table(_names(records), records)
    if _is_known(names_in(value), wanted) and not any(isinstance(inner, list | dict) for inner in values):
        return Table(list(value), [value])
    if len(value) > 1 and all(_is_texts(inner) for inner in values):
        return Table(list(PAIR), ({"text": text, "label": key} for key, inner in value.items() for text in inner))
    return None


def _columns_table(value: object, wanted: Collection[str]) -> Table | None:
    """The table of an object of columns, each a list or an object by the same keys."""
    if not isinstance(value, dict):
        return None
    if isinstance(names := value.get("columns"), list) and isinstance(value.get("data"), list):
        return Table(list(map(str, names)), (_record(list(map(str, names)), row) for row in value["data"]))
    if not _is_known(value, wanted) or len(value) < 2:
        return None
    columns = [list(inner.values()) if isinstance(inner, dict) else inner for inner in value.values()]
    if not all(isinstance(column, list) and len(column) == len(columns[0]) for column in columns):
        return None
    keys = [list(inner) for inner in value.values() if isinstance(inner, dict)]
    if any(other != keys[0] for other in keys):
        return None
    return Table(list(value), (dict(zip(value, row, strict=True)) for row in zip(*columns, strict=True)))


def _is_texts(value: object) -> bool:
    return isinstance(value, list) and len(value) > 0 and all(isinstance(text, str) for text in value)
