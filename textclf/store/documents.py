"""documents.parquet: one row a document, in the order of the packed store. Knows nothing about texts or tokens."""

from dataclasses import dataclass, fields
from importlib import import_module
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
from numpy.typing import NDArray

from textclf.atomic import replacing
from textclf.errors import ArtefactError


@dataclass(frozen=True, slots=True)
class Documents:
    """Columns of equal length, one entry a document: all of train, then validation, then test."""

    id: NDArray[np.str_]
    """Ours: ``train-0000017``. Names the tensor file."""
    source: NDArray[np.object_]
    """The source's own id: an id column, a file name, a row number."""
    label: NDArray[np.object_]
    split: NDArray[np.str_]
    tier: NDArray[np.str_]
    """The smallest tier that has the document; empty outside of train."""
    tokens: NDArray[np.int32]
    """Length in tokens."""
    crc32: NDArray[np.uint32]
    """Of the token ids, as `tensors.checksum` counts it."""

    def __len__(self) -> int:
        return len(self.id)


def import_in_background() -> None:
    """Import what `write` needs, which takes half a second, while this process waits for others."""
    Thread(target=import_module, args=("pyarrow.parquet",), daemon=True).start()


def write(path: Path, documents: Documents) -> None:
    """Write the table; equal tables give equal bytes with one version of pyarrow."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.table({field.name: _arrow(getattr(documents, field.name)) for field in fields(Documents)})
    with replacing(path) as temporary:
        pq.write_table(table, temporary, compression="zstd")


def read(path: Path) -> Documents:
    """Read the table; raises ArtefactError if it is damaged or has other columns."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(path, columns=[field.name for field in fields(Documents)])
        columns = {name: table[name].to_numpy(zero_copy_only=False) for name in table.column_names}
        return Documents(
            id=columns["id"].astype(np.str_),
            source=columns["source"],
            label=columns["label"],
            split=columns["split"].astype(np.str_),
            tier=columns["tier"].astype(np.str_),
            tokens=columns["tokens"],
            crc32=columns["crc32"],
        )
    except (pa.ArrowException, KeyError, OSError) as error:
        raise ArtefactError(f"{path} is damaged ({error}); make it again: textclf preprocess --overwrite") from error


def _arrow(column: NDArray[Any]) -> Any:
    import pyarrow as pa

    return pa.array(column if column.dtype.kind in "iu" else column.tolist())
