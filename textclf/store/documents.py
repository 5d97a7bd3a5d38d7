"""documents.parquet: one row a document, in the order of the packed store. Knows nothing about texts or tokens."""

from dataclasses import dataclass, fields
from importlib import import_module
from itertools import accumulate
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
    """Import what `write` needs, while this process waits for others."""
    Thread(target=import_module, args=("pyarrow.parquet",), daemon=True).start()


def write(path: Path, documents: Documents) -> None:
    """Write the table; equal tables give equal bytes with one version of pyarrow."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.table({field.name: _arrow(getattr(documents, field.name)) for field in fields(Documents)})
    with replacing(path) as temporary, temporary.open("wb") as file:
        pq.write_table(table, file, compression="zstd")


def read(path: Path) -> Documents:
    """Read the table; raises ArtefactError if it is damaged or has other columns."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            table = file.read(columns=[field.name for field in fields(Documents)])
        columns = {name: table[name].combine_chunks() for name in table.column_names}
        shared: dict[str, str] = {}  # one string a label, not one a document
        labels = [shared.setdefault(label, label) for label in columns["label"].to_pylist()]
        return Documents(
            id=np.array(columns["id"].to_pylist(), dtype=np.str_),
            source=np.array(columns["source"].to_pylist(), dtype=object),
            label=np.array(labels, dtype=object),
            split=np.array(columns["split"].to_pylist(), dtype=np.str_),
            tier=np.array(columns["tier"].to_pylist(), dtype=np.str_),
            tokens=np.from_dlpack(columns["tokens"]),  # type: ignore[arg-type]
            crc32=np.from_dlpack(columns["crc32"]),  # type: ignore[arg-type]
        )
    except (pa.ArrowException, UnicodeDecodeError, KeyError, OSError) as error:
        raise ArtefactError(f"{path} is damaged ({error}); make it again: textclf preprocess --overwrite") from error


def _arrow(column: NDArray[Any]) -> Any:
    """The column's buffers: `pa.array` would import pandas, if it is there, which takes longer than all the rest."""
    import pyarrow as pa

    if column.dtype.kind in "iu":
        values = pa.py_buffer(np.ascontiguousarray(column))
        return pa.Array.from_buffers(pa.from_numpy_dtype(column.dtype), len(column), [None, values])
    texts = [text.encode() for text in column.tolist()]
    ends = np.fromiter(accumulate(map(len, texts), initial=0), dtype=np.int32, count=len(texts) + 1)
    return pa.StringArray.from_buffers(len(texts), pa.py_buffer(ends), pa.py_buffer(b"".join(texts)))
