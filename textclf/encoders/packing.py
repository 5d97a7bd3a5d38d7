"""Matrices in few bits: whole numbers of 8 bits and a few further ones, and a scale for each block of 32 numbers.

name         int8, shape (R, C): the first 8 bits of each number
name.low     uint8, shape (K, R, C / 8): the K bits after these, each in a plane of its own, as `numpy.packbits`
name.scale   float16: what the numbers of a block are multiplied by; blocks are of a column, or of a row

R rows, C columns.
"""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Weights = Mapping[str, NDArray[Any]]

BLOCK: Final = 32
"""Numbers that share a scale."""
LOW: Final = ".low"
SCALE: Final = ".scale"


def pack(matrix: Floats, name: str, *, bits: int, axis: int) -> dict[str, NDArray[Any]]:
    """A matrix in that many bits, at least 8, by the names of its parts; ``axis``: along which its blocks go."""
    rows, columns = matrix.shape
    starts = np.arange(0, matrix.shape[axis], BLOCK)
    largest = 2 ** (bits - 1) - 1
    exact = np.maximum.reduceat(np.abs(matrix), starts, axis=axis) / np.float32(largest)
    scale = exact.astype(np.float16)
    scale = np.where(scale < exact, np.nextafter(scale, np.float16(np.inf)), scale)  # so that the largest still fits
    divisor = _of_each(scale, axis, matrix.shape[axis])
    whole = np.rint(matrix / np.where(divisor == 0, np.float32(1), divisor)).astype(np.int32)
    further = bits - 8
    planes = [whole >> place & 1 for place in reversed(range(further))]
    low = np.empty((further, rows, columns), dtype=np.uint8)
    low[:] = planes or 0
    return {
        name: (whole >> further).astype(np.int8),
        name + LOW: np.packbits(low, axis=2),
        name + SCALE: scale,
    }


def unpack(high: NDArray[np.int8], low: NDArray[np.uint8], scale: NDArray[np.float16], *, axis: int) -> Floats:
    """The numbers of a matrix, or of some rows of one whose blocks are of a row, from its parts; in float32."""
    found = high.astype(np.float32)
    for plane in np.unpackbits(low, axis=2, count=high.shape[1]):
        found *= 2
        found += plane
    found *= _of_each(scale, axis, high.shape[axis])
    return found


def rows(weights: Weights, name: str, which: NDArray[np.int64]) -> Floats:
    """Some rows of a matrix whose blocks are of a row, packed or in float32; a copy."""
    if name + SCALE not in weights:
        found: Floats = weights[name][which]
        return found
    high, low, scale = (weights[name + end] for end in ("", LOW, SCALE))
    return unpack(high[which], low[:, which], scale[which], axis=1)


def part(weights: Weights, name: str, *, axis: int) -> Floats:
    """A matrix among weights that are packed, or are in float32."""
    if name + SCALE not in weights:
        found: Floats = weights[name]
        return found
    return unpack(weights[name], weights[name + LOW], weights[name + SCALE], axis=axis)


def fits(weights: Weights, name: str, shape: tuple[int, ...], *, axis: int) -> bool:
    """Whether what has this name is a matrix or vector of that shape, packed or in float32."""
    matrix = weights[name]
    if matrix.shape != shape:
        return False
    if name + SCALE not in weights:
        return matrix.dtype == np.float32
    low, scale = weights[name + LOW], weights[name + SCALE]
    blocks = [*shape]
    blocks[axis] = -(-shape[axis] // BLOCK)
    types = [part.dtype.name for part in (matrix, low, scale)]
    return (
        types == ["int8", "uint8", "float16"]
        and scale.shape == tuple(blocks)
        and low.shape == (len(low), shape[0], -(-shape[1] // 8))
    )


def _of_each(scale: NDArray[np.float16], axis: int, count: int) -> Floats:
    """The scale of each number along the axis."""
    each = np.repeat(scale.astype(np.float32), BLOCK, axis=axis)
    return each[:count] if axis == 0 else each[:, :count]
