"""The table of documents: a row for each, in the order of the packed copy. Knows nothing about texts or tokens.

There is one Parquet file for each part.
"""

import re
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from importlib import import_module
from itertools import accumulate, pairwise
from pathlib import Path
from threading import Thread
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from textclf.dataset.parts import Parts
from textclf.errors import ArtefactError
from textclf.sources.document import SPLITS
from textclf.system import failures
from textclf.system.files import refuse_other_kind, replacing
from textclf.system.wording import counted

MOST_INFLATED: Final = 200
"""How many times its size a file may take in memory; a million documents that differ only in the id need 40 times."""

_ROW: Final = 8  # bytes of a document's numbers
_LONGEST: Final = 20  # characters of an id, a split or a tier
_IDS: Final = re.compile(r"(?:(?:train|validation|test)-\d{7,11}\n)*+")


@dataclass(frozen=True, slots=True)
class Documents:
    """Columns of equal length, one entry per document: all of train, then validation, then test."""

    id: NDArray[np.str_]
    """Such as ``train-0000017``. Names the tensor file."""
    source: NDArray[np.object_]
    """The source's id: from an id column, a file name, a row number."""
    label: NDArray[np.object_]
    """A string, or the tuple of its labels where a document may have several."""
    split: NDArray[np.str_]
    tier: NDArray[np.str_]
    """The smallest tier that the document is in; empty outside of train."""
    tokens: NDArray[np.int32]
    """Length in tokens."""
    crc32: NDArray[np.uint32]
    """Of the token ids: see `tensors.checksum`."""

    def __len__(self) -> int:
        return len(self.id)

    def at(self, rows: slice) -> "Documents":
        """The documents of these rows."""
        return Documents(**{field.name: getattr(self, field.name)[rows] for field in fields(self)})


class DocumentNames(NamedTuple):
    """The ids that documents get: split and number, which follow from the row."""

    counts: tuple[int, ...]
    """Documents of each of SPLITS."""

    def of(self, rows: Iterable[int]) -> list[str]:
        """The ids of the documents of these rows."""
        firsts = list(accumulate(self.counts, initial=0))[:-1]
        at = [(bisect_right(firsts, row) - 1, row) for row in rows]
        return [f"{SPLITS[split]}-{row - firsts[split]:07}" for split, row in at]


def import_in_background() -> None:
    """Import what `write_documents` needs, while this process waits for others."""
    Thread(target=import_module, args=("pyarrow.parquet",), daemon=True).start()


def write_documents(path: Path, documents: Documents) -> None:
    """Write the file of a part; equal tables give equal bytes with one version of pyarrow."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.table({field.name: _arrow(getattr(documents, field.name)) for field in fields(Documents)})
    with replacing(path) as file:
        pq.write_table(table, file, compression="zstd")


def read_table(paths: Sequence[Path], parts: Parts) -> Documents:
    """Read the files of all parts; raises what `read_documents` raises."""
    tables = [read_documents(path, rows=rows.stop - rows.start) for path, rows in zip(paths, parts, strict=True)]
    if len(tables) == 1:
        return tables[0]
    return Documents(
        **{field.name: np.concatenate([getattr(table, field.name) for table in tables]) for field in fields(Documents)}
    )


def read_documents(path: Path, *, rows: int) -> Documents:
    """Read the file of a part.

    Raises ArtefactError if it is damaged, has not this many rows, or would be far larger in memory.

    Its ids name files, so only ids as preprocess gives them are accepted.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    texts = [field.name for field in fields(Documents) if field.name not in ("tokens", "crc32")]
    try:
        refuse_other_kind(path)
        is_list = pa.types.is_list(pq.read_schema(path).field("label").type)
        leaves = ["label.list.element" if name == "label" and is_list else name for name in texts]
        with pq.ParquetFile(path, read_dictionary=leaves) as file:
            _check_size(file.metadata, rows=rows, size=path.stat().st_size)
            # Threads save little, and Arrow crashes at the end of a process that could start only some of them.
            table = file.read(columns=[field.name for field in fields(Documents)], use_threads=False)
        columns = {name: table[name].combine_chunks() for name in table.column_names}
        found = Documents(
            id=_short(columns["id"]),
            source=_texts(columns["source"]),
            label=_lists(columns["label"]) if is_list else _texts(columns["label"]),
            split=_short(columns["split"]),
            tier=_short(columns["tier"]),
            tokens=_numbers(columns["tokens"], np.dtype(np.int32)),
            crc32=_numbers(columns["crc32"], np.dtype(np.uint32)),
        )
        if not _IDS.fullmatch("\n".join([*found.id.tolist(), ""])):
            raise ValueError("unexpected document id")
        return found
    except (pa.ArrowException, ValueError, TypeError, AttributeError, LookupError, OSError) as error:
        damage = ArtefactError(f"{path} is damaged ({error}); rebuild it: textclf preprocess --overwrite")
        raise failures.refused(error, path) or damage from error


def _check_size(metadata: Any, *, rows: int, size: int) -> None:
    """Raise ValueError, before memory is taken, if the table has not this many rows or is too large for such a file."""
    groups = [metadata.row_group(place) for place in range(metadata.num_row_groups)]
    if not metadata.num_rows == sum(group.num_rows for group in groups) == rows:
        raise ValueError(f"it has {counted(metadata.num_rows, 'row')}, and the manifest counts {rows:,}")
    needed = rows * _ROW + sum(group.total_byte_size for group in groups)  # a damaged column may crash Arrow
    if needed > MOST_INFLATED * size + (1 << 20):
        raise ValueError(f"its {counted(size, 'byte')} would become {needed:,}")


def labels_in(column: NDArray[np.object_]) -> list[str]:
    """All labels of a column of labels, as often as they occur."""
    return [label for value in column.tolist() for label in ((value,) if isinstance(value, str) else value)]


def _lists(column: Any) -> NDArray[np.object_]:
    """Tuples of texts, where equal tuples share one."""
    if column.null_count or column.offset:
        raise ValueError("a list is missing")
    labels = _texts(column.values).tolist()
    ends = np.from_dlpack(column.offsets).tolist()
    shared: dict[tuple[str, ...], tuple[str, ...]] = {}
    found = np.empty(len(column), dtype=object)
    for place, (start, end) in enumerate(pairwise(ends)):
        one = tuple(labels[start:end])
        found[place] = shared.setdefault(one, one)
    return found


def _texts(column: Any) -> NDArray[np.object_]:
    """Texts, where equal texts share one string."""
    distinct = np.array([*column.dictionary.to_pylist(), None], dtype=object)[:-1]
    if column.null_count or not all(isinstance(text, str) for text in distinct):
        raise ValueError("a text is missing")
    texts: NDArray[np.object_] = distinct[np.from_dlpack(column.indices)]
    return texts


def _short(column: Any) -> NDArray[np.str_]:
    """Short texts as an array of characters, in which each takes as much room as the longest."""
    texts = _texts(column)
    if max(map(len, column.dictionary.to_pylist()), default=0) > _LONGEST:
        raise ValueError(f"a name has more than {_LONGEST} characters")
    return texts.astype(np.str_)


def _numbers(column: Any, dtype: np.dtype[Any]) -> NDArray[Any]:
    numbers: NDArray[Any] = np.from_dlpack(column)
    if numbers.dtype != dtype or (numbers < 0).any():
        raise ValueError("a number is of another type, or negative")
    return numbers


def _arrow(column: NDArray[Any]) -> Any:
    """A column from its buffers: `pa.array` would import pandas, if installed, which takes longer than all the rest."""
    import pyarrow as pa

    if len(column) and isinstance(column[0], tuple):
        ends = np.fromiter(accumulate(map(len, column), initial=0), dtype=np.int32, count=len(column) + 1)
        return pa.ListArray.from_arrays(_arrow(ends), _arrow(np.array(labels_in(column), dtype=object)))
    if column.dtype.kind in "iu":
        values = pa.py_buffer(np.ascontiguousarray(column))
        return pa.Array.from_buffers(pa.from_numpy_dtype(column.dtype), len(column), [None, values])
    texts = [text.encode() for text in column.tolist()]
    ends = np.fromiter(accumulate(map(len, texts), initial=0), dtype=np.int32, count=len(texts) + 1)
    return pa.StringArray.from_buffers(len(texts), pa.py_buffer(ends), pa.py_buffer(b"".join(texts)))
