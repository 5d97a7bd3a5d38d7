"""Rows of Parquet files, of which few are in memory at a time."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

from textclf.errors import DataError
from textclf.sources.columns import FindColumns, refuse_repeated, to_row
from textclf.sources.document import Row

ROWS_IN_MEMORY: Final = 32
"""With a dictionary each of them may be as long as the longest and take next to no room in the file."""


def read_parquet(path: Path, find: FindColumns, *, ratio: int = 1_000, allowance: int = 100_000_000) -> Iterator[Row]:
    """Yield a row per row; raises UsageError if there are no such columns, DataError if the file is damaged.

    A file with more than `allowance` characters of text and more than `ratio` characters per byte is refused: it would
    fill the memory of whatever keeps the texts.
    """
    number = characters = 0
    limit = max(allowance, ratio * path.stat().st_size)
    try:
        with pq.ParquetFile(path) as file:
            refuse_repeated(str(path), file.schema_arrow.names)
            roles = find(file.schema_arrow.names)
            for batch in file.iter_batches(batch_size=ROWS_IN_MEMORY, columns=roles.names()):
                for values in batch.to_pylist():
                    number += 1
                    characters += sum(len(value) for value in values.values() if isinstance(value, str))
                    if characters > limit:
                        raise DataError(f"{path}:{number}: more than {limit:,} characters in so small a file")
                    yield to_row(f"{path}:{number}", values, roles)
            if number != file.metadata.num_rows:
                claimed = f"{file.metadata.num_rows:,}"
                raise DataError(f"{path}:{number + 1}: the file ends here, but its footer counts {claimed} rows")
    except (pa.ArrowException, OSError, ValueError, OverflowError, MemoryError) as error:
        reason = str(error).partition("\n")[0] or "not enough memory"
        raise DataError(f"{path}:{number + 1}: not Parquet that can be read ({reason})") from error
