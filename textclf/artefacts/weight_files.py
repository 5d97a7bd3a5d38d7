"""Weights in fewer bits: as they are in a file, and as they are used."""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from textclf.models.model import TABLES
from textclf.system.tensor_files import Arrays

SCALES: Final = {table: table.removesuffix("weight") + "scale" for table in TABLES}
"""Of each table, the name of what each of its rows is multiplied by, shape (rows,)."""
PRECISIONS: Final = ("float32", "float16", "int8", "int4")
"""From the most exact to the smallest."""
_WIDE: Final = {"float16": np.float32, "uint8": np.int32, "uint16": np.int32}
_LARGEST: Final = {"int8": 127, "int4": 7}
_ZERO: Final = 8  # what 0 is stored as in half a byte; a half that is 0 stands for no number


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
