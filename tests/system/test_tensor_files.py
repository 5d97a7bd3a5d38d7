import json

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from textclf.system import tensor_files

ARRAYS = {
    "matrix": np.arange(6, dtype=np.float32).reshape(2, 3),
    "ids": np.array([1, -2, 3], dtype=np.int32),
    "large": np.array([[2**40]], dtype=np.int64),
    "bytes": np.arange(3, dtype=np.uint8),
    "empty": np.zeros((0, 4), dtype=np.float64),
    "number": np.array(2.5, dtype=np.float32),
}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "x.safetensors"


def write(path, header, data=bytes(24)):
    """A file with this header, and the bytes of its arrays."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + data)


def test_it_reads_what_safetensors_wrote(path):
    save_file(ARRAYS, path, metadata={"format": "np"})
    arrays, content = tensor_files.read(path)
    assert content[:] == path.read_bytes()
    reference = load_file(path)
    assert arrays.keys() == reference.keys() == ARRAYS.keys()
    for name, array in reference.items():
        assert (arrays[name].dtype, arrays[name].shape) == (array.dtype, array.shape)
        np.testing.assert_array_equal(arrays[name], array)


def test_what_is_written_to_an_array_stays_in_memory(path):
    save_file(ARRAYS, path)
    before = path.read_bytes()
    tensor_files.read(path)[0]["matrix"][...] = 7
    assert path.read_bytes() == before


def entry(begin=0, end=24, *, dtype="F32", shape=(2, 3)):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": [begin, end]}


def test_the_entry_that_the_others_differ_from_is_fine(path):
    write(path, {"a": entry()})
    assert tensor_files.read(path)[0]["a"].shape == (2, 3)


BAD = {
    "no object": [],
    "nothing": {},
    "an array that is none": {"a": 3},
    "no offsets": {"a": {"dtype": "F32", "shape": [2, 3]}},
    "too many offsets": {"a": entry() | {"data_offsets": [0, 24, 24]}},
    "offsets that are none": {"a": entry() | {"data_offsets": ["0", "24"]}},
    "offsets that are not whole": {"a": entry(0.0, 24.0)},
    "offsets that are true": {"a": entry(False, 24)},
    "an end beyond the file": {"a": entry(0, 28, shape=[7])},
    "a begin before it": {"a": entry(-4, 20)},
    "an end before the begin": {"a": entry(24, 0)},
    "a shape too large": {"a": entry(shape=[2, 4])},
    "a shape too small": {"a": entry(shape=[2, 2])},
    "a shape below zero": {"a": entry(shape=[-2, -3])},
    "a shape that is no list": {"a": entry() | {"shape": 6}},
    "a shape that is not whole": {"a": entry(shape=[2.0, 3.0])},
    "a shape of an enormous array": {"a": entry(shape=[2**62, 2**62])},
    "a type that is none": {"a": entry(dtype="object")},
    "a type that numpy has and we have not": {"a": entry(dtype="|O")},
    "a type that is a list": {"a": entry(dtype=["F32"])},
    "an overlap": {"a": entry(0, 16, shape=[4]), "b": entry(8, 24, shape=[4])},
    "a gap": {"a": entry(0, 8, shape=[2]), "b": entry(16, 24, shape=[2])},
    "bytes before": {"a": entry(8, 24, shape=[4])},
    "bytes after": {"a": entry(0, 16, shape=[4])},
    "no JSON": b"{",
    "no UTF-8": b'{"\xff": 1}',
    "too deep": b"[" * 100_000,
}


@pytest.mark.parametrize("bad", BAD)
def test_a_header_that_does_not_fit_is_refused(bad, path):
    write(path, BAD[bad])
    with pytest.raises((ValueError, LookupError, TypeError)):
        tensor_files.read(path)


@pytest.mark.parametrize("content", [b"", b"1234567", bytes(8), b"\xff" * 8, b"\xff" * 100, (10).to_bytes(8, "little")])
def test_a_file_without_a_header_is_refused(content, path):
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"empty file|header"):
        tensor_files.read(path)


def test_what_is_no_file_is_refused(path):
    with pytest.raises(OSError, match="No such file"):
        tensor_files.read(path)
