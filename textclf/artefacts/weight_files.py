"""Weights in a file: safetensors, mapped into memory, and weights in fewer bits.

Of a mapped file, what is not read costs no time, and several processes share one copy.

The format is 8 bytes with the length of a JSON header, the header, and the arrays end to end:
https://huggingface.co/docs/safetensors. That library writes our files, but copies what it reads. A mapped file must not
be written to, only replaced, as `textclf.system.files` does.
"""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from textclf.models.model import TABLES
from textclf.system import files

Arrays = dict[str, NDArray[Any]]

DTYPES: Final[Mapping[str, np.dtype[Any]]] = {
    "BOOL": np.dtype("?"),
    "F16": np.dtype("<f2"),
    "F32": np.dtype("<f4"),
    "F64": np.dtype("<f8"),
    "I8": np.dtype("<i1"),
    "I32": np.dtype("<i4"),
    "I64": np.dtype("<i8"),
    "U8": np.dtype("<u1"),
    "U16": np.dtype("<u2"),
    "U32": np.dtype("<u4"),
}


MOST_HEADER: Final = 1 << 20
"""Bytes; ours have a few hundred."""

SCALES: Final = {table: table.removesuffix("weight") + "scale" for table in TABLES}
"""Of each table, the name of what each of its rows is multiplied by, shape (rows,)."""
PRECISIONS: Final = ("float32", "float16", "int8", "int4")
"""From the most exact to the smallest."""
_WIDE: Final = {"float16": np.float32, "uint8": np.int32, "uint16": np.int32}
_LARGEST: Final = {"int8": 127, "int4": 7}
_ZERO: Final = 8  # what 0 is stored as in half a byte; a half that is 0 stands for no number


def read(path: Path) -> tuple[Arrays, memoryview]:
    """The arrays of a file by name, and its bytes; what is written to an array stays in memory.

    Raises what `files.map_file` and `parse` raise.
    """
    content = files.map_file(path)
    return parse(content, path.name), content


def parse(content: memoryview, name: str) -> Arrays:
    """The arrays in the bytes of a file by name, without copying them; ``name`` is that of the file, for messages.

    Raises ValueError unless the arrays fill the file without gap or overlap.
    """
    start = 8 + int.from_bytes(content[:8], "little")
    if not 8 < start <= min(len(content), MOST_HEADER):
        raise ValueError(f"{name}: its header is longer than the file, or than any of ours")
    header = files.parse_object(bytes(content[8:start]))
    header.pop("__metadata__", None)
    end = start
    arrays: Arrays = {}
    for key, entry in sorted(header.items(), key=lambda item: _offsets(item[1])):
        dtype, shape = DTYPES[entry["dtype"]], _shape(entry["shape"])
        begin, size = end, math.prod(shape) * dtype.itemsize
        end += size
        if _offsets(entry) != (begin - start, end - start) or end > len(content):
            raise ValueError(f"{name}: {key} is not where it should be")
        arrays[key] = np.frombuffer(content, dtype, math.prod(shape), begin).reshape(shape)
    if end != len(content):
        raise ValueError(f"{name}: there are bytes that belong to no array")
    return arrays


def _offsets(entry: Any) -> tuple[int, int]:
    """Where an array begins and ends, from the end of the header."""
    begin, end = entry["data_offsets"]
    if type(begin) is not int or type(end) is not int:
        raise ValueError("an offset is no whole number")
    return begin, end


def _shape(shape: Any) -> tuple[int, ...]:
    if not isinstance(shape, list) or not all(type(size) is int and size >= 0 for size in shape):
        raise ValueError("a shape is no list of whole numbers")
    return tuple(shape)


def quantise(weights: Arrays, precision: str) -> Arrays:
    """Weights as they are stored; raises ValueError if one is too large for float16."""
    if precision == "float32":
        return dict(weights)
    if precision == "float16":
        return {name: _half(array) for name, array in weights.items()}
    stored: Arrays = {}
    for name, array in weights.items():
        if name in SCALES:
            rows, stored[SCALES[name]] = _rows(array, _LARGEST[precision])
            stored[name] = _packed(rows) if precision == "int4" else rows
        else:
            stored[name] = _half(array)
    return stored


def restore(stored: Arrays) -> Arrays:
    """Arrays of a file as they are used; raises ValueError if tables and scales do not go together."""
    scales = {table: scale for table, scale in SCALES.items() if scale in stored}
    arrays = widened({name: array for name, array in stored.items() if name not in scales})
    return arrays | {table: _scaled(stored[table], arrays.pop(scale)) for table, scale in scales.items()}


def _scaled(rows: NDArray[Any], scale: NDArray[Any]) -> NDArray[np.float32]:
    """The rows of a table, each times its scale; raises ValueError if they do not go together."""
    if rows.dtype == np.uint8 and rows.ndim == 2:
        rows = _unpacked(rows)
    if rows.dtype != np.int8 or rows.ndim != 2 or scale.shape != rows.shape[:1] or scale.dtype != np.float32:
        raise ValueError("the embeddings are not rows of whole numbers with a scale each")
    if not np.isfinite(scale).all():
        raise ValueError("a scale of the embeddings is not a finite number")
    table: NDArray[np.float32] = rows * scale[:, None]
    return table


def widened(stored: Arrays) -> Arrays:
    """Float16 as float32, and integers that a file keeps in one or two bytes as int32."""
    return {name: array.astype(_WIDE.get(array.dtype.name, array.dtype), copy=False) for name, array in stored.items()}


def _half(array: NDArray[Any]) -> NDArray[Any]:
    """The same in float16, without a warning where that has no such number; whole numbers stay as they are."""
    if array.dtype.kind != "f":
        return array
    with np.errstate(over="ignore"):
        half = array.astype(np.float16)
    if not np.isfinite(half).all():
        raise ValueError("a weight is too large for float16")
    return half


def _rows(embedding: NDArray[np.float32], largest: int) -> tuple[NDArray[np.int8], NDArray[np.float16]]:
    """Whole numbers of at most that size, and a scale a row; a row of zeros has the scale 0."""
    scale = _half(np.abs(embedding).max(axis=1, initial=0) / np.float32(largest))
    divisor = np.where(scale == 0, np.float32(1), scale.astype(np.float32))
    whole = np.clip(np.rint(embedding / divisor[:, None]), -largest, largest)
    return whole.astype(np.int8), scale


def _packed(rows: NDArray[np.int8]) -> NDArray[np.uint8]:
    """Two numbers a byte, the first in its low half; the last half is 0 where the width is odd."""
    halves = np.zeros((len(rows), rows.shape[1] + rows.shape[1] % 2), dtype=np.uint8)
    halves[:, : rows.shape[1]] = rows + _ZERO
    packed: NDArray[np.uint8] = halves[:, ::2] | halves[:, 1::2] << 4
    return packed


def _unpacked(packed: NDArray[np.uint8]) -> NDArray[np.int8]:
    """The numbers again; raises ValueError where there is none inside a row."""
    halves = np.empty((len(packed), 2 * packed.shape[1]), dtype=np.uint8)
    halves[:, ::2], halves[:, 1::2] = packed & 15, packed >> 4
    if halves.size and not halves[:, -1].any():
        halves = halves[:, :-1]
    if not halves.all():
        raise ValueError("half a byte of the embeddings is no number")
    return halves.astype(np.int8) - np.int8(_ZERO)
