"""The table of documents on the disk: a Parquet file for each part, with a row for each document.

It has columns for other programs, too: of these ids and splits are not read, because they follow from the row.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any, Final, NamedTuple, overload

import numpy as np
from numpy.typing import NDArray

from textclf.config import TIERS
from textclf.dataset.documents import NO_TIER, DocumentNames, Documents, Label, labels_of
from textclf.dataset.parts import Parts
from textclf.errors import ArtefactError
from textclf.sources.document import SPLITS
from textclf.system import failures
from textclf.system.files import refuse_other_kind, replacing
from textclf.system.wording import counted
from textclf.text.arrays import offsets, places
from textclf.text.batch_encoder import ByteStrings

if TYPE_CHECKING:
    import pyarrow as pa

MOST_INFLATED: Final = 200
"""How many times its size a file may take in memory; a million documents that differ only in the id need 40 times."""

_ROW: Final = 8  # bytes of a document's numbers
_TIERS: Final = ("", *TIERS)  # as the column has them: NO_TIER is the first


def import_in_background() -> None:
    """Import what `write_table` needs, while this process waits for others."""
    Thread(target=import_module, args=("pyarrow.parquet",), daemon=True).start()


def write_table(path: Path, documents: Documents, rows: slice, source: ByteStrings) -> None:
    """Write the file of a part, which has these rows and source ids.

    Equal documents give equal bytes with one version of pyarrow.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    some = np.arange(rows.start, rows.stop)
    split = np.searchsorted(np.cumsum(documents.names.counts), some, side="right")
    table = pa.table(
        {
            "id": _strings(ByteStrings.of(documents.names.of(some.tolist()))),
            "source": _strings(source),
            "label": _labels(documents, rows),
            "split": _names(split, SPLITS),
            "tier": _names(documents.tier[rows] - NO_TIER, _TIERS),
            "tokens": _numbers(documents.tokens[rows]),
            "crc32": _numbers(documents.crc32[rows]),
        }
    )
    with replacing(path) as file:
        pq.write_table(table, file, compression="zstd")


def read_table(paths: Sequence[Path], parts: Parts, names: DocumentNames) -> Documents:
    """Read the files of all parts.

    Raises ArtefactError if one is damaged, has not the rows of its part, or would be far larger in memory.
    """
    found = [_read_part(path, rows=rows.stop - rows.start) for path, rows in zip(paths, parts, strict=True)]
    labels = tuple(sorted({label for part in found for label in part.labels}))
    place = {label: at for at, label in enumerate(labels)}
    codes = [np.array([place[label] for label in part.labels], dtype=np.int32)[part.label] for part in found]
    return Documents(
        names,
        StoredIds(paths, parts),
        np.concatenate(codes),
        labels,
        tier=np.concatenate([part.tier for part in found]),
        tokens=np.concatenate([part.tokens for part in found]),
        crc32=np.concatenate([part.crc32 for part in found]),
    )


class HeldIds(Sequence[str]):
    """The source's ids in memory, before there is a table."""

    def __init__(self, ids: ByteStrings) -> None:
        self._ids = ids

    def __len__(self) -> int:
        return len(self._ids.starts)

    @overload
    def __getitem__(self, row: int) -> str: ...
    @overload
    def __getitem__(self, row: slice) -> list[str]: ...
    def __getitem__(self, row: int | slice) -> str | list[str]:
        found = list(self._ids.strings(np.atleast_1d(np.arange(len(self))[row])))
        return found if isinstance(row, slice) else found[0]


class StoredIds(Sequence[str]):
    """The source's ids in the files of a table, each of which is read when one of its ids is asked for."""

    def __init__(self, paths: Sequence[Path], parts: Parts) -> None:
        self._paths, self._parts = paths, parts
        self._part: tuple[int, list[str]] = (-1, [])
        """The number of the part that was read last, and its ids."""

    def __len__(self) -> int:
        return self._parts.documents

    def __reduce__(self) -> tuple[Any, ...]:
        return StoredIds, (self._paths, self._parts)

    @overload
    def __getitem__(self, row: int) -> str: ...
    @overload
    def __getitem__(self, row: slice) -> list[str]: ...
    def __getitem__(self, row: int | slice) -> str | list[str]:
        """The id of a row; raises ArtefactError if its file is damaged."""
        if isinstance(row, slice):
            return [self[each] for each in range(*row.indices(len(self)))]
        number, place = divmod(range(len(self))[row], self._parts.size)
        if self._part[0] != number:
            rows = self._parts.rows(number)
            self._part = number, _read_ids(self._paths[number], rows=rows.stop - rows.start)
        return self._part[1][place]


def _read_ids(path: Path, *, rows: int) -> list[str]:
    """The source's ids of a part."""
    with _naming_damage(path):
        codes, texts = _codes(_columns(path, ["source"], rows=rows)["source"])
        return [texts[code] for code in codes.tolist()]


class _Part(NamedTuple):
    """What is read of a part: see `Documents`."""

    label: NDArray[np.int32]
    labels: Sequence[Label]
    tier: NDArray[np.int8]
    tokens: NDArray[np.int32]
    crc32: NDArray[np.uint32]


def _read_part(path: Path, *, rows: int) -> _Part:
    with _naming_damage(path):
        columns = _columns(path, ["label", "tier", "tokens", "crc32"], rows=rows)
        tiers, names = _codes(columns["tier"])
        return _Part(
            *_label_codes(columns["label"]),
            tier=np.array([_TIERS.index(name) + NO_TIER for name in names], dtype=np.int8)[tiers],
            tokens=_numbers_of(columns["tokens"], np.dtype(np.int32)),
            crc32=_numbers_of(columns["crc32"], np.dtype(np.uint32)),
        )


@contextmanager
def _naming_damage(path: Path) -> Iterator[None]:
    """Raise ArtefactError, with the path, where Arrow cannot read a file, or it has not what it must have."""
    import pyarrow as pa

    try:
        yield
    except (pa.ArrowException, ValueError, TypeError, AttributeError, LookupError, OSError) as error:
        damage = ArtefactError(f"{path} is damaged ({error}); rebuild it: textclf preprocess SOURCE --overwrite")
        raise failures.refused(error, path) or damage from error


def _columns(path: Path, names: list[str], *, rows: int) -> dict[str, Any]:
    """Columns of a file, each in one piece, and its texts as indices into the distinct ones."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    refuse_other_kind(path)
    is_list = pa.types.is_list(pq.read_schema(path).field("label").type)
    with pq.ParquetFile(path, read_dictionary=["source", "tier", "label.list.element" if is_list else "label"]) as file:
        _check_size(file.metadata, rows=rows, size=path.stat().st_size)
        # Threads save little, and Arrow crashes at the end of a process that could start only some of them.
        table = file.read(columns=names, use_threads=False)
    return {name: table[name].combine_chunks() for name in names}


def _check_size(metadata: Any, *, rows: int, size: int) -> None:
    """Raise ValueError, before memory is taken, if the table has not this many rows or is too large for such a file."""
    groups = [metadata.row_group(place) for place in range(metadata.num_row_groups)]
    if not metadata.num_rows == sum(group.num_rows for group in groups) == rows:
        raise ValueError(f"it has {counted(metadata.num_rows, 'row')}, and the manifest counts {rows:,}")
    needed = rows * _ROW + sum(group.total_byte_size for group in groups)  # a damaged column may crash Arrow
    if needed > MOST_INFLATED * size + (1 << 20):
        raise ValueError(f"its {counted(size, 'byte')} would become {needed:,}")


def _label_codes(column: Any) -> tuple[NDArray[np.int32], Sequence[Label]]:
    """The place of each label, or list of labels, among the distinct ones."""
    if hasattr(column, "dictionary"):
        return _codes(column)
    if column.null_count or column.offset:
        raise ValueError("a list is missing")
    codes, names = _codes(column.values)
    labels, ends = [names[code] for code in codes.tolist()], np.from_dlpack(column.offsets).tolist()
    known: dict[tuple[str, ...], int] = {}
    found = [known.setdefault(tuple(labels[start:end]), len(known)) for start, end in pairwise(ends)]
    return np.array(found, dtype=np.int32), list(known)


def _codes(column: Any) -> tuple[NDArray[np.int32], list[str]]:
    """The place of each text among the distinct ones."""
    texts = column.dictionary.to_pylist()
    if column.null_count or not all(isinstance(text, str) for text in texts):
        raise ValueError("a text is missing")
    codes: NDArray[Any] = np.from_dlpack(column.indices)
    return codes, texts


def _numbers_of(column: Any, dtype: np.dtype[Any]) -> NDArray[Any]:
    numbers: NDArray[Any] = np.from_dlpack(column)
    if numbers.dtype != dtype or (numbers < 0).any():
        raise ValueError("a number is of another type, or negative")
    return numbers


# Columns are made from their buffers: `pa.array` would import pandas, if installed, which takes longer than all else.


def _numbers(column: NDArray[np.integer]) -> "pa.Array[Any]":
    import pyarrow as pa

    values = pa.py_buffer(np.ascontiguousarray(column))
    return pa.Array.from_buffers(pa.from_numpy_dtype(column.dtype), len(column), [None, values])


def _strings(strings: ByteStrings) -> "pa.Array[Any]":
    import pyarrow as pa

    content = np.frombuffer(strings.content, dtype=np.uint8)[places(strings.starts, strings.lengths)]
    ends = offsets(strings.lengths).astype(np.int32)
    return pa.StringArray.from_buffers(len(strings.starts), pa.py_buffer(ends), pa.py_buffer(content))


def _names(codes: NDArray[np.integer], names: Sequence[str]) -> "pa.Array[Any]":
    """The name of each code."""
    return _strings(ByteStrings.of(names).at(codes))


def _labels(documents: Documents, rows: slice) -> "pa.Array[Any]":
    """The label of each document, or the list of its labels."""
    import pyarrow as pa

    label, labels = documents.label[rows], list(map(labels_of, documents.labels))
    names = [name for some in labels for name in some]
    if not documents.is_multi:
        return _names(label, names)
    bounds = offsets(np.array(list(map(len, labels)), dtype=np.int64))
    sizes = np.diff(bounds)[label]
    ends = _numbers(offsets(sizes).astype(np.int32))
    return pa.ListArray.from_arrays(ends, _names(places(bounds[label], sizes), names))
