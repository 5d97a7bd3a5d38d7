import hashlib
import io
import os
import pickle
import random
import struct
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from textclf.dataset import tensors
from textclf.dataset.tensors import TensorFiles
from textclf.errors import ArtefactError

LENGTHS = [1, 5, 255, 256, 65_535, 65_536]
IDS = np.array([3, 70_000, 2, 2**31 - 1], dtype=np.int32)


def some_ids(length):
    return np.random.default_rng(length).integers(0, 100_000, length, dtype=np.int32)


def saved(value, **options):
    """The bytes that torch.save makes."""
    buffer = io.BytesIO()
    torch.save(value, buffer, **options)
    return buffer.getvalue()


def rewritten(content, compressed=(), **members):
    """The same archive with other members, or with some that are compressed; they go by the end of their names."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(buffer, "w") as new:
        for path in old.namelist():
            name = path.split("/", 1)[1]
            method = zipfile.ZIP_DEFLATED if name in compressed else zipfile.ZIP_STORED
            new.writestr(path, members.get(name, old.read(path)), compress_type=method)
    return buffer.getvalue()


def outcome(path, content):
    """What reading these bytes gives: the ids, or ArtefactError if it names the file. Other errors fail the test."""
    path.write_bytes(content)
    try:
        return tensors.read_tensor(path).tolist()
    except ArtefactError as error:
        return ArtefactError if str(path) in str(error) else error


@pytest.mark.parametrize("mmap", [False, True])
@pytest.mark.parametrize("length", LENGTHS)
def test_torch_opens_what_we_write(tmp_path, length, mmap):
    path, ids = tmp_path / "x.pt", some_ids(length)
    tensors.write_tensor(path, ids)
    tensor = torch.load(path, weights_only=True, mmap=mmap)
    assert tensor.dtype == torch.int32
    assert tensor.shape == (length,)
    assert tensor.is_contiguous()
    assert torch.equal(tensor, torch.from_numpy(ids))


@pytest.mark.parametrize("length", LENGTHS)
def test_we_read_what_we_and_what_torch_wrote(tmp_path, length):
    path, ids = tmp_path / "x.pt", some_ids(length)
    tensors.write_tensor(path, ids)
    ours = tensors.read_tensor(path)
    torch.save(torch.from_numpy(ids), path)
    theirs = tensors.read_tensor(path)
    for read in (ours, theirs):
        assert read.dtype == np.int32
        assert np.array_equal(read, ids)


def test_torch_may_save_again_what_we_wrote(tmp_path):
    path = tmp_path / "x.pt"
    tensors.write_tensor(path, IDS)
    torch.save(torch.load(path, weights_only=True), path)
    assert tensors.read_tensor(path).tolist() == IDS.tolist()


@pytest.mark.parametrize(
    "ids",
    [
        np.arange(20, dtype=np.int32)[3:9],
        np.arange(20, dtype=np.int32)[::3],
        np.arange(20, dtype=np.int32)[::-1],
        np.arange(20, dtype=">i4"),
        np.array([0, -(2**31), 2**31 - 1], dtype=np.int32),
    ],
    ids=["a slice", "a stride", "backwards", "big-endian", "the extremes"],
)
def test_any_array_of_32_bit_integers_is_written_as_its_values(tmp_path, ids):
    path = tmp_path / "x.pt"
    assert tensors.write_tensor(path, ids) == tensors.checksum(np.array(ids.tolist(), dtype=np.int32))
    assert tensors.read_tensor(path).tolist() == ids.tolist()
    assert torch.load(path, weights_only=True).tolist() == ids.tolist()


def test_equal_ids_give_equal_bytes_at_any_time_and_place(tmp_path):
    for name, ids in (("a.pt", IDS), ("other.pt", IDS.copy()), ("longer.pt", np.append(IDS, 0)[:-1].astype(np.int32))):
        tensors.write_tensor(tmp_path / name, ids)
        os.utime(tmp_path / name, (0, 0))
    assert len({path.read_bytes() for path in tmp_path.iterdir()}) == 1
    assert tensors.to_bytes(IDS) != tensors.to_bytes(IDS[::-1])


def test_the_bytes_are_pinned():
    # a change here changes every data directory that is made from now on
    digest = hashlib.sha256(tensors.to_bytes(IDS)).hexdigest()
    assert digest == "a0013c374148d858401490dff2f60b6737647feacae77973cddfdee9fc2577b7"


@pytest.mark.parametrize("length", LENGTHS)
def test_a_file_is_little_larger_than_its_ids(tmp_path, length):
    path = tmp_path / "x.pt"
    tensors.write_tensor(path, np.zeros(1_000_000, dtype=np.int32)[:length])
    assert path.stat().st_size < 4 * length + 1024


def test_the_checksum_changes_with_any_bit():
    whole = int.from_bytes(IDS.tobytes(), "little")
    flipped = [(whole ^ 1 << bit).to_bytes(IDS.nbytes, "little") for bit in range(8 * IDS.nbytes)]
    checksums = {tensors.checksum(np.frombuffer(content, dtype=np.int32)) for content in flipped}
    assert len(checksums | {tensors.checksum(IDS)}) == len(flipped) + 1


PLAIN = saved(torch.from_numpy(IDS))
WRITERS = pytest.mark.parametrize("content", [tensors.to_bytes(IDS), PLAIN], ids=["ours", "torch.save"])


@WRITERS
def test_any_flipped_bit_of_the_data_is_found(tmp_path, content):
    start = content.index(IDS.tobytes())
    for bit in range(8 * start, 8 * (start + IDS.nbytes)):
        damaged = bytearray(content)
        damaged[bit // 8] ^= 1 << bit % 8
        assert outcome(tmp_path / "x.pt", damaged) is ArtefactError


@WRITERS
def test_any_truncation_is_found(tmp_path, content):
    for length in range(len(content)):
        assert outcome(tmp_path / "x.pt", content[:length]) is ArtefactError


@pytest.mark.slow
@WRITERS
def test_no_flipped_bit_anywhere_changes_the_ids(tmp_path, content):
    bits = random.Random(0).sample(range(8 * len(content)), 2_000)
    named = [8 * place + bit for place in range(len(content) - 512, len(content)) for bit in range(8)]
    for bit in {*bits, *named}:  # all of the zip directory at the end, which says where and what everything is
        damaged = bytearray(content)
        damaged[bit // 8] ^= 1 << bit % 8
        assert outcome(tmp_path / "x.pt", damaged) in (IDS.tolist(), ArtefactError)


@pytest.mark.parametrize("seed", range(3))
def test_no_garbage_changes_the_ids(tmp_path, seed):
    rng = random.Random(seed)
    content = tensors.to_bytes(IDS)
    for _ in range(150):
        damaged = bytearray(content)
        start = rng.randrange(len(content))
        damaged[start : start + rng.randrange(1, 64)] = rng.randbytes(rng.randrange(64))
        assert outcome(tmp_path / "x.pt", damaged) in (IDS.tolist(), ArtefactError)


class Trap:
    """Unpickling this makes a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


FOREIGN = {
    "empty": b"",
    "text": b"3 70000 2\n",
    "an empty archive": b"PK\5\6" + bytes(18),
    "compressed": rewritten(PLAIN, compressed=["data/0"]),
    "64-bit": saved(torch.arange(4)),
    "16-bit": saved(torch.arange(4, dtype=torch.int16)),
    "float": saved(torch.arange(4.0)),
    "a matrix": saved(torch.zeros(2, 3, dtype=torch.int32)),
    "a number": saved(torch.tensor(3, dtype=torch.int32)),
    "a part": saved(torch.arange(9, dtype=torch.int32)[2:5]),
    "every third": saved(torch.arange(9, dtype=torch.int32)[::3]),
    "a million of one": saved(torch.zeros(1, dtype=torch.int32).expand(1_000_000)),
    "a list": saved([torch.from_numpy(IDS)]),
    "a dictionary": saved({"ids": torch.from_numpy(IDS)}),
    "the format before 1.6": saved(torch.from_numpy(IDS), _use_new_zipfile_serialization=False),
    "fewer ids than described": rewritten(PLAIN, **{"data/0": IDS.tobytes()[:-4]}),
    "more ids than described": rewritten(PLAIN, **{"data/0": IDS.tobytes() + bytes(4)}),
    "half an id": rewritten(PLAIN, **{"data/0": IDS.tobytes()[:-2]}),
    "big-endian": rewritten(PLAIN, byteorder=b"big"),
}


@pytest.mark.parametrize("kind", FOREIGN)
def test_a_file_of_another_kind_is_refused(tmp_path, kind):
    assert outcome(tmp_path / "x.pt", FOREIGN[kind]) is ArtefactError


def test_members_that_only_carry_other_bytes_are_no_other_kind(tmp_path):
    assert outcome(tmp_path / "x.pt", rewritten(PLAIN)) == IDS.tolist()


@pytest.mark.parametrize("wrap", [lambda trap: trap, lambda trap: rewritten(PLAIN, **{"data.pkl": trap})])
def test_a_pickle_is_refused_and_not_run(tmp_path, wrap):
    sentinel = tmp_path / "sentinel"
    content = wrap(pickle.dumps(Trap(sentinel)))
    assert outcome(tmp_path / "x.pt", content) is ArtefactError
    assert not sentinel.exists()
    pickle.loads(pickle.dumps(Trap(sentinel)))
    assert sentinel.exists()


@pytest.mark.parametrize("member", ["data.pkl", "data/0"])
def test_a_bomb_is_refused_before_it_is_inflated(tmp_path, member):
    path = tmp_path / "x.pt"
    path.write_bytes(rewritten(PLAIN, compressed=[member], **{member: bytes(20_000_000)}))
    assert path.stat().st_size < 50_000
    tracemalloc.start()
    try:
        with pytest.raises(ArtefactError):
            tensors.read_tensor(path)
        assert tracemalloc.get_traced_memory()[1] < 2_000_000
    finally:
        tracemalloc.stop()


def test_a_length_beyond_the_file_is_refused_before_memory_is_taken(tmp_path):
    content = tensors.to_bytes(IDS)
    described = content.replace(b"J" + struct.pack("<i", len(IDS)), b"J" + struct.pack("<i", 2**31 - 1))
    assert described != content
    assert outcome(tmp_path / "x.pt", described) is ArtefactError


@pytest.mark.parametrize("name", ["x.pt", "no/such/folder/x.pt"])
def test_a_missing_file_is_named(tmp_path, name):
    path = tmp_path / name
    with pytest.raises(ArtefactError) as caught:
        tensors.read_tensor(path)
    assert str(caught.value) == f"{path} is missing; rebuild it: textclf preprocess SOURCE --overwrite"


def test_files_are_gathered_in_the_order_that_is_asked_for(tmp_path):
    runs = [some_ids(length) for length in (3, 1, 7)]
    paths = [tmp_path / f"{place}.pt" for place in range(3)]
    crc32 = np.array([tensors.write_tensor(path, ids) for path, ids in zip(paths, runs, strict=True)])
    order = np.array([2, 0, 0, 1])
    ids, lengths = TensorFiles(paths.__getitem__, crc32).gather(order)
    assert ids.tolist() == [token for place in order for token in runs[place]]
    assert lengths.tolist() == [7, 3, 3, 1]
    assert (ids.dtype, lengths.dtype) == (np.int32, np.int64)


def test_a_damaged_file_is_named_when_it_is_gathered(tmp_path):
    paths = [tmp_path / f"{place}.pt" for place in range(3)]
    crc32 = np.array([tensors.write_tensor(path, IDS) for path in paths])
    paths[1].write_bytes(tensors.to_bytes(IDS)[:-1])
    tensors.write_tensor(paths[2], IDS[::-1])  # whole, but another document
    files = TensorFiles(paths.__getitem__, crc32)
    assert files.gather(np.array([0]))[0].tolist() == IDS.tolist()
    with pytest.raises(ArtefactError, match=r"1\.pt is damaged"):
        files.gather(np.array([0, 1]))
    with pytest.raises(ArtefactError, match=r"2\.pt is not the file that preprocess wrote"):
        files.gather(np.array([0, 2]))
