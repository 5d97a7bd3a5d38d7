"""Safetensors, mapped into memory: what is not read costs no time, and several processes share one copy.

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


def serialise(arrays: Arrays) -> bytes:
    """A safetensors file."""
    from safetensors.numpy import save as safetensors

    return safetensors({name: np.asarray(array, order="C") for name, array in arrays.items()})
