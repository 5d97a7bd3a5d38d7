"""Rows of Parquet files, of which few are in memory at a time."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from textclf.errors import DataError
from textclf.sources.columns import MOST_DEPTH, FindColumns, refuse_repeated, to_row
from textclf.sources.document import Row
from textclf.system import failures
from textclf.system.wording import counted

BYTES_IN_MEMORY: Final = 20_000_000
"""Bytes of rows of mean length that are in memory together."""

ROWS_IN_MEMORY: Final = 8
"""With a dictionary each of them may be as long as the longest and take next to no room in the file."""

LONG_LIST: Final = 1_000
"""Mean number of values in a list from which on its texts are read as places in a dictionary, and counted first."""


def read_parquet(
    path: Path,
    find: FindColumns,
    *,
    all_columns: bool = False,
    on_read: Callable[[int], None] | None = None,
    ratio: int = 1_000,
    allowance: int = 100_000_000,
) -> Iterator[Row]:
    """Yield a row per row; raises UsageError if there are no such columns, DataError if the file is damaged.

    ``on_read`` gets each row's share of the bytes of the file.

    A file with more than `allowance` characters of text and more than `ratio` characters per byte is refused: it would
    fill the memory of whatever keeps the texts.
    """
    number = characters = 0
    size = path.stat().st_size
    limit = max(allowance, ratio * size)
    try:
        long_lists = _long_lists(path)
        with pq.ParquetFile(path, read_dictionary=long_lists) as file:
            refuse_repeated(str(path), file.schema_arrow.names)
            roles = find(paths_of(file.schema_arrow), sample=partial(_sampled, file))
            names = file.schema_arrow.names
            for batch in _batches(file, names if all_columns else roles.within(names)):
                if long_lists and sum(map(_characters_in_dictionaries, batch.columns)) > limit:
                    raise DataError(f"{path}:{number + 1}: more than {limit:,} characters in so small a file")
                if on_read is not None:
                    on_read(size * batch.num_rows // file.metadata.num_rows)
                for values in batch.to_pylist():
                    number += 1
                    characters += _characters(values)
                    if characters > limit:
                        raise DataError(f"{path}:{number}: more than {limit:,} characters in so small a file")
                    yield to_row(f"{path}:{number}", values, roles)
            if number != file.metadata.num_rows:
                claimed = counted(file.metadata.num_rows, "row")
                raise DataError(f"{path}:{number + 1}: the file ends here, but its footer counts {claimed}")
    except (pa.ArrowException, OSError, ValueError, OverflowError, MemoryError) as error:
        if isinstance(error, OSError) and (refused := failures.refused(error, path)):
            raise refused from error
        reason = str(error).partition("\n")[0] or "not enough memory"
        raise DataError(f"{path}:{number + 1}: not Parquet that can be read ({reason})") from error


def _sampled(file: pq.ParquetFile) -> list[dict[str, object]]:
    """The first rows, of the columns that may be of 1 and 0."""
    kinds = {field.name: field.type for field in file.schema_arrow}
    names = [name for name, kind in kinds.items() if pa.types.is_integer(kind) or pa.types.is_boolean(kind)]
    rows: list[dict[str, object]] = next(_batches(file, names)).to_pylist() if names and file.metadata.num_rows else []
    return rows


def _long_lists(path: Path) -> list[str]:
    """The columns of texts in long lists: a dictionary of one long text makes them small in the file."""
    metadata = pq.read_metadata(path)
    if not metadata.num_rows or not metadata.num_row_groups:
        return []
    columns = [metadata.schema.column(place) for place in range(metadata.num_columns)]
    groups = [metadata.row_group(place) for place in range(metadata.num_row_groups)]
    return [
        column.path
        for place, column in enumerate(columns)
        if column.max_repetition_level
        and column.physical_type == "BYTE_ARRAY"
        and sum(group.column(place).num_values for group in groups) > LONG_LIST * metadata.num_rows
    ]


def _characters_in_dictionaries(array: pa.Array) -> int:
    """The bytes that texts would take that are places in a dictionary, however deep they are."""
    if pa.types.is_dictionary(array.type):
        lengths = pc.take(pc.binary_length(array.dictionary), array.indices)
        return int(pc.sum(lengths).as_py() or 0)
    if pa.types.is_struct(array.type):
        return sum(map(_characters_in_dictionaries, array.flatten()))
    is_list = pa.types.is_list(array.type) or pa.types.is_large_list(array.type)
    return _characters_in_dictionaries(array.flatten()) if is_list else 0


def _rows_at_once(metadata: pq.FileMetaData, *, size: int = BYTES_IN_MEMORY, most: int = ROWS_IN_MEMORY) -> int:
    """Number of rows to have in memory: at most ``most``, and fewer if they have more than ``size`` bytes."""
    groups = map(metadata.row_group, range(metadata.num_row_groups))
    total = sum(int(group.total_byte_size) for group in groups)
    return max(1, min(most, size * int(metadata.num_rows) // max(total, 1)))


def paths_of(schema: pa.Schema) -> list[str]:
    """Return the names of columns and, after each, the dotted paths of what is in it, of a list its first element."""
    return [path for field in schema for path in _paths(field.name, field.type, MOST_DEPTH)]


def _paths(name: str, kind: pa.DataType, depth: int) -> Iterator[str]:
    yield name
    if not depth:
        return
    if pa.types.is_struct(kind):
        for field in kind:
            yield from _paths(f"{name}.{field.name}", field.type, depth - 1)
    elif pa.types.is_list(kind) or pa.types.is_large_list(kind):
        yield from _paths(f"{name}.0", kind.value_type, depth - 1)


def _characters(value: object) -> int:
    """The characters of the texts in a value."""
    if isinstance(value, str):
        return len(value)
    if isinstance(value, dict):
        return sum(map(_characters, value.values()))
    return sum(map(_characters, value)) if isinstance(value, list) else 0


def _batches(file: pq.ParquetFile, columns: list[str]) -> Iterator[pa.RecordBatch]:
    """Few rows at a time; without threads, as Arrow crashes at the end of a process that could start only some."""
    yield from file.iter_batches(batch_size=_rows_at_once(file.metadata), columns=columns, use_threads=False)
