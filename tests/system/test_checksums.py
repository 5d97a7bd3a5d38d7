import hashlib
import json
import random
import zlib
from contextlib import suppress

import pytest

from textclf.system import checksums


def test_a_file_has_the_usual_checksums(tmp_path):
    path = tmp_path / "large"
    content = random.Random(0).randbytes(3_000_001)
    path.write_bytes(content)
    assert checksums.crc32(path) == zlib.crc32(content)
    assert checksums.sha256(path) == hashlib.sha256(content).hexdigest()


def test_what_is_no_file_has_none(tmp_path):
    assert checksums.sha256(tmp_path / "nothing") == checksums.sha256(tmp_path) == ""
    with pytest.raises(FileNotFoundError):
        checksums.crc32(tmp_path / "nothing")


def test_a_digest_is_of_what_is_said_and_not_of_its_order():
    assert checksums.digest({"a": 1, "b": 2}) == checksums.digest({"b": 2, "a": 1})
    assert checksums.digest({"a": 1}) != checksums.digest({"a": 2})


def test_any_flipped_bit_of_a_sealed_file_is_found():
    content = checksums.seal({"é": [1e-05, "\x1f"], "b": {"c": None}})
    assert checksums.is_sealed(content)
    for bit in range(8 * len(content)):
        flipped = bytearray(content)
        flipped[bit // 8] ^= 1 << bit % 8
        with suppress(ValueError):  # no JSON any more
            assert not checksums.is_sealed(bytes(flipped))


def test_another_way_to_say_the_same_is_not_what_was_written():
    content = checksums.seal({"a": 1})
    assert not checksums.is_sealed(json.dumps(json.loads(content)).encode())
